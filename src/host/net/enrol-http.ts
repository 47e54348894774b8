/** The enrolment endpoint: JSON over the links that come with the enrolment ALPN (docs/formats/enrolment.md). */
import http from "node:http";
import type { TLSSocket } from "node:tls";

import { z } from "zod";

import type { WrittenInForce } from "../../crypto/suites/in-force.ts";
import { maxCertificateBytes, maxPathLength } from "../../crypto/outside-path.ts";
import { fromBase64, fromBase64url } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import { readBody } from "./body.ts";
import { channelBinding } from "./channel-binding.ts";

/** Where the profile in force is asked for. */
export const profilePath = "/identity/profile";

/** A certificate and a request with ML-DSA-65 are about 13 KB in base64. */
const maxBodyBytes = 64 * 1024;

const base64 = z.string().transform((text, context) => decoded(fromBase64(text), context));
const base64url = z.string().transform((text, context) => decoded(fromBase64url(text), context));

const classicalCsr = { classical_csr: base64.optional() };
const joinSchema = z.strictObject({ secret: base64url, csr: base64, ...classicalCsr });
const renewSchema = z.strictObject({
  certificate: z.string().max(32_768),
  csr: base64,
  signature: base64.optional(),
  ...classicalCsr,
  classical_certificate: z.string().max(8192).optional(),
});

/** As long as a JWT may be that is verified. */
const maxTokenLength = 16 * 1024;
/** DER of {@link maxCertificateBytes} in base64. */
const maxCertificateLength = Math.ceil(maxCertificateBytes / 3) * 4;

const tokenSchema = z.strictObject({ token: z.string().max(maxTokenLength), csr: base64, ...classicalCsr });
const svidSchema = z.strictObject({
  chain: z.array(z.string().max(maxCertificateLength).pipe(base64)).min(1).max(maxPathLength),
  signature: base64,
  csr: base64,
  ...classicalCsr,
});

interface JoinRequest {
  readonly secret: Uint8Array;
  /** DER, PKCS #10. */
  readonly csr: Uint8Array;
  /** The same for a classical key, if the newcomer has one. */
  readonly classical_csr?: Uint8Array | undefined;
}

interface RenewRequest {
  /** PEM of the certificate to be renewed. */
  readonly certificate: string;
  readonly csr: Uint8Array;
  /** By the key of that certificate, where the request is for another one. */
  readonly signature?: Uint8Array | undefined;
  /** Of the link it came on. */
  readonly channelBinding: Uint8Array;
  readonly classical_csr?: Uint8Array | undefined;
  /** PEM of the classical certificate to be renewed, if there is one. */
  readonly classical_certificate?: string | undefined;
}

/** What a newcomer that asked for it gets beside its ML-DSA identity; all PEM. */
export interface EnrolledClassical {
  readonly certificate: string;
  readonly server_roots: readonly string[];
  readonly client_roots: readonly string[];
}

interface TokenRequest {
  /** JWT of the workload's own. */
  readonly token: string;
  readonly csr: Uint8Array;
  readonly classical_csr?: Uint8Array | undefined;
}

export interface SvidRequest {
  /** DER, the leaf first. */
  readonly chain: readonly Uint8Array[];
  /** By the leaf's key, over what docs/formats/enrolment.md says. */
  readonly signature: Uint8Array;
  readonly csr: Uint8Array;
  readonly classical_csr?: Uint8Array | undefined;
  /** Of the link it came on. */
  readonly channelBinding: Uint8Array;
}

/** What a newcomer gets. */
export interface Enrolled {
  readonly spiffe_id: string;
  /** PEM. */
  readonly certificate: string;
  /** PEM of the roots under which servers are issued. */
  readonly server_roots: readonly string[];
  /** PEM of the roots under which clients are issued. */
  readonly client_roots: readonly string[];
  readonly gateway: string;
  readonly trust_domain: string;
  readonly classical?: EnrolledClassical;
  /** What is in force as of now. */
  readonly in_force: WrittenInForce;
  /** When the workload has to prove itself again, RFC 3339; absent if a person vouched for it. */
  readonly renewable_until?: string;
}

/** What the next request for an identity has to be like. */
export interface EnrolmentProfile extends WrittenInForce {
  /** A key made before that moment is replaced at the next renewal; RFC 3339. */
  readonly fresh_keys_since?: string;
  /** Digest of the roots that are trusted now: who knows others renews. */
  readonly roots?: string | undefined;
}

export interface Registrar {
  readonly profile: () => EnrolmentProfile;
  readonly join: (request: JoinRequest) => Promise<Enrolled>;
  readonly renew: (request: RenewRequest) => Promise<Enrolled>;
  readonly token: (request: TokenRequest) => Promise<Enrolled>;
  readonly svid: (request: SvidRequest) => Promise<Enrolled>;
}

/** All that a newcomer may take, from its handshake on: strangers hold nothing for long. */
const linkLifeMs = 10_000;

/** This end's proof of its classical identity on that link. */
type ProveLink = (link: TLSSocket) => Promise<unknown>;

/** Serves enrolment on links handed to the returned function. */
export function enrolHttp(registrar: Registrar, log: Log, prove: ProveLink): (link: TLSSocket) => void {
  const server = http.createServer();
  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const { status, body } = await served(request, registrar, prove).catch((error: unknown) =>
      problem(error, request, log),
    );
    response.writeHead(status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(body));
  };
  server.on("request", (request, response) => void answer(request, response));
  return (link) => {
    const timer = setTimeout(() => link.destroy(), linkLifeMs);
    link.once("close", () => clearTimeout(timer));
    server.emit("connection", link);
  };
}

async function served(
  request: http.IncomingMessage,
  registrar: Registrar,
  prove: ProveLink,
): Promise<Served> {
  if (request.method === "GET" && request.url === profilePath) {
    request.resume();
    return { status: 200, body: registrar.profile() };
  }
  return await proven(await serve(request, registrar), request, prove);
}

/** Who has a classical identity may ask for the gateway's before it takes a new one. */
async function proven(
  enrolled: Enrolled,
  { socket }: http.IncomingMessage,
  prove: ProveLink,
): Promise<Served> {
  const isHybrid = enrolled.classical !== undefined;
  return {
    status: 200,
    body: isHybrid ? { ...enrolled, link_proof: await prove(socket as TLSSocket) } : enrolled,
  };
}

interface Served {
  readonly status: number;
  readonly body: unknown;
}

async function serve(request: http.IncomingMessage, registrar: Registrar): Promise<Enrolled> {
  if (request.method !== "POST") throw new Refusal("method_not_allowed", "Enrolment is done with POST.");
  const body = parse(await readBody(request, maxBodyBytes));
  if (request.url === "/identity/join") return await registrar.join(checked(joinSchema, body));
  if (request.url === "/identity/token") return await registrar.token(checked(tokenSchema, body));
  const binding = channelBinding(request.socket);
  if (request.url === "/identity/renew") {
    return await registrar.renew({ ...checked(renewSchema, body), channelBinding: binding });
  }
  if (request.url === "/identity/svid") {
    return await registrar.svid({ ...checked(svidSchema, body), channelBinding: binding });
  }
  throw new Refusal(
    "bad_message",
    "There are /identity/join, /renew, /token and /svid, and /profile to GET.",
  );
}

function problem(error: unknown, request: http.IncomingMessage, log: Log): Served {
  const remote = request.socket.remoteAddress ?? "unknown";
  if (!(error instanceof Refusal)) {
    log.error("identity.fault", {
      remote,
      stack: error instanceof Error ? (error.stack ?? "") : "not an error",
    });
    return {
      status: 500,
      body: { error: "fault", message: "Enrolment failed inside the gateway; its log says why." },
    };
  }
  log.warn("identity.refused", { remote, code: error.code, ...error.facts });
  return { status: refusalRow(error.code).http, body: { error: error.code, message: error.message } };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new Refusal("bad_json", "Expected a JSON body.", { cause });
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new Refusal("bad_message", "The body isn't what docs/formats/enrolment.md asks for.", {
      cause: result.error,
    });
  }
  return result.data;
}

function decoded(bytes: Uint8Array | undefined, context: z.RefinementCtx): Uint8Array {
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: "custom", message: "expected base64" });
  return z.NEVER;
}
