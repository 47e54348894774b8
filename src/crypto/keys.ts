/** Key pairs through a suite: made, taken to their smallest secret, brought back, fingerprinted. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generateKeyPairOf,
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

/** The same with a key in PEM (PKCS #8). */
export function signingKeyOf(suite: SignatureSuite, pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  return signingKey({ suite, privateKey, publicKey: createPublicKey(privateKey) });
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

/** The same on the thread pool: an SLH-DSA key takes as long as a hundred calls. */
export function generateKeyPairAside(suite: SignatureSuite): Promise<KeyPair> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void =>
      error === null ? resolve({ suite, privateKey, publicKey }) : reject(error);
    if (suite.curve === undefined) generateKeyPairOf(suite.keyType as "ed25519", {}, done);
    else generateKeyPairOf("ec", { namedCurve: suite.curve }, done);
  });
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

/**
 * @returns undefined if `spki` (DER) is no public key of that suite, or isn't the one encoding it has: OpenSSL reads on
 * over trailing bytes, and takes points in three forms (RFC 5480 §2.2 forbids one)
 */
export function importPublicKey(suite: SignatureSuite, spki: Uint8Array): PublicKey | undefined {
  try {
    const read = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    if (algorithmOf(read) !== suite.id) return undefined;
    const key = importRawPublicKey(suite, read.export({ format: "raw-public" }));
    return key?.export({ format: "der", type: "spki" }).equals(spki) === true ? key : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @returns undefined if `bytes` is no public key of that suite in the encoding of its standard; of an elliptic curve's
 * that is the uncompressed point
 */
export function importRawPublicKey(suite: SignatureSuite, bytes: Uint8Array): PublicKey | undefined {
  if (bytes.length !== suite.publicKeyBytes) return undefined;
  try {
    const key = createPublicKey({
      key: Buffer.from(bytes),
      format: "raw-public",
      asymmetricKeyType: suite.keyType,
      ...(suite.curve !== undefined && { namedCurve: suite.curve }),
    });
    return key.export({ format: "raw-public" }).equals(bytes) ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The name of a key's algorithm; an EC key on a curve that has no row is called by its type. */
export function algorithmOf(key: PublicKey): string {
  return algorithmOfKeyType(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve);
}

/** The same for keys of others' too, as people name them: `RSA-2048`, `ECDSA-P-256`. */
export function describedKey(key: PublicKey): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa" || type === "rsa-pss") return `RSA-${details?.modulusLength ?? 0}`;
  const known = algorithmOf(key);
  if (type !== "ec" || known !== type) return known;
  const { namedCurve = "unknown" } = details ?? {};
  return `ECDSA-${namedCurve === "prime256v1" ? "P-256" : namedCurve}`;
}

/** FIPS 204 §5.2 and 205 §10.2: a longer context is no context. */
const maxContextBytes = 255;

/**
 * Whether the key, if it is one of that suite at all, made `signature` over `message`.
 * @param context of ML-DSA and SLH-DSA, as the signer had it; what we sign ourselves has none
 */
export function isSignedBy(
  { suite, publicKey }: { readonly suite: SignatureSuite; readonly publicKey: PublicKey },
  message: Uint8Array,
  signature: Uint8Array,
  context?: Uint8Array,
): boolean {
  if (algorithmOf(publicKey) !== suite.id) return false;
  if (context === undefined) return verify(suite.digest, message, publicKey, signature);
  return (
    context.length <= maxContextBytes &&
    verify(suite.digest, message, { key: publicKey, context: Buffer.from(context) }, signature)
  );
}

/** SHA-256 of the SubjectPublicKeyInfo, base64url. */
export function fingerprint(key: PublicKey): string {
  return toBase64url(sha256(key.export({ type: "spki", format: "der" })));
}

export function randomSecret(bytes: number): Uint8Array {
  return new Uint8Array(randomBytes(bytes));
}
