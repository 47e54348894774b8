/** Key encapsulation: who has the right key and everything unchanged gets the secret, everybody else one refusal. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as fc from "fast-check";

import { bitOf, otherLengths, resized } from "../../test/support/changed-bytes.ts";
import { refusalRow, Refusal } from "../kernel/refusal.ts";
import {
  decapsulate,
  decapsulateUnconfirmed,
  encapsulate,
  generateKemKeyPair,
  importKemPublicKey,
  importKemSeed,
} from "./kem.ts";
import { type KemSuite, kemSuite, kemSuiteIds } from "./suites/kem.ts";

const context = Buffer.from("test");
/** FIPS 203 §2.4. */
const q = 3329;

interface Vector {
  readonly suite: string;
  readonly seed: string;
  readonly context: string;
  readonly shared_secret: string;
  readonly ciphertext: string;
  readonly confirmation: string;
  readonly secret: string;
}

const vectors = new URL("../../test/vectors/encapsulation/", import.meta.url);
for (const file of readdirSync(vectors)) {
  test(`the vector ${file}: a secret and its confirmation are what the format says`, () => {
    const vector = JSON.parse(readFileSync(new URL(file, vectors), "utf8")) as Vector;
    const id = kemSuiteIds.find((each) => each === vector.suite);
    assert.ok(id !== undefined);
    const pair = importKemSeed(kemSuite(id), hex(vector.seed));
    const sent = { ciphertext: hex(vector.ciphertext), confirmation: hex(vector.confirmation) };
    assert.equal(toHex(decapsulateUnconfirmed(pair, sent.ciphertext)), vector.shared_secret);
    assert.equal(toHex(decapsulate(pair, sent, Buffer.from(vector.context))), vector.secret);
    assert.throws(() => decapsulate(pair, sent, Buffer.from(`${vector.context} `)), isTheRefusal);
  });
}

for (const id of kemSuiteIds) {
  const suite = kemSuite(id);
  const pair = generateKemKeyPair(suite);
  const sent = encapsulate(pair.publicKey, context);

  test(`${id}: both ends have one secret, another each time, and sizes are those of the table`, () => {
    assert.equal(pair.publicKey.bytes.length, suite.publicKeyBytes);
    assert.equal(sent.ciphertext.length, suite.ciphertextBytes);
    assert.equal(decapsulateUnconfirmed(pair, sent.ciphertext).length, suite.sharedSecretBytes);
    assert.deepEqual(decapsulate(pair, sent, context), sent.secret);
    assert.notDeepEqual(encapsulate(pair.publicKey, context).secret, sent.secret);
    const { secret, ...other } = encapsulate(importKemPublicKey(suite, pair.publicKey.bytes), context);
    assert.deepEqual(decapsulate(pair, other, context), secret);
  });

  test(`${id}: any flipped bit of a ciphertext or of its confirmation is refused`, () => {
    fc.assert(
      fc.property(bitOf(sent.ciphertext), bitOf(sent.confirmation), (ciphertext, confirmation) => {
        refuses(() => decapsulate(pair, { ...sent, ciphertext }, context));
        refuses(() => decapsulate(pair, { ...sent, confirmation }, context));
        refuses(() => decapsulate(pair, { ciphertext, confirmation }, context));
      }),
    );
  });

  test(`${id}: a confirmation without the secret is refused, also one over what an attacker knows`, () => {
    const seed = Buffer.alloc(suite.seedBytes, 7);
    const own = importKemSeed(suite, seed);
    const { ciphertext } = encapsulate(own.publicKey, context);
    const changed = Buffer.from(ciphertext);
    changed.writeUInt8(changed.readUInt8(0) ^ 1, 0);
    // FIPS 203 §6.3: J(z ‖ c). Nobody but the key's holder knows z, so nobody else can confirm a rejection either.
    const rejected = createHash("shake256", { outputLength: 32 }).update(seed.subarray(32)).update(changed);
    assert.deepEqual(decapsulateUnconfirmed(own, changed), rejected.digest());
    for (const confirmation of [Buffer.alloc(0), Buffer.alloc(sent.confirmation.length), sent.confirmation])
      refuses(() => decapsulate(own, { ciphertext, confirmation }, context));
  });

  test(`${id}: a ciphertext, confirmation or key of any other length is refused`, () => {
    for (const length of otherLengths(suite.ciphertextBytes))
      refuses(() => decapsulate(pair, { ...sent, ciphertext: resized(sent.ciphertext, length) }, context));
    for (const length of otherLengths(sent.confirmation.length))
      refuses(() =>
        decapsulate(pair, { ...sent, confirmation: resized(sent.confirmation, length) }, context),
      );
    for (const length of otherLengths(suite.publicKeyBytes))
      refuses(() => importKemPublicKey(suite, resized(pair.publicKey.bytes, length)));
    for (const length of otherLengths(suite.seedBytes).filter((each) => each < 1024))
      assert.throws(
        () => importKemSeed(suite, Buffer.alloc(length)),
        (error) => error instanceof Refusal && error.code === "bad_state" && error.message.includes(id),
      );
  });

  test(`${id}: a public key with any coefficient of q or more is refused`, () => {
    const coefficient = fc.nat(coefficients(suite) - 1);
    fc.assert(
      fc.property(coefficient, fc.integer({ min: q, max: 4095 }), (at, value) => {
        refuses(() => importKemPublicKey(suite, withCoefficient(pair.publicKey.bytes, at, value)));
      }),
      { examples: [0, 1, coefficients(suite) - 1].flatMap((at) => [q, 4095].map((v) => [at, v] as const)) },
    );
    // The largest that counts does: it is the bound that is checked, and at its place.
    for (const at of [0, 1, coefficients(suite) - 1])
      importKemPublicKey(suite, withCoefficient(pair.publicKey.bytes, at, q - 1));
  });

  test(`${id}: a public key with any flipped bit is refused, or what is encapsulated to it`, () => {
    fc.assert(
      fc.property(bitOf(pair.publicKey.bytes), (bytes) => {
        refuses(() => decapsulate(pair, encapsulate(importKemPublicKey(suite, bytes), context), context));
      }),
    );
  });

  test(`${id}: any bytes for a key or a message are refused`, () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.uint8Array({ minLength: suite.publicKeyBytes, maxLength: suite.publicKeyBytes }),
      fc.uint8Array({ minLength: suite.ciphertextBytes, maxLength: suite.ciphertextBytes }),
    );
    fc.assert(
      fc.property(anything, anything, (bytes, confirmation) => {
        refuses(() => decapsulate(pair, { ciphertext: bytes, confirmation }, context));
        refuses(() => decapsulate(pair, encapsulate(importKemPublicKey(suite, bytes), context), context));
      }),
      { examples: [[new Uint8Array(0), new Uint8Array(0)]] },
    );
  });

  test(`${id}: what was meant for another key, another suite or another context is refused`, () => {
    refuses(() => decapsulate(generateKemKeyPair(suite), sent, context));
    for (const other of kemSuiteIds.filter((each) => each !== id)) {
      refuses(() => decapsulate(generateKemKeyPair(kemSuite(other)), sent, context));
      refuses(() => importKemPublicKey(kemSuite(other), pair.publicKey.bytes));
    }
    refuses(() => decapsulate(pair, sent, Buffer.alloc(0)));
    refuses(() => decapsulate(pair, sent, Buffer.concat([context, context])));
  });
}

test("a refusal says the same whatever was wrong, to its status and codes; the log is told the reason", () => {
  const suite = kemSuite("ML-KEM-768");
  const pair = generateKemKeyPair(suite);
  const sent = encapsulate(pair.publicKey, context);
  const refusals = [
    () => decapsulate(pair, { ...sent, ciphertext: Buffer.alloc(1) }, context),
    () => decapsulate(pair, { ...sent, ciphertext: Buffer.alloc(suite.ciphertextBytes) }, context),
    () => decapsulate(pair, { ...sent, confirmation: Buffer.alloc(1) }, context),
    () => importKemPublicKey(suite, Buffer.alloc(1)),
    () => importKemPublicKey(suite, Buffer.alloc(suite.publicKeyBytes, 0xff)),
  ].map(refusalOf);
  const told = refusals.map(({ message, code, data, headers }) =>
    JSON.stringify({ message, data, headers, ...refusalRow(code) }),
  );
  assert.equal(new Set(told).size, 1);
  assert.deepEqual(
    refusals.map(({ facts }) => facts["reason"]),
    [
      "the ciphertext has another length",
      "the secret isn't confirmed",
      "the secret isn't confirmed",
      "the key has another length",
      "the key isn't canonical",
    ],
  );
});

function refuses(attempt: () => unknown): void {
  assert.throws(attempt, isTheRefusal);
}

function isTheRefusal(error: unknown): boolean {
  return (
    error instanceof Refusal &&
    error.code === "bad_encapsulation" &&
    error.message === "The key encapsulation isn't valid." &&
    error.data === undefined
  );
}

function refusalOf(attempt: () => unknown): Refusal {
  try {
    attempt();
  } catch (error) {
    if (error instanceof Refusal) return error;
  }
  throw new Error("wasn't refused");
}

/** FIPS 203 §7.2: 256 to a polynomial, 12 bits each; behind them stand 32 bytes of another kind. */
function coefficients(suite: KemSuite): number {
  return ((suite.publicKeyBytes - 32) * 8) / 12;
}

function withCoefficient(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = Buffer.from(bytes);
  const from = 3 * (at >> 1);
  const pair = changed.readUIntLE(from, 3);
  const kept = at % 2 === 0 ? pair & 0xfff000 : pair & 0x000fff;
  changed.writeUIntLE(kept | (at % 2 === 0 ? value : value << 12), from, 3);
  return changed;
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, "hex");
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
