/**
 * JWS (RFC 7515), compact and flattened, with ML-DSA (RFC 9964).
 * INVARIANT: the header must be, byte for byte, the one that would be written: nothing in it is ever interpreted, so
 * it can't choose an algorithm, a key or a type.
 */
import { verify } from "node:crypto";

import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { fingerprint, type PublicKey, type SigningKey } from "./keys.ts";
import type { SignatureSuite } from "./suites/signatures.ts";

/** @param type for `typ` (RFC 8725 §3.11) */
export async function signJws(type: string, payload: string, key: SigningKey): Promise<string> {
  const input = `${encodedHeader(type, key)}.${toBase64url(utf8(payload))}`;
  return `${input}.${toBase64url(await key.sign(utf8(input)))}`;
}

/** The payload's text, or undefined if this key signed no such thing. */
export function openJws(
  type: string,
  jws: string,
  key: { readonly suite: SignatureSuite; readonly publicKey: PublicKey },
): string | undefined {
  const [header, payload, signature, ...more] = jws.split(".", 4);
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  if (header !== encodedHeader(type, key)) return undefined;
  const [content, signed] = [fromBase64url(payload), fromBase64url(signature)];
  if (content === undefined || signed?.length !== key.suite.signatureBytes) return undefined;
  const input = concat([utf8(header), utf8("."), utf8(payload)]);
  return verify(null, input, key.publicKey, signed) ? fromUtf8(content) : undefined;
}

/** Flattened JSON form (RFC 7515 §7.2.2) without an unprotected header. */
export interface FlattenedJws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

/** A key that the header names by any word, such as the key's thumbprint (RFC 7638). */
export interface NamedKey {
  readonly suite: SignatureSuite;
  readonly publicKey: PublicKey;
  readonly kid: string;
}

/** @param payload in base64url already */
export async function signFlattened(
  type: string,
  payload: string,
  key: NamedKey & Pick<SigningKey, "sign">,
): Promise<FlattenedJws> {
  const header = protectedHeader(type, key);
  const signature = toBase64url(await key.sign(utf8(`${header}.${payload}`)));
  return { protected: header, payload, signature };
}

/** Whether this key signed it, as that type. */
export function isFlattenedBy(type: string, jws: FlattenedJws, key: NamedKey): boolean {
  if (jws.protected !== protectedHeader(type, key)) return false;
  const signature = fromBase64url(jws.signature);
  if (signature?.length !== key.suite.signatureBytes) return false;
  return verify(null, utf8(`${jws.protected}.${jws.payload}`), key.publicKey, signature);
}

/** In base64url. */
export function protectedHeader(type: string, { suite, kid }: Pick<NamedKey, "suite" | "kid">): string {
  return toBase64url(utf8(JSON.stringify({ alg: suite.id, kid, typ: type })));
}

function encodedHeader(
  type: string,
  { suite, publicKey }: { readonly suite: SignatureSuite; readonly publicKey: PublicKey },
): string {
  return protectedHeader(type, { suite, kid: fingerprint(publicKey) });
}
