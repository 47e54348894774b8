/**
 * Our functions against vectors that others made (C2SP/Wycheproof): every vector of every file that is there. What is
 * in the folder decides what is run, so a file that nothing here understands fails, and so does a suite without one.
 */
import assert from "node:assert/strict";
import { createHash, createPrivateKey, decapsulate as plainDecapsulate, encapsulate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { Refusal } from "../src/kernel/refusal.ts";
import {
  decapsulate,
  decapsulateUnconfirmed,
  encapsulate as encapsulateConfirmed,
  importKemPublicKey,
  importKemSeed,
  type KemKeyPair,
} from "../src/crypto/kem.ts";
import { importPublicKey, importRawPublicKey, isSignedBy } from "../src/crypto/keys.ts";
import { type KemSuite, kemSuite, kemSuiteIds } from "../src/crypto/suites/kem.ts";
import { type SignatureSuite, signatureSuite } from "../src/crypto/suites/signatures.ts";

const given = process.env["LATTICEGATE_VECTORS"];
const folder =
  given === undefined
    ? new URL("../../shared/vectors/wycheproof/", import.meta.url)
    : pathToFileURL(`${given}/`);

interface Vector {
  readonly tcId: number;
  readonly result: "valid" | "invalid";
}

interface File {
  readonly algorithm: string;
  readonly schema: string;
  readonly numberOfTests: number;
  readonly testGroups: readonly Readonly<Record<string, unknown>>[];
}

interface SignatureVector extends Vector {
  readonly msg: string;
  readonly sig: string;
  readonly ctx?: string;
}

interface KemVector extends Vector {
  readonly seed: string;
  readonly ek?: string;
  readonly dk?: string;
  readonly c?: string;
  readonly K?: string;
}

/** One vector, as a function that throws if we disagree with it. */
interface Case {
  readonly tcId: number;
  readonly check: () => void;
}

/** How to read the files of a schema, and which suite they are of. */
interface Reader {
  readonly suiteOf: (file: File) => string;
  readonly cases: (file: File) => readonly Case[];
}

const readers: Readonly<Record<string, Reader>> = {
  "mldsa_verify_schema.json": {
    suiteOf: ({ algorithm }) => algorithm,
    cases: ({ algorithm, testGroups }) => {
      const suite = signatureSuites.find(({ id }) => id === algorithm);
      assert.ok(suite !== undefined, algorithm);
      return (testGroups as unknown as readonly SignatureGroup[]).flatMap((group) =>
        group.tests.map((vector) => ({
          tcId: vector.tcId,
          check: () => checkSignature(suite, group, vector),
        })),
      );
    },
  },
  "mlkem_test_schema.json": { suiteOf: parameterSet, cases: kemCases(checkDecapsulation) },
  "mlkem_keygen_seed_test_schema.json": { suiteOf: parameterSet, cases: kemCases(checkKeyGeneration) },
};

const signatureSuites = (["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] as const).map((id) => signatureSuite(id));

interface SignatureGroup {
  readonly publicKey: string;
  readonly publicKeyDer?: string;
  readonly tests: readonly SignatureVector[];
}

function checkSignature(suite: SignatureSuite, group: SignatureGroup, vector: SignatureVector): void {
  const expected = vector.result === "valid";
  const [message, signature, context] = [hex(vector.msg), hex(vector.sig), hex(vector.ctx ?? "")];
  const raw = importRawPublicKey(suite, hex(group.publicKey));
  const der = group.publicKeyDer === undefined ? raw : importPublicKey(suite, hex(group.publicKeyDer));
  for (const publicKey of [raw, der]) {
    const key = publicKey && { suite, publicKey };
    const isValid = key !== undefined && isSignedBy(key, message, signature, context);
    assert.equal(isValid, expected);
    // What was signed with a context must not count where none is expected, which is everywhere in the product.
    const counts = key !== undefined && isSignedBy(key, message, signature);
    assert.equal(counts, expected && context.length === 0, "without the context");
  }
}

function kemCases(check: (suite: KemSuite, vector: KemVector) => void): Reader["cases"] {
  return ({ testGroups }) =>
    (testGroups as unknown as readonly KemGroup[]).flatMap((group) => {
      const id = kemSuiteIds.find((each) => each === group.parameterSet);
      assert.ok(id !== undefined, group.parameterSet);
      return group.tests.map((vector) => ({
        tcId: vector.tcId,
        check: () => check(kemSuite(id), vector),
      }));
    });
}

interface KemGroup {
  readonly parameterSet: string;
  readonly tests: readonly KemVector[];
}

function checkDecapsulation(suite: KemSuite, { result, seed, ek, c = "", K = "" }: KemVector): void {
  const ciphertext = hex(c);
  const open = (): Uint8Array => decapsulateUnconfirmed(importKemSeed(suite, hex(seed)), ciphertext);
  if (result === "invalid") {
    assert.throws(open, Refusal);
    return;
  }
  assert.equal(Buffer.from(open()).toString("hex"), K);
  const pair = importKemSeed(suite, hex(seed));
  checkPublicKey(pair, ek ?? "");
  // The vector's secret is confirmed by nobody, tampered with or not; the product hands out none like that.
  const confirmation = Buffer.alloc(suite.digest === "sha256" ? 32 : 48);
  assert.throws(() => decapsulate(pair, { ciphertext, confirmation }, Buffer.alloc(0)), Refusal);
}

/** FIPS 203 §7.1: the expanded key is the PKE's secret, the public key, its hash, and z. */
function checkKeyGeneration(suite: KemSuite, { seed, ek = "", dk = "" }: KemVector): void {
  const pair = importKemSeed(suite, hex(seed));
  checkPublicKey(pair, ek);
  const tail = Buffer.concat([pair.publicKey.bytes, sha3(pair.publicKey.bytes), hex(seed).subarray(32)]);
  assert.equal(dk.slice(-2 * tail.length), tail.toString("hex"), "the expanded key's public part");
  // Of the PKE's secret it is enough that it opens what ours opens.
  const { ciphertext } = encapsulate(pair.publicKey.key);
  const expanded = createPrivateKey({ key: pkcs8(suite, hex(dk)), format: "der", type: "pkcs8" });
  assert.deepEqual(plainDecapsulate(expanded, ciphertext), decapsulateUnconfirmed(pair, ciphertext));
}

function checkPublicKey(pair: KemKeyPair, ek: string): void {
  assert.equal(Buffer.from(pair.publicKey.bytes).toString("hex"), ek, "the public key");
  const context = Buffer.from("vector");
  const { secret, ...sent } = encapsulateConfirmed(importKemPublicKey(pair.suite, hex(ek)), context);
  assert.deepEqual(decapsulate(pair, sent, context), secret);
}

function parameterSet({ testGroups }: File): string {
  return String(testGroups[0]?.["parameterSet"]);
}

const total = { passed: 0, all: 0 };
const rows: string[] = [];
const seen = new Set<string>();
// A folder that was named has to be there.
const names = given !== undefined || existsSync(folder) ? readdirSync(folder).sort() : [];

for (const name of names) {
  test(`Wycheproof: ${name}`, () => {
    const bytes = readFileSync(new URL(name, folder));
    const file = JSON.parse((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()) as File;
    const reader = readers[file.schema];
    assert.ok(reader !== undefined, `nothing here reads ${file.schema}`);
    const cases = reader.cases(file);
    const failed = cases.flatMap(({ tcId, check }) => {
      try {
        check();
        return [];
      } catch (error) {
        return [`test ${tcId}: ${error instanceof Error ? error.message : String(error)}`];
      }
    });
    const passed = cases.length - failed.length;
    rows.push(`${name.padEnd(40)} ${String(passed).padStart(4)} / ${file.numberOfTests}`);
    seen.add(`${reader.suiteOf(file)} ${file.schema}`);
    total.passed += passed;
    total.all += file.numberOfTests;
    assert.deepEqual(failed, []);
    assert.equal(cases.length, file.numberOfTests, "as many as the file says it has");
  });
}

const skip =
  names.length > 0 ? false : "the Wycheproof vectors aren't there; LATTICEGATE_VECTORS names a folder";

test("each ML-DSA and ML-KEM of the table agrees with vectors that others made", { skip }, (t) => {
  for (const row of rows) t.diagnostic(row);
  t.diagnostic(`${"all".padEnd(40)} ${String(total.passed).padStart(4)} / ${total.all}`);
  for (const { id } of signatureSuites) assert.ok(seen.has(`${id} mldsa_verify_schema.json`), id);
  for (const id of kemSuiteIds) {
    assert.ok(seen.has(`${id} mlkem_test_schema.json`), id);
    assert.ok(seen.has(`${id} mlkem_keygen_seed_test_schema.json`), id);
  }
});

/** RFC 9935: `expandedKey` of the private key's CHOICE. */
function pkcs8({ keyType }: KemSuite, expanded: Uint8Array): Buffer {
  const last = { "ml-kem-512": 1, "ml-kem-768": 2, "ml-kem-1024": 3 }[keyType];
  const algorithm = der(0x30, der(0x06, Buffer.from([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, last])));
  return der(0x30, Buffer.concat([der(0x02, Buffer.of(0)), algorithm, der(0x04, der(0x04, expanded))]));
}

function der(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const header = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function sha3(bytes: Uint8Array): Buffer {
  return createHash("sha3-256").update(bytes).digest();
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, "hex");
}
