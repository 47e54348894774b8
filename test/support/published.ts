/**
 * What a publisher signs, made with another implementation of every algorithm (noble) and another canonical JSON: for
 * vectors that are to be the same bytes whenever they are made.
 */
import { createHash } from "node:crypto";

import { ed25519 } from "@noble/curves/ed25519.js";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";

export type Json = Readonly<Record<string, unknown>>;

export interface Key {
  readonly jwk: Readonly<Record<string, string>>;
  readonly kid: string;
  readonly sign: (text: string) => string;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("base64url");
export const digest = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** RFC 8785 for objects, arrays and strings of ASCII, which is all there is here. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

export function publisher(seed: number): readonly [Key, Key] {
  const secret = new Uint8Array(32).fill(seed);
  const edJwk = { alg: "Ed25519", crv: "Ed25519", kty: "OKP", x: base64url(ed25519.getPublicKey(secret)) };
  const lattice = ml_dsa65.keygen(secret);
  const mlJwk = { alg: "ML-DSA-65", kty: "AKP", pub: base64url(lattice.publicKey) };
  const { crv, kty, x } = edJwk;
  return [
    {
      jwk: edJwk,
      kid: digest(canonical({ crv, kty, x })),
      sign: (text) => base64url(ed25519.sign(utf8(text), secret)),
    },
    {
      jwk: mlJwk,
      kid: digest(canonical(mlJwk)),
      sign: (text) => base64url(ml_dsa65.sign(utf8(text), lattice.secretKey, { extraEntropy: false })),
    },
  ];
}

export const fingerprint = (keys: readonly Key[]): string =>
  digest(canonical({ keys: keys.map(({ jwk }) => jwk) }));
