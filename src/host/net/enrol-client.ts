/** A sidecar's side of enrolment: the gateway is proven before a secret leaves this machine. */
import type { X509Certificate } from "node:crypto";
import https from "node:https";
import tls from "node:tls";

import { z } from "zod";

import { certificateFacts } from "../../crypto/certificate.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { Profile } from "../../crypto/suites.ts";
import type { JoinToken } from "../../identity/join-token.ts";
import { equalInConstantTime, toBase64, toBase64url } from "../../kernel/bytes.ts";
import type { ClassicalTrust } from "../../identity/link-proof.ts";
import { isGatewayId } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readBody } from "./body.ts";
import { enrolAlpn } from "./front-door.ts";
import { linkProofSchema, newcomersCheck } from "./link-proof.ts";
import { hostAndPort } from "./listen.ts";
import { clientTlsOptions } from "./tls.ts";

const timeoutMs = 10_000;
const maxAnswerBytes = 256 * 1024;

export const enrolledSchema = z.object({
  spiffe_id: z.string(),
  certificate: z.string(),
  server_roots: z.array(z.string()).min(1),
  client_roots: z.array(z.string()).min(1),
  gateway: z.string(),
  trust_domain: z.string(),
  classical: z
    .object({
      certificate: z.string(),
      server_roots: z.array(z.string()).min(1),
      client_roots: z.array(z.string()).min(1),
    })
    .optional(),
});
const answerSchema = enrolledSchema.extend({ link_proof: linkProofSchema.optional() });

/** What the gateway gave: identity, and whom to trust. */
export type EnrolledIdentity = z.output<typeof enrolledSchema>;

/** A gateway as a sidecar knows it. */
export interface KnownGateway {
  /** `host:port`. */
  readonly address: string;
  /** PEM. */
  readonly serverRoots: readonly string[];
  readonly spiffeId: string;
  /** Its classical identity, if it is known to have one: it then proves it before a new identity is taken from it. */
  readonly classical?: { readonly trust: ClassicalTrust; readonly clock: Clock } | undefined;
}

/** What is to be certified; DER. */
export interface SigningRequests {
  readonly csr: Uint8Array;
  /** For the classical key, if there is one. */
  readonly classicalCsr?: Uint8Array | undefined;
}

/**
 * Redeems a join token.
 * @throws Refusal `bad_join_token` if the gateway isn't the one the token was made by, or refuses it
 */
export async function join(
  token: JoinToken,
  csr: Uint8Array,
  profile: Profile,
  classicalCsr?: Uint8Array,
): Promise<EnrolledIdentity> {
  const { root, spiffeId } = await presentedGateway(token, profile);
  // A second connection, judged by OpenSSL under that root, carries the secret.
  const gateway = { address: token.address, serverRoots: [root.toString()], spiffeId };
  return await post(gateway, profile, "/identity/join", {
    secret: toBase64url(token.secret),
    ...written({ csr, classicalCsr }),
  });
}

export async function renew(
  gateway: KnownGateway,
  profile: Profile,
  old: { readonly certificate: string; readonly classicalCertificate?: string | undefined } & SigningRequests,
): Promise<EnrolledIdentity> {
  const { certificate, classicalCertificate } = old;
  return await post(gateway, profile, "/identity/renew", {
    certificate,
    ...(classicalCertificate !== undefined && { classical_certificate: classicalCertificate }),
    ...written(old),
  });
}

interface WrittenRequests {
  readonly csr: string;
  readonly classical_csr?: string;
}

function written({ csr, classicalCsr }: SigningRequests): WrittenRequests {
  return { csr: toBase64(csr), ...(classicalCsr && { classical_csr: toBase64(classicalCsr) }) };
}

/** The root and name the endpoint presents, if the root's hash is the one in the token. Nothing is sent on this link. */
function presentedGateway(
  token: JoinToken,
  profile: Profile,
): Promise<{ readonly root: X509Certificate; readonly spiffeId: string }> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...clientTlsOptions({ profile, serverRoots: [], peerSpiffeId: "", alpn: enrolAlpn }),
      ...hostAndPort(token.address),
      rejectUnauthorized: false,
      timeout: timeoutMs,
    });
    socket.once("secureConnect", () => {
      const leaf = socket.getPeerX509Certificate();
      const root = leaf?.issuerCertificate;
      socket.end();
      const [spiffeId] = leaf === undefined ? [] : certificateFacts(leaf).uris;
      const isProven = root !== undefined && equalInConstantTime(sha256(root.raw), token.serverRootHash);
      // Other servers have certificates under that root too; only the gateway gives out identities.
      if (isProven && spiffeId !== undefined && isGatewayId(spiffeId)) resolve({ root, spiffeId });
      else reject(notTheGateway(token.address));
    });
    socket.once("timeout", () => socket.destroy(new Error("timed out")));
    socket.once("error", (cause) => reject(unreachable(token.address, cause)));
  });
}

function notTheGateway(address: string): Refusal {
  return new Refusal(
    "bad_join_token",
    `The gateway at ${address} isn't the one this join token was made by. Nothing was sent to it.`,
  );
}

/** Gateways of before don't know the second request, and take nothing with it: they are asked again without. */
async function post(
  gateway: KnownGateway,
  profile: Profile,
  path: string,
  body: WrittenRequests & Readonly<Record<string, string>>,
): Promise<EnrolledIdentity> {
  try {
    return await postOnce(gateway, profile, path, body);
  } catch (error) {
    const isUnknown = error instanceof Refusal && error.facts["refused"] === "bad_message";
    // Who is known to have a classical identity can't have forgotten it.
    if (!isUnknown || body.classical_csr === undefined || gateway.classical !== undefined) throw error;
    const { classical_csr: _, ...rest } = body;
    return await postOnce(gateway, profile, path, rest);
  }
}

function postOnce(
  gateway: KnownGateway,
  profile: Profile,
  path: string,
  body: unknown,
): Promise<EnrolledIdentity> {
  return new Promise((resolve, reject) => {
    const request = https.request({
      ...clientTlsOptions({
        profile,
        serverRoots: gateway.serverRoots,
        peerSpiffeId: gateway.spiffeId,
        alpn: enrolAlpn,
      }),
      ...hostAndPort(gateway.address),
      agent: false,
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      timeout: timeoutMs,
    });
    request.on("response", (response) => {
      // Its socket is gone once the answer is read.
      const link = response.socket as tls.TLSSocket;
      const { classical } = gateway;
      const check = classical && newcomersCheck(link, classical.trust, classical.clock);
      readBody(response, maxAnswerBytes)
        .then((bytes) => enrolledFrom(response.statusCode ?? 0, bytes, check))
        .then(resolve, reject);
    });
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.on("error", (cause) => reject(unreachable(gateway.address, cause)));
    request.end(JSON.stringify(body));
  });
}

function enrolledFrom(
  status: number,
  bytes: Uint8Array,
  check: ReturnType<typeof newcomersCheck> | undefined,
): EnrolledIdentity {
  const body = jsonIn(bytes);
  if (status === 200) {
    const enrolled = answerSchema.safeParse(body);
    if (enrolled.success) {
      const { link_proof: proof, ...identity } = enrolled.data;
      check?.(proof);
      return identity;
    }
    throw new Refusal("upstream_failed", "The gateway's answer isn't what docs/formats/enrolment.md says.", {
      cause: enrolled.error,
    });
  }
  const problem = z.object({ error: z.string(), message: z.string() }).safeParse(body);
  const text = problem.success ? problem.data.message : `status ${status}`;
  const code = problem.data?.error === "bad_certificate" ? "bad_certificate" : "bad_join_token";
  throw new Refusal(code, `The gateway refused: ${text}`, {
    facts: { refused: problem.data?.error ?? "unknown" },
  });
}

function unreachable(address: string, cause: unknown): Refusal {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return new Refusal("upstream_failed", `The gateway at ${address} can't be reached (${code}). Is it up?`, {
    cause,
    facts: { sent: false, cause: code },
  });
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
