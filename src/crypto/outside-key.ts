/** Signatures with the classical key of an outside authority's workload: made by it, checked by the gateway. */
import { constants, createPrivateKey, type KeyObject, sign, verify } from "node:crypto";

import type { PublicKey } from "./keys.ts";
import { type OutsideKeySuite, outsideKeySuites } from "./suites/outside.ts";

/** The row of a key; undefined for a key that is too short, or of a kind that isn't accepted. */
export function outsideKeySuite(key: PublicKey): OutsideKeySuite | undefined {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  return outsideKeySuites.find((row: OutsideKeySuite) => {
    if (row.keyType !== key.asymmetricKeyType) return false;
    if (row.modulus === undefined) return row.curve === namedCurve;
    return modulusLength >= row.modulus.minBits && modulusLength <= row.modulus.maxBits;
  });
}

/**
 * @param pem PKCS #8, PKCS #1 or SEC1
 * @returns undefined if it is no key that is accepted. ECDSA as DER (RFC 3279 §2.2.3), RSA as RSASSA-PSS with a salt
 * as long as the digest.
 */
export function signWithOutsideKey(pem: string, message: Uint8Array): Uint8Array | undefined {
  const key = privateKey(pem);
  const suite = key && outsideKeySuite(key);
  return key && suite && sign(suite.digest, message, { key, ...padding(suite) });
}

export function isSignedByOutsideKey(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const suite = outsideKeySuite(key);
  if (suite === undefined) return false;
  try {
    return verify(suite.digest, message, { key, ...padding(suite) }, signature);
  } catch {
    return false;
  }
}

function padding({ keyType }: OutsideKeySuite): { readonly padding?: number; readonly saltLength?: number } {
  if (keyType !== "rsa") return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

function privateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
