/**
 * Key encapsulation by suite row (FIPS 203), with key confirmation (NIST SP 800-227; docs/formats/encapsulation.md).
 *
 * Of a ciphertext that was tampered with ML-KEM says nothing: it yields another secret (implicit rejection,
 * FIPS 203 §6.3). So a MAC over everything both ends have seen goes along with the ciphertext, under a key that only
 * the right secret gives, and nobody is handed a secret that it doesn't confirm.
 *
 * INVARIANT: whatever is wrong with what a peer sent, it is the same refusal. Facts of it are for the log.
 */
import {
  createPrivateKey,
  createPublicKey,
  decapsulate as opensslDecapsulate,
  encapsulate as opensslEncapsulate,
  generateKeyPairSync,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";

import { concat, uint64, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { hashBy, hkdf, hmac } from "./hash.ts";
import type { KemSuite } from "./suites/kem.ts";

/** A key to encapsulate to; one that exists has passed the checks of FIPS 203 §7.2. */
export interface KemPublicKey {
  readonly suite: KemSuite;
  readonly key: KeyObject;
  /** As FIPS 203 encodes it. */
  readonly bytes: Uint8Array;
}

export interface KemKeyPair {
  readonly suite: KemSuite;
  readonly publicKey: KemPublicKey;
  readonly privateKey: KeyObject;
}

/** What goes to the holder of the key. */
export interface Encapsulation {
  readonly ciphertext: Uint8Array;
  readonly confirmation: Uint8Array;
}

/** Bytes of the secret that both ends have in the end, and of the key that confirms it. */
const secretBytes = 32;
const label = "latticegate-encapsulation-v1";

export function generateKemKeyPair(suite: KemSuite): KemKeyPair {
  // The overloads name each key type; a row's type is one of them.
  return keyPairOf(suite, generateKeyPairSync(suite.keyType as "ml-kem-768").privateKey);
}

/** @param seed d and z of FIPS 203 §7.1, one after the other. @throws Refusal `bad_state` if it isn't as long as that */
export function importKemSeed(suite: KemSuite, seed: Uint8Array): KemKeyPair {
  const key = Buffer.from(seed);
  try {
    return keyPairOf(suite, createPrivateKey({ key, format: "raw-seed", asymmetricKeyType: suite.keyType }));
  } catch (cause) {
    throw new Refusal("bad_state", `A stored ${suite.id} key can't be read.`, { cause });
  } finally {
    key.fill(0);
  }
}

/**
 * A peer's key, in the encoding of FIPS 203. OpenSSL checks its length and that no coefficient is q or more
 * (§7.2); the self-test proves that it does.
 * @throws Refusal `bad_encapsulation`
 */
export function importKemPublicKey(suite: KemSuite, bytes: Uint8Array): KemPublicKey {
  if (bytes.length !== suite.publicKeyBytes) throw refused("the key has another length");
  const own = Buffer.from(bytes);
  try {
    const key = createPublicKey({ key: own, format: "raw-public", asymmetricKeyType: suite.keyType });
    return { suite, key, bytes: own };
  } catch (cause) {
    throw refused("the key isn't canonical", cause);
  }
}

/**
 * A fresh secret of 32 bytes, and what its other end needs to get it.
 * @param context what both ends have to mean by it; who decapsulates in another gets nothing
 */
export function encapsulate(
  to: KemPublicKey,
  context: Uint8Array,
): Encapsulation & { readonly secret: Uint8Array } {
  const { sharedKey, ciphertext } = opensslEncapsulate(to.key);
  return { ciphertext, ...derived(to, { ciphertext, shared: sharedKey }, context) };
}

/** The secret that was encapsulated to us. @throws Refusal `bad_encapsulation`, whatever is wrong */
export function decapsulate(
  pair: KemKeyPair,
  { ciphertext, confirmation }: Encapsulation,
  context: Uint8Array,
): Uint8Array {
  const shared = decapsulateUnconfirmed(pair, ciphertext);
  const expected = derived(pair.publicKey, { ciphertext, shared }, context);
  if (
    confirmation.length === expected.confirmation.length &&
    timingSafeEqual(confirmation, expected.confirmation)
  ) {
    return expected.secret;
  }
  expected.secret.fill(0);
  throw refused("the secret isn't confirmed");
}

/**
 * ML-KEM.Decaps as FIPS 203 §7.3 has it: a secret for every ciphertext of the right length, tampered with or not.
 * INVARIANT: what it yields proves nothing, so nobody calls it but this file, and who tests or measures it.
 * @throws Refusal `bad_encapsulation` if the ciphertext has another length, or OpenSSL fails
 */
export function decapsulateUnconfirmed(
  { suite, privateKey }: KemKeyPair,
  ciphertext: Uint8Array,
): Uint8Array {
  if (ciphertext.length !== suite.ciphertextBytes) throw refused("the ciphertext has another length");
  try {
    return opensslDecapsulate(privateKey, ciphertext);
  } catch (cause) {
    throw refused("OpenSSL can't decapsulate", cause);
  }
}

/** Wipes `shared`. */
function derived(
  { suite, bytes }: KemPublicKey,
  { ciphertext, shared }: { readonly ciphertext: Uint8Array; readonly shared: Uint8Array },
  context: Uint8Array,
): { readonly secret: Uint8Array; readonly confirmation: Uint8Array } {
  const parts = [utf8(label), utf8(suite.id), bytes, ciphertext, context];
  const transcript = hashBy(suite.digest, concat(parts.flatMap((part) => [uint64(part.length), part])));
  const keys = hkdf(
    suite.digest,
    { secret: shared, salt: new Uint8Array(0), info: concat([utf8(label), transcript]) },
    2 * secretBytes,
  );
  const confirmation = hmac(suite.digest, keys.subarray(secretBytes), transcript);
  const secret = keys.slice(0, secretBytes);
  shared.fill(0);
  keys.fill(0);
  return { secret, confirmation };
}

function keyPairOf(suite: KemSuite, privateKey: KeyObject): KemKeyPair {
  const key = createPublicKey(privateKey);
  return { suite, privateKey, publicKey: { suite, key, bytes: key.export({ format: "raw-public" }) } };
}

function refused(reason: string, cause?: unknown): Refusal {
  return new Refusal("bad_encapsulation", "The key encapsulation isn't valid.", { cause, facts: { reason } });
}
