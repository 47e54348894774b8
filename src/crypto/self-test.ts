/**
 * Whether the algorithms in use do here what their standards say: known answers where an algorithm has any, a round
 * through our own functions, and above all that what was changed is refused. An OpenSSL that was replaced, or an
 * accelerator that skips a check, is found before it is trusted.
 */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

import { toHex, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Digest, hashBy, hkdf, hmac } from "./hash.ts";
import {
  decapsulate,
  decapsulateUnconfirmed,
  encapsulate,
  generateKemKeyPair,
  importKemPublicKey,
  importKemSeed,
} from "./kem.ts";
import {
  exportSecret,
  generateKeyPair,
  importRawPublicKey,
  importSecret,
  isSignedBy,
  signingKey,
} from "./keys.ts";
import { knownAeads, knownDigests, knownHkdf, knownKemSeed } from "./known-answers.ts";
import type { KemSuite } from "./suites/kem.ts";
import type { SignatureSuite } from "./suites/signatures.ts";
import type { AeadSuite, HashSuite } from "./suites/symmetric.ts";

export interface SelfTest {
  readonly kind: "signature" | "kem" | "known-answer";
  /** The algorithm, as its standard calls it. */
  readonly name: string;
  /** @throws Refusal `self_test_failed` that says what it didn't do */
  readonly run: () => Promise<void>;
}

/** A test for each, in that order. */
export function selfTests(use: {
  readonly hashes: readonly HashSuite[];
  readonly aeads: readonly AeadSuite[];
  readonly signatures: readonly SignatureSuite[];
  readonly kems: readonly KemSuite[];
}): readonly SelfTest[] {
  return [
    ...use.hashes.map(({ id, digest }) => selfTest("known-answer", id, digestTest(digest))),
    ...use.aeads.map((suite) => selfTest("known-answer", suite.id, aeadTest(suite))),
    ...use.signatures.map((suite) => selfTest("signature", suite.id, signatureTest(suite))),
    ...use.kems.map((suite) => selfTest("kem", suite.id, kemTest(suite))),
  ];
}

/** Says what must hold; throws if it doesn't. */
type Claim = (what: string, holds: boolean) => void;
type Test = (claim: Claim) => void | Promise<void>;

function selfTest(kind: SelfTest["kind"], name: string, test: Test): SelfTest {
  const failed = (what: string, cause?: unknown): Refusal =>
    new Refusal("self_test_failed", `Self-test of ${name}: ${what}.`, { cause });
  return {
    kind,
    name,
    run: async () => {
      try {
        await test((what, holds) => {
          if (!holds) throw failed(`it isn't so that ${what}`);
        });
      } catch (error) {
        if (error instanceof Refusal && error.code === "self_test_failed") throw error;
        throw failed(error instanceof Error ? error.message : "unknown failure", error);
      }
    },
  };
}

function digestTest(digest: Digest): Test {
  return (claim) => {
    const known = knownDigests[digest];
    claim("its hash is the known one", toHex(hashBy(digest, utf8("abc"))) === known.hash);
    const key = new Uint8Array(20).fill(0x0b);
    claim("its HMAC is the known one", toHex(hmac(digest, key, utf8("Hi There"))) === known.hmac);
    if (digest !== "sha256") return;
    const output = hkdf(
      digest,
      { secret: hex(knownHkdf.secret), salt: hex(knownHkdf.salt), info: hex(knownHkdf.info) },
      knownHkdf.output.length / 2,
    );
    claim("its HKDF is the known one", toHex(output) === knownHkdf.output);
  };
}

function aeadTest({ cipher: name, tagBytes }: AeadSuite): Test {
  return (claim) => {
    const known = knownAeads[name];
    const [key, nonce, bound] = [hex(known.key), hex(known.nonce), hex(known.bound)];
    const plaintextLength = known.plaintext.length / 2;
    // The types name each AEAD; a row's is one of them.
    const cipher = createCipheriv(name as "aes-256-gcm", key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(bound, { plaintextLength });
    const ciphertext = Buffer.concat([cipher.update(hex(known.plaintext)), cipher.final()]);
    claim("it encrypts to the known ciphertext", toHex(ciphertext) === known.ciphertext);
    claim("its tag is the known one", toHex(cipher.getAuthTag()) === known.tag);
    const opened = (tag: Uint8Array): string | undefined => {
      const decipher = createDecipheriv(name as "aes-256-gcm", key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(bound, { plaintextLength });
      decipher.setAuthTag(tag);
      try {
        return toHex(Buffer.concat([decipher.update(ciphertext), decipher.final()]));
      } catch {
        return undefined;
      }
    };
    claim("it opens what it sealed", opened(hex(known.tag)) === known.plaintext);
    claim("it refuses a tag that was changed", opened(flipped(hex(known.tag))) === undefined);
  };
}

function signatureTest(suite: SignatureSuite): Test {
  return async (claim) => {
    const pair = generateKeyPair(suite);
    const message = utf8("What is signed here, nobody relies on.");
    const signature = await signingKey(importSecret(suite, exportSecret(pair))).sign(message);
    const publicKey = importRawPublicKey(suite, pair.publicKey.export({ format: "raw-public" }));
    if (publicKey === undefined) throw new Error("its public key can't be read again");
    const own = { suite, publicKey };
    claim("a signature verifies", isSignedBy(own, message, signature));
    claim("a changed message doesn't verify", !isSignedBy(own, flipped(message), signature));
    claim("a changed signature doesn't verify", !isSignedBy(own, message, flipped(signature)));
    claim("a signature that is cut doesn't verify", !isSignedBy(own, message, signature.subarray(1)));
    claim("another key doesn't verify it", !isSignedBy(generateKeyPair(suite), message, signature));
  };
}

function kemTest(suite: KemSuite): Test {
  return (claim) => {
    const seed = hex(knownKemSeed);
    const pair = importKemSeed(suite, seed);
    const { bytes } = pair.publicKey;
    claim("a known seed makes the known key", toHex(hashBy("sha256", bytes)) === suite.knownPublicKey);
    const context = utf8("self-test");
    const { secret, ciphertext, confirmation } = encapsulate(importKemPublicKey(suite, bytes), context);
    const open = (
      given: { readonly ciphertext?: Uint8Array; readonly confirmation?: Uint8Array },
      by = pair,
    ) => decapsulate(by, { ciphertext, confirmation, ...given }, context);
    claim("both ends have one secret", toHex(open({})) === toHex(secret));
    const bad = flipped(ciphertext);
    const isRefused = (what: string, attempt: () => unknown): void =>
      claim(`${what} is refused`, isBadEncapsulation(attempt));
    isRefused("a changed ciphertext", () => open({ ciphertext: bad }));
    isRefused("a ciphertext that is cut", () => open({ ciphertext: ciphertext.subarray(1) }));
    isRefused("a changed confirmation", () => open({ confirmation: flipped(confirmation) }));
    isRefused("what was meant for another key", () => open({}, generateKemKeyPair(suite)));
    const outOfRange = Uint8Array.from(bytes).fill(0xff, 0, 3);
    isRefused("a key with a coefficient beyond q", () => importKemPublicKey(suite, outOfRange));
    // FIPS 203 §6.3: K̄ = J(z ‖ c), z being the second half of the seed.
    const rejected = createHash("shake256", { outputLength: 32 })
      .update(seed.subarray(32))
      .update(bad)
      .digest();
    const unconfirmed = toHex(decapsulateUnconfirmed(pair, bad));
    claim("a changed ciphertext gives the known secret of a rejection", unconfirmed === toHex(rejected));
  };
}

function isBadEncapsulation(attempt: () => unknown): boolean {
  try {
    attempt();
    return false;
  } catch (error) {
    return error instanceof Refusal && error.code === "bad_encapsulation";
  }
}

/** With one bit of the middle changed. */
function flipped(bytes: Uint8Array): Uint8Array {
  const middle = bytes.length >> 1;
  return bytes.map((byte, at) => (at === middle ? byte ^ 1 : byte));
}

function hex(digits: string): Uint8Array {
  return Buffer.from(digits, "hex");
}
