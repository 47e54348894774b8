/**
 * What a subject's own random key makes of the subject in the audit log (docs/formats/entry.md): its pseudonym, digests of
 * what it asked and was answered, and sealed details. Without the key none of them says anything, nor can be made again.
 */
import { createHmac } from "node:crypto";

import { concat, equalInConstantTime, fromBase64url, fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { hmacSha256 } from "./hash.ts";
import { openBytes, sealUnder } from "./sealed.ts";

export const subjectKeyBytes = 32;
const pseudonymBytes = 16;
const nonceBytes = 12;
/** So that what is sealed fits into a fact, which has 1,024 characters. */
const maxSealedBytes = 700;

const pseudonymPrefix = "pseudonym:";
const sealedPrefix = "sealed:";
/** Wherever one stands in a text. */
export const pseudonymPattern = /pseudonym:[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])/g;

/** `pseudonym:` and 22 characters: the first 128 bits of HMAC-SHA-256 over the subject's id, in base64url. */
export function pseudonymOf(key: Uint8Array, id: string): string {
  return pseudonymPrefix + toBase64url(hmacSha256(key, utf8(id)).subarray(0, pseudonymBytes));
}

export function isPseudonym(text: string): boolean {
  return /^pseudonym:[A-Za-z0-9_-]{22}$/.test(text);
}

/** Which side of a call a digest is over. */
export type CallSide = "request" | "answer";

/** A digest that is being made. */
export interface RunningDigest {
  readonly update: (bytes: Uint8Array) => void;
  /** In base64url; to be asked once. */
  readonly end: () => string;
}

/**
 * HMAC-SHA-256 over what was asked or answered, under a key of this call's alone:
 * HMAC-SHA-256(subject's key, "dev.latticegate/<side>-digest@v1" ‖ 0x0A ‖ call id).
 */
export function callDigest(key: Uint8Array, callId: string, side: CallSide): RunningDigest {
  const ofCall = hmacSha256(key, utf8(`dev.latticegate/${side}-digest@v1\n${callId}`));
  const digest = createHmac("sha256", ofCall);
  return {
    update: (bytes) => void digest.update(bytes),
    end: () => digest.digest("base64url"),
  };
}

/** Whether two such digests are the same. */
export function isSameDigest(a: string, b: string): boolean {
  return equalInConstantTime(utf8(a), utf8(b));
}

/**
 * `sealed:` and base64url of nonce ‖ AES-256-GCM(key', value) with the fact's name bound, key' = HMAC-SHA-256(key,
 * "dev.latticegate/fact-key@v1"). The nonce is the first 96 bits of HMAC-SHA-256(key, "dev.latticegate/fact-nonce@v1"
 * ‖ 0x0A ‖ name ‖ 0x0A ‖ value): equal details of one subject look equal, and nothing else has the same nonce.
 */
export function sealDetail(key: Uint8Array, name: string, value: string): string {
  const known = sealedBefore.get(key) ?? new Map<string, string>();
  const what = `${name}\n${value}`;
  const again = known.get(what);
  if (again !== undefined) return again;
  const sealed = freshlySealed(key, name, value);
  if (known.size >= maxRemembered) known.clear();
  sealedBefore.set(key, known.set(what, sealed));
  return sealed;
}

/** A caller's session stands in every entry of its calls, and it has few. Goes with the key. */
const sealedBefore = new WeakMap<Uint8Array, Map<string, string>>();
const maxRemembered = 16;

function freshlySealed(key: Uint8Array, name: string, value: string): string {
  const bytes = utf8(fitting(value));
  const label = utf8(`dev.latticegate/fact-nonce@v1\n${name}\n`);
  const nonce = hmacSha256(key, concat([label, bytes])).subarray(0, nonceBytes);
  const sealed = sealUnder(detailKey(key), nonce, utf8(name), bytes);
  return sealedPrefix + toBase64url(concat([nonce, sealed]));
}

/** Undefined for what isn't a detail that was sealed with this key under this name. */
export function openDetail(key: Uint8Array, name: string, text: string): string | undefined {
  const bytes = text.startsWith(sealedPrefix) ? fromBase64url(text.slice(sealedPrefix.length)) : undefined;
  if (bytes === undefined || bytes.length < nonceBytes + 16) return undefined;
  const [nonce, sealed] = [bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes)];
  try {
    return fromUtf8(openBytes(detailKey(key), utf8(name), { nonce, sealed }));
  } catch {
    return undefined;
  }
}

function detailKey(key: Uint8Array): Uint8Array {
  return hmacSha256(key, utf8("dev.latticegate/fact-key@v1"));
}

function fitting(value: string): string {
  if (utf8(value).length <= maxSealedBytes) return value;
  // No code unit takes more than three bytes.
  return `${value.slice(0, Math.floor(maxSealedBytes / 3) - 8)}…[cut]`;
}
