/** A sidecar's side of enrolment: the gateway is proven before a secret leaves this machine. */
import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type tls from "node:tls";

import { z } from "zod";

import { certificateFacts } from "../../crypto/certificate.ts";
import { sha256 } from "../../crypto/hash.ts";
import { type KeyPair, signWith } from "../../crypto/keys.ts";
import { signWithOutsideKey } from "../../crypto/outside-key.ts";
import { inForceSchema, type LinkTerms } from "../../crypto/suites/in-force.ts";
import type { Anchor } from "../../identity/anchor.ts";
import type { JoinToken } from "../../identity/join-token.ts";
import { equalInConstantTime, toBase64, toBase64url } from "../../kernel/bytes.ts";
import type { ClassicalTrust } from "../../identity/link-proof.ts";
import { renewalProofText } from "../../identity/renewal-proof.ts";
import { isGatewayId } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import { svidProofText } from "../../identity/svid-proof.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readBody } from "./body.ts";
import { profilePath } from "./enrol-http.ts";
import { channelBinding } from "./channel-binding.ts";
import { enrolAlpn } from "./front-door.ts";
import { linkProofSchema, newcomersCheck } from "./link-proof.ts";
import { hostAndPort } from "./listen.ts";
import { linkOpener } from "./open-link.ts";
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
  in_force: inForceSchema.optional(),
  renewable_until: z.iso.datetime().optional(),
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
  profile: LinkTerms,
  classicalCsr?: Uint8Array,
): Promise<EnrolledIdentity> {
  const { address, serverRootHash } = token;
  const gateway = await provenGateway({ address, serverRootHashes: [serverRootHash] }, profile);
  const secret = toBase64url(token.secret);
  const body = { secret, ...written({ csr, classicalCsr }) };
  return await post(gateway, profile, "/identity/join", () => body);
}

/** What a workload has that tells who it is. */
export type WorkloadProof =
  | { readonly kind: "token"; readonly token: string }
  /** DER of the chain, the leaf first, and PEM of its key. */
  | { readonly kind: "svid"; readonly chain: readonly Uint8Array[]; readonly key: string };

/**
 * Gets an identity for a proof, which leaves this machine when the gateway is proven.
 * @throws Refusal `bad_join_token` if the gateway isn't the anchor's, `proof_refused` if it refuses,
 * `bad_config` if the SVID's key can't be used
 */
export async function enrolWorkload(
  anchor: Anchor,
  proof: WorkloadProof,
  requests: SigningRequests,
  profile: LinkTerms,
): Promise<EnrolledIdentity> {
  const gateway = await provenGateway(anchor, profile);
  if (proof.kind === "token") {
    const body = { token: proof.token, ...written(requests) };
    return await post(gateway, profile, "/identity/token", () => body);
  }
  return await postOnce(gateway, profile, "/identity/svid", (link) => {
    const signature = signWithOutsideKey(proof.key, svidProofText(channelBinding(link), requests.csr));
    if (signature === undefined) {
      throw new Refusal(
        "bad_config",
        "The SVID's key can't be used: expected PEM of an ECDSA P-256 or P-384 key, or RSA of 2048 bits or more.",
      );
    }
    return { chain: proof.chain.map(toBase64), signature: toBase64(signature), ...written(requests) };
  });
}

/** What is to be renewed. */
interface OldIdentity extends SigningRequests {
  readonly certificate: string;
  readonly classicalCertificate?: string | undefined;
  /** The key of that certificate, where the request is for another one: it signs for it. */
  readonly key?: KeyPair | undefined;
}

export async function renew(
  gateway: KnownGateway,
  profile: LinkTerms,
  old: OldIdentity,
): Promise<EnrolledIdentity> {
  const { certificate, classicalCertificate, key, csr } = old;
  return await post(gateway, profile, "/identity/renew", (link) => ({
    certificate,
    ...(classicalCertificate !== undefined && { classical_certificate: classicalCertificate }),
    ...(key && { signature: toBase64(signWith(key, renewalProofText(channelBinding(link), csr))) }),
    ...written(old),
  }));
}

const profileSchema = inForceSchema.extend({
  fresh_keys_since: z.iso.datetime().optional(),
  roots: z.string().optional(),
});

/** What a gateway's next identities are of. */
export type AskedProfile = z.output<typeof profileSchema>;

/** @returns undefined for a gateway of before, which doesn't say. @throws Refusal `upstream_failed` */
export async function askProfile(
  gateway: KnownGateway,
  profile: LinkTerms,
): Promise<AskedProfile | undefined> {
  return await onLink(gateway, profile, { method: "GET", path: profilePath }, async (response) => {
    const body = jsonIn(await readBody(response, maxAnswerBytes));
    if (response.statusCode !== 200) return undefined;
    const asked = profileSchema.safeParse(body);
    if (asked.success) return asked.data;
    throw new Refusal(
      "upstream_failed",
      "The gateway's profile has algorithms that aren't known here. Update this sidecar.",
      {
        cause: asked.error,
      },
    );
  });
}

interface WrittenRequests {
  readonly csr: string;
  readonly classical_csr?: string;
}

function written({ csr, classicalCsr }: SigningRequests): WrittenRequests {
  return { csr: toBase64(csr), ...(classicalCsr && { classical_csr: toBase64(classicalCsr) }) };
}

/** The root the endpoint presents becomes the only one that counts on a second link, judged by OpenSSL; that one carries the secret. */
export async function provenGateway(anchor: Anchor, profile: LinkTerms): Promise<KnownGateway> {
  const { root, spiffeId } = await presentedGateway(anchor, profile);
  return { address: anchor.address, serverRoots: [root.toString()], spiffeId };
}

/** The root and name the endpoint presents, if the root's hash is one of the anchor's. Nothing is sent on this link. */
async function presentedGateway(
  { address, serverRootHashes }: Anchor,
  profile: LinkTerms,
): Promise<{ readonly root: X509Certificate; readonly spiffeId: string }> {
  const options = clientTlsOptions({ profile, serverRoots: [], peerSpiffeId: "", alpn: enrolAlpn });
  const link = await opened({ ...options, rejectUnauthorized: false }, address);
  const leaf = link.getPeerX509Certificate();
  const root = leaf?.issuerCertificate;
  link.end();
  const [spiffeId] = leaf === undefined ? [] : certificateFacts(leaf).uris;
  const isProven =
    root !== undefined && serverRootHashes.some((hash) => equalInConstantTime(sha256(root.raw), hash));
  // Other servers have certificates under that root too; only the gateway gives out identities.
  if (isProven && spiffeId !== undefined && isGatewayId(spiffeId)) return { root, spiffeId };
  throw notTheGateway(address);
}

async function opened(options: tls.ConnectionOptions, address: string): Promise<tls.TLSSocket> {
  try {
    return await linkOpener(options)(hostAndPort(address), { timeoutMs });
  } catch (error) {
    throw error instanceof Refusal ? error : unreachable(address, error);
  }
}

function notTheGateway(address: string): Refusal {
  return new Refusal(
    "bad_join_token",
    `The gateway at ${address} isn't the one this join token or anchor was made by. Nothing was sent to it.`,
  );
}

/** Gateways of before don't know the second request, and take nothing with it: they are asked again without. */
async function post(
  gateway: KnownGateway,
  profile: LinkTerms,
  path: string,
  body: (link: tls.TLSSocket) => WrittenRequests & Readonly<Record<string, string>>,
): Promise<EnrolledIdentity> {
  let isHybrid = false;
  const known = (link: tls.TLSSocket): WrittenRequests => {
    const whole = body(link);
    isHybrid = whole.classical_csr !== undefined;
    return whole;
  };
  try {
    return await postOnce(gateway, profile, path, known);
  } catch (error) {
    const isUnknown = error instanceof Refusal && error.facts["refused"] === "bad_message";
    // Who is known to have a classical identity can't have forgotten it.
    if (!isUnknown || !isHybrid || gateway.classical !== undefined) throw error;
    return await postOnce(gateway, profile, path, (link) => {
      const { classical_csr: _, ...rest } = body(link);
      return rest;
    });
  }
}

/** @param body made for the link it is sent on */
function postOnce(
  gateway: KnownGateway,
  profile: LinkTerms,
  path: string,
  body: (link: tls.TLSSocket) => unknown,
): Promise<EnrolledIdentity> {
  return onLink(gateway, profile, { method: "POST", path, body }, async (response, link) => {
    const { classical } = gateway;
    // Asked for now: the link is gone once the answer is read.
    const check = classical && newcomersCheck(link, classical.trust, classical.clock);
    return enrolledFrom(response.statusCode ?? 0, await readBody(response, maxAnswerBytes), check);
  });
}

interface Question {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: (link: tls.TLSSocket) => unknown;
}

/** Asks on a link of its own. @throws Refusal `upstream_failed` if it can't be had */
async function onLink<T>(
  gateway: KnownGateway,
  profile: LinkTerms,
  { method, path, body }: Question,
  read: (response: http.IncomingMessage, link: tls.TLSSocket) => Promise<T>,
): Promise<T> {
  const { serverRoots, spiffeId: peerSpiffeId } = gateway;
  const to = hostAndPort(gateway.address);
  const options = clientTlsOptions({ profile, serverRoots, peerSpiffeId, alpn: enrolAlpn });
  const link = await opened(options, gateway.address);
  link.setTimeout(timeoutMs, () => link.destroy(new Error("timed out")));
  // Heard where it is waited for; what comes after the answer is of no interest.
  link.on("error", () => undefined);
  try {
    const request = http.request({
      ...to,
      createConnection: () => link,
      method,
      path,
      headers: { "content-type": "application/json" },
    });
    request.on("error", () => undefined).end(body && JSON.stringify(body(link)));
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return await read(response, link);
  } catch (error) {
    throw error instanceof Refusal ? error : unreachable(gateway.address, error);
  } finally {
    link.destroy();
  }
}

/** What the gateway may refuse with, as far as somebody here acts on it. */
const refusedCodes = ["bad_certificate", "proof_refused", "issuer_unavailable", "busy"] as const;

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
  const code = refusedCodes.find((each) => each === problem.data?.error) ?? "bad_join_token";
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
