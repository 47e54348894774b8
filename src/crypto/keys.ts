/** Key pairs through a suite: made, taken to their smallest secret, brought back, fingerprinted. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";

import { toBase64url } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { sha256 } from "./hash.ts";
import { algorithmOfKeyType, type SignatureSuite } from "./suites/signatures.ts";

/** A public key as node:crypto holds it. */
export type PublicKey = KeyObject;

export interface KeyPair {
  readonly suite: SignatureSuite;
  readonly privateKey: KeyObject;
  readonly publicKey: PublicKey;
}

/** A key that signs and doesn't show itself: held by this process, or by another. */
export interface SigningKey {
  readonly suite: SignatureSuite;
  readonly publicKey: PublicKey;
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
}

/** Signs with a key of this process, on the thread pool. */
export function signingKey({ suite, publicKey, privateKey }: KeyPair): SigningKey {
  return {
    suite,
    publicKey,
    sign: (message) =>
      new Promise((resolve, reject) => {
        sign(suite.digest, message, privateKey, (error, signature) =>
          error === null ? resolve(signature) : reject(error),
        );
      }),
  };
}

/** Signs at once, for what is signed seldom. */
export function signWith({ suite, privateKey }: KeyPair, message: Uint8Array): Uint8Array {
  return sign(suite.digest, message, privateKey);
}

export function generateKeyPair(suite: SignatureSuite): KeyPair {
  // The overloads of generateKeyPairSync name each key type; a row's type is one of them.
  const { privateKey, publicKey } =
    suite.curve === undefined
      ? generateKeyPairSync(suite.keyType as "ed25519")
      : generateKeyPairSync("ec", { namedCurve: suite.curve });
  return { suite, privateKey, publicKey };
}

/** The secret at its smallest: a 32-byte seed (FIPS 204 §3.6.3) or the raw private key. */
export function exportSecret(pair: KeyPair): Uint8Array {
  return pair.privateKey.export({ format: pair.suite.secretFormat });
}

/** @throws Refusal `bad_state` if `secret` is no secret of that suite. */
export function importSecret(suite: SignatureSuite, secret: Uint8Array): KeyPair {
  const key = Buffer.from(secret);
  try {
    const privateKey = createPrivateKey({
      key,
      format: suite.secretFormat,
      asymmetricKeyType: suite.keyType,
      ...(suite.curve !== undefined && { namedCurve: suite.curve }),
    });
    return { suite, privateKey, publicKey: createPublicKey(privateKey) };
  } catch (cause) {
    throw new Refusal("bad_state", `A stored ${suite.id} key can't be read.`, { cause });
  } finally {
    key.fill(0);
  }
}

/** @returns undefined if `spki` (DER) is no public key of that suite */
export function importPublicKey(suite: SignatureSuite, spki: Uint8Array): PublicKey | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return algorithmOf(key) === suite.id ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The name of a key's algorithm; an EC key on a curve that has no row is called by its type. */
export function algorithmOf(key: PublicKey): string {
  return algorithmOfKeyType(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve);
}

/** Whether `key`, if it is one of that suite at all, made `signature` over `message`. */
export function isSignedBy(
  { suite, publicKey }: { readonly suite: SignatureSuite; readonly publicKey: PublicKey },
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return algorithmOf(publicKey) === suite.id && verify(suite.digest, message, publicKey, signature);
}

/** SHA-256 of the SubjectPublicKeyInfo, base64url. */
export function fingerprint(key: PublicKey): string {
  return toBase64url(sha256(key.export({ type: "spki", format: "der" })));
}

export function randomSecret(bytes: number): Uint8Array {
  return randomBytes(bytes);
}
