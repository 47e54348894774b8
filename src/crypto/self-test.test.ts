/** The self-test: silent where all is well, and a refusal with the reason where an algorithm does something else. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { selfTests } from "./self-test.ts";
import { kemSuite, kemSuiteIds } from "./suites/kem.ts";
import { signatureSuite, signatureSuiteIds } from "./suites/signatures.ts";
import { aeadSuites, hashSuites } from "./suites/symmetric.ts";

const none = { hashes: [], aeads: [], signatures: [], kems: [] };

test("every algorithm of the table passes, each with a test of its own", async () => {
  const [signatures, kems] = [signatureSuiteIds.map(signatureSuite), kemSuiteIds.map(kemSuite)];
  const tests = selfTests({ hashes: hashSuites, aeads: aeadSuites, signatures, kems });
  assert.deepEqual(
    tests.map(({ kind, name }) => `${kind} ${name}`),
    [
      ...hashSuites.map(({ id }) => `known-answer ${id}`),
      ...aeadSuites.map(({ id }) => `known-answer ${id}`),
      ...signatureSuiteIds.map((id) => `signature ${id}`),
      ...kemSuiteIds.map((id) => `kem ${id}`),
    ],
  );
  for (const { run } of tests) await run();
});

const mlKem768 = kemSuite("ML-KEM-768");
const mlDsa65 = signatureSuite("ML-DSA-65");
const broken = {
  "makes another key of the known seed": [
    { ...none, kems: [{ ...mlKem768, knownPublicKey: kemSuite("ML-KEM-512").knownPublicKey }] },
    /ML-KEM-768: it isn't so that a known seed makes the known key/,
  ],
  "is another than its row says": [
    { ...none, kems: [{ ...mlKem768, keyType: "ml-kem-512" as const }] },
    /ML-KEM-768: it isn't so that a known seed makes the known key/,
  ],
  "has other sizes than its row says": [
    { ...none, kems: [{ ...mlKem768, publicKeyBytes: 1183 }] },
    /ML-KEM-768: The key encapsulation isn't valid/,
  ],
  "isn't there": [
    { ...none, signatures: [{ ...mlDsa65, keyType: "ml-dsa-66" as "ml-dsa-65" }] },
    /ML-DSA-65: /,
  ],
  "has keys that can't be read again": [
    { ...none, signatures: [{ ...mlDsa65, publicKeyBytes: 1 }] },
    /ML-DSA-65: its public key can't be read again/,
  ],
  "signs, but as another algorithm": [
    { ...none, signatures: [{ ...mlDsa65, keyType: "ml-dsa-44" as const, publicKeyBytes: 1312 }] },
    /ML-DSA-65: it isn't so that a signature verifies/,
  ],
} as const;

for (const [what, [use, reason]] of Object.entries(broken)) {
  test(`an algorithm that ${what} fails the self-test with the reason`, async () => {
    const last = selfTests(use).at(-1);
    await assert.rejects(
      async () => last?.run(),
      (error: unknown) =>
        error instanceof Refusal && error.code === "self_test_failed" && reason.test(error.message),
    );
  });
}
