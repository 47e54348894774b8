/**
 * What the verifying code takes from `node:crypto`, for a browser: the build puts this in its place. WebCrypto has no
 * ML-DSA and no SLH-DSA, and hashes only with a promise.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { sha3_256, sha3_512 } from "@noble/hashes/sha3.js";
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { slh_dsa_sha2_128s } from "@noble/post-quantum/slh-dsa.js";

const hashes = { sha256, sha384, sha512, "sha3-256": sha3_256, "sha3-512": sha3_512 } as const;

/** Signatures over the message as it is, in the empty context (FIPS 204 §5.2, FIPS 205 §10.2, RFC 8032). */
const signatures = {
  // RFC 8032 to the letter: no other encodings, no keys of small order.
  ed25519: {
    publicKeyBytes: 32,
    verify: (signature: Uint8Array, message: Uint8Array, key: Uint8Array) =>
      ed25519.verify(signature, message, key, { zip215: false }),
  },
  "ml-dsa-44": { publicKeyBytes: 1312, verify: ml_dsa44.verify },
  "ml-dsa-65": { publicKeyBytes: 1952, verify: ml_dsa65.verify },
  "ml-dsa-87": { publicKeyBytes: 2592, verify: ml_dsa87.verify },
  "slh-dsa-sha2-128s": { publicKeyBytes: 32, verify: slh_dsa_sha2_128s.verify },
} as const;

type KeyType = keyof typeof signatures;

export interface KeyObject {
  readonly asymmetricKeyType: KeyType;
  readonly raw: Uint8Array;
}

export function hash(name: string, bytes: Uint8Array, encoding: "hex" | "latin1" | "base64url"): string {
  const digest = hashNamed(name)(bytes);
  if (encoding === "hex") return digest.toHex();
  if (encoding === "latin1") return String.fromCharCode(...digest);
  return digest.toBase64({ alphabet: "base64url", omitPadding: true });
}

interface Hmac {
  readonly update: (bytes: Uint8Array) => Hmac;
  readonly digest: () => Uint8Array;
}

export function createHmac(name: string, key: Uint8Array): Hmac {
  const running = hmac.create(hashNamed(name), key);
  const self: Hmac = {
    update: (bytes) => {
      running.update(bytes);
      return self;
    },
    digest: () => running.digest(),
  };
  return self;
}

// eslint-disable-next-line max-params -- node:crypto has as many
export function hkdfSync(
  name: string,
  secret: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  return hkdf(hashNamed(name), secret, salt, info, length);
}

/** @throws Error if it is no public key of a kind that signs a log */
export function createPublicKey(from: {
  readonly key: Uint8Array;
  readonly format: string;
  readonly asymmetricKeyType: string;
}): KeyObject {
  const { key, format, asymmetricKeyType } = from;
  if (format !== "raw-public" || !isKeyType(asymmetricKeyType)) throw new Error("unknown kind of key");
  if (key.length !== signatures[asymmetricKeyType].publicKeyBytes) throw new Error("wrong length of key");
  return { asymmetricKeyType, raw: key };
}

/** Whether `signature` is one by `key` over `message`. Anything else, however malformed, is none. */
export function verify(_: null, message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  try {
    return signatures[key.asymmetricKeyType].verify(signature, message, key.raw);
  } catch {
    return false;
  }
}

function isKeyType(name: string): name is KeyType {
  return Object.hasOwn(signatures, name);
}

function hashNamed(name: string): (typeof hashes)[keyof typeof hashes] {
  const found = Object.entries(hashes).find(([known]) => known === name)?.[1];
  if (found === undefined) throw new Error(`no hash ${name}`);
  return found;
}
