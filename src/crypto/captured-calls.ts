/**
 * Calls that are kept, sealed under the key of whose they are (docs/formats/captured-calls.md): with that key destroyed
 * nobody opens them. AES-256-GCM under HMAC-SHA-256(subject's key, "dev.latticegate/capture-key@v1") with a nonce of 96
 * random bits; `dev.latticegate/captured-call@v1`, a line end and the call's id are bound.
 */
import { randomBytes } from "node:crypto";

import { concat, fromBase64url, toBase64url, utf8 } from "../kernel/bytes.ts";
import { hmacSha256 } from "./hash.ts";
import { openBytes, sealUnder } from "./sealed.ts";

const nonceBytes = 12;
const tagBytes = 16;

/** In base64url: nonce ‖ sealed ‖ tag. */
export function sealCaptured(key: Uint8Array, callId: string, bytes: Uint8Array): string {
  const nonce = randomBytes(nonceBytes);
  return toBase64url(concat([nonce, sealUnder(captureKey(key), nonce, boundTo(callId), bytes)]));
}

/** Undefined for what wasn't sealed with this key for this call, or was changed. */
export function openCaptured(key: Uint8Array, callId: string, text: string): Uint8Array | undefined {
  const bytes = fromBase64url(text);
  if (bytes === undefined || bytes.length < nonceBytes + tagBytes) return undefined;
  const [nonce, sealed] = [bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes)];
  try {
    return openBytes(captureKey(key), boundTo(callId), { nonce, sealed });
  } catch {
    return undefined;
  }
}

function captureKey(key: Uint8Array): Uint8Array {
  return hmacSha256(key, utf8("dev.latticegate/capture-key@v1"));
}

function boundTo(callId: string): Uint8Array {
  return utf8(`dev.latticegate/captured-call@v1\n${callId}`);
}
