/** Signs messages and checks their signatures: five questions, and the first that is answered wrong is the fault. */
import { type FlattenedJws, isFlattenedBy, protectedHeader, signFlattened } from "../crypto/jws.ts";
import { messageSuiteIds } from "../crypto/suites/signatures.ts";
import type { KeyTrust, MessageProof, SignatureFault } from "../model/message-proof.ts";
import type { OutgoingBatch } from "./batch.ts";
import { type Claims, type Direction, readClaims, writeClaims } from "./claims.ts";
import { type DirectEnvelope, type Envelope, payloadOf } from "./envelope.ts";
import { encodedObject } from "./fields.ts";
import type { KeySet, MessageSigner } from "./key-set.ts";
import { bodyDigest } from "./message-digest.ts";

/** Of a message's JWS (RFC 8725 §3.11). */
const messageType = "mcp-message+jws";

/** How far the clocks of the two ends may be apart. */
export const clockLeewayMs = 60_000;

export async function signDirect(claims: Claims, key: MessageSigner): Promise<DirectEnvelope> {
  return { kind: "direct", jws: await signFlattened(messageType, writeClaims(claims), key) };
}

/** The claims now, the signature with the batch; undefined if too many wait for theirs: sign this one directly. */
export function promise(claims: Claims, batch: OutgoingBatch, nowUnixMs: number): Envelope | undefined {
  const payload = writeClaims(claims);
  const seq = batch.add(payload, nowUnixMs);
  return seq === undefined ? undefined : { kind: "promise", payload, batch: batch.id, seq };
}

export const anyCall = Symbol("any call");

/** What the verifier knows of the message by other ways than the message. */
export interface Expected {
  readonly direction: Direction;
  readonly issuer: string;
  readonly audience: string;
  readonly method: string;
  /** How an answer must name its call (`requestDigest`); `anyCall` for who didn't sign that and can't know. */
  readonly request?: string | typeof anyCall;
  /** The issuer's keys; undefined if none are known. */
  readonly keySet: KeySet | undefined;
  readonly trust: KeyTrust;
  readonly nowUnixMs: number;
}

export type Checked =
  | { readonly ok: MessageProof; readonly fault?: never }
  | { readonly ok?: never; readonly fault: SignatureFault };

/**
 * What a message's signature proves. Whether it was seen before is the replay window's to say, whether a promise is
 * kept the batch register's.
 * @param bytes of the message, with the signature or without it
 */
export function checkMessage(envelope: Envelope, bytes: Uint8Array, expected: Expected): Checked {
  const { keySet, trust } = expected;
  if (keySet === undefined) return { fault: "unknown_key" };
  const signature = envelope.kind === "direct" ? signatureOf(envelope.jws, messageType, keySet) : undefined;
  if (signature?.fault !== undefined) return signature;
  const payload = payloadOf(envelope);
  const claims = readClaims(payload);
  if (claims === undefined) return { fault: "malformed" };
  const fault =
    misdirection(claims, expected) ??
    untimeliness(claims, expected.nowUnixMs) ??
    mismatch(claims, bytes, expected);
  if (fault !== undefined) return { fault };
  const proven = { ...provenBy(claims), payload, keySet: keySet.fingerprint, trust };
  if (envelope.kind === "promise") {
    const { batch, seq } = envelope;
    return { ok: { mode: "batched", batch, seq, ...proven } };
  }
  return { ok: { mode: "direct", algorithm: signature?.algorithm ?? "", ...proven } };
}

/** Which of the keys made it, as that type, or why none did. */
export function signatureOf(
  jws: FlattenedJws,
  type: string,
  { keys }: KeySet,
): { readonly algorithm: string; readonly fault?: never } | { readonly fault: SignatureFault } {
  const key = keys.find((candidate) => jws.protected === protectedHeader(type, candidate));
  if (key === undefined) return { fault: whyNoKey(jws.protected, keys) };
  return isFlattenedBy(type, jws, key) ? { algorithm: key.suite.id } : { fault: "bad_signature" };
}

/** The header chooses nothing: what it says is read to give the fault its name, after it was found to be none of ours. */
function whyNoKey(header: string, keys: KeySet["keys"]): SignatureFault {
  const fields = encodedObject(header);
  if (!messageSuiteIds.some((id) => id === fields?.["alg"])) return "weak_algorithm";
  return keys.some(({ kid }) => kid === fields?.["kid"]) ? "malformed" : "unknown_key";
}

/** From whom to whom, and which way. */
export function misdirection(
  claims: Pick<Claims, "direction" | "issuer" | "audience">,
  expected: Pick<Expected, "direction" | "issuer" | "audience">,
): SignatureFault | undefined {
  if (claims.direction !== expected.direction) return "wrong_direction";
  if (claims.issuer !== expected.issuer) return "wrong_issuer";
  return claims.audience === expected.audience ? undefined : "wrong_audience";
}

/** Which message. The method is in the digest of a call; an answer's is its call's. */
function mismatch(claims: Claims, bytes: Uint8Array, expected: Expected): SignatureFault | undefined {
  const { direction, method, request } = expected;
  const isOther = claims.method !== method;
  if (direction === "res" && (isOther || !isAnswerTo(claims, request))) return "wrong_call";
  return isOther || claims.body !== bodyDigest(bytes) ? "tampered" : undefined;
}

function isAnswerTo(claims: Claims, request: Expected["request"]): boolean {
  if (request === anyCall) return true;
  return request !== undefined && claims.request === request;
}

export function untimeliness(
  { issuedAtUnixS, expiresAtUnixS }: Pick<Claims, "issuedAtUnixS" | "expiresAtUnixS">,
  nowUnixMs: number,
): "expired" | "not_yet_valid" | undefined {
  if (expiresAtUnixS * 1000 + clockLeewayMs <= nowUnixMs) return "expired";
  return issuedAtUnixS * 1000 - clockLeewayMs > nowUnixMs ? "not_yet_valid" : undefined;
}

function provenBy({ issuer, nonce, issuedAtUnixS, expiresAtUnixS, subject, changed }: Claims) {
  return {
    signer: issuer,
    nonce,
    signedAtUnixMs: issuedAtUnixS * 1000,
    expiresAtUnixMs: expiresAtUnixS * 1000,
    ...(subject !== undefined && { subject }),
    ...(changed && { changed }),
  };
}
