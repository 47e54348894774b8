/** Hashes by name; one-shot, because that is the fastest form in node:crypto. */
import { createHmac, hash, hkdfSync } from "node:crypto";

import { type HashId, type HashSuite, hashSuite } from "./suites/symmetric.ts";

export function sha256(bytes: Uint8Array): Uint8Array {
  return hashBy("sha256", bytes);
}

/** In 64 hexadecimal digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** Of a text's UTF-8, in base64url. */
export function sha256Base64url(text: string): string {
  return hash("sha256", text, "base64url");
}

/** HMAC-SHA-256 (RFC 2104). */
export function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(bytes).digest();
}

/** A hash by its name in node:crypto. */
export type Digest = HashSuite["digest"];

export function hashBy(digest: Digest, bytes: Uint8Array): Uint8Array {
  // As a buffer it would be memory of its own, which costs more than the hash of a tree's node.
  const text = hash(digest, bytes, "latin1");
  const hashed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) hashed[i] = text.charCodeAt(i);
  return hashed;
}

/** Hash functions by the names of the suite table; who verifies may be given others. */
export type Hashes = (id: HashId) => (bytes: Uint8Array) => Uint8Array;

export const hashes: Hashes = (id) => {
  const { digest } = hashSuite(id);
  return (bytes) => hashBy(digest, bytes);
};

/** HMAC (RFC 2104). */
export function hmac(digest: Digest, key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHmac(digest, key).update(bytes).digest();
}

/** HKDF (RFC 5869): `length` bytes for that purpose. @param secret without structure, such as what a KEM yields */
export function hkdf(
  digest: Digest,
  {
    secret,
    salt,
    info,
  }: { readonly secret: Uint8Array; readonly salt: Uint8Array; readonly info: Uint8Array },
  length: number,
): Uint8Array {
  return new Uint8Array(hkdfSync(digest, secret, salt, info, length));
}
