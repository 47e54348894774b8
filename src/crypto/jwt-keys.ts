/** Keys that sign JWTs: read from PEM, made for DPoP (RFC 9449), taken to JSON and back. The algorithm follows from the key. */
import { createPrivateKey, type KeyObject, webcrypto } from "node:crypto";

import { toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { PublicKey, SigningKey } from "./keys.ts";
import { dpopSuite, jwtAlgorithm, jwtSuiteOf } from "./suites/jose.ts";

export type JwtKey = webcrypto.CryptoKey;
export type JwtKeyPair = webcrypto.CryptoKeyPair;

/** @throws Refusal `bad_config` if the text is no private key, or one of a kind that JWTs aren't signed with */
export function jwtKeyFromPem(pem: string, at: string): JwtKey {
  const key = privateKey(pem, at);
  const suite = jwtSuiteOf(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve);
  if (suite === undefined) {
    const found = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? "unknown";
    throw new Refusal(
      "bad_config",
      `${at}: expected an ML-DSA, Ed25519, P-256 or RSA private key, found ${found}.`,
    );
  }
  return key.toCryptoKey(suite.webCrypto, false, ["sign"]);
}

/** A pair whose public half goes along in each proof. */
export async function newDpopKeys(): Promise<JwtKeyPair> {
  const pair = await webcrypto.subtle.generateKey(dpopSuite.webCrypto, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("expected a key pair");
  return pair;
}

/** The pair as text, to be sealed. */
export async function dpopKeysToText({ privateKey }: JwtKeyPair): Promise<string> {
  return JSON.stringify(await webcrypto.subtle.exportKey("jwk", privateKey));
}

/** @throws if the text isn't what `dpopKeysToText` gave */
export async function dpopKeysFromText(text: string): Promise<JwtKeyPair> {
  const jwk = JSON.parse(text) as webcrypto.JsonWebKey;
  const { kty, crv, x, y } = jwk;
  const load = (key: webcrypto.JsonWebKey, usage: "sign" | "verify"): Promise<JwtKey> =>
    webcrypto.subtle.importKey("jwk", key, dpopSuite.webCrypto, true, [usage]);
  const publicKey = await load({ kty, crv, x, y } as webcrypto.JsonWebKey, "verify");
  return { privateKey: await load({ ...jwk, key_ops: ["sign"] }, "sign"), publicKey };
}

/** A JWT in compact form (RFC 7515 §3.1), signed by a key that may be another process's. */
export async function signJwt(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  key: SigningKey,
): Promise<string> {
  const encode = (part: object): string => toBase64url(utf8(JSON.stringify(part)));
  const input = `${encode({ alg: jwtAlgorithm(key.suite), ...header })}.${encode(claims)}`;
  return `${input}.${toBase64url(await key.sign(utf8(input)))}`;
}

/** The public key as others verify JWTs with it (RFC 7517). */
export function publicJwk(key: PublicKey, more: Readonly<Record<string, string>>): object {
  return { ...key.export({ format: "jwk" }), use: "sig", ...more };
}

function privateKey(pem: string, at: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Refusal("bad_config", `${at}: expected a private key as PEM, without a passphrase.`, { cause });
  }
}
