/** Signatures and public keys that were changed in whatever way: none counts, and none surprises who asks. */
import assert from "node:assert/strict";
import { createPublicKey, ECDH, sign } from "node:crypto";
import { test } from "node:test";

import { AsnConvert } from "@peculiar/asn1-schema";
import { SubjectPublicKeyInfo } from "@peculiar/asn1-x509";
import * as fc from "fast-check";

import { bitOf, otherLengths, resized } from "../../test/support/changed-bytes.ts";
import { generateKeyPair, importPublicKey, importRawPublicKey, isSignedBy, signingKey } from "./keys.ts";
import { createSigningRequest, readSigningRequest } from "./signing-request.ts";
import { signatureSuite, signatureSuiteIds } from "./suites/signatures.ts";

const message = Buffer.from("message");

for (const id of signatureSuiteIds) {
  const suite = signatureSuite(id);
  const pair = generateKeyPair(suite);
  const signature = await signingKey(pair).sign(message);
  const raw = pair.publicKey.export({ format: "raw-public" });
  const spki = pair.publicKey.export({ format: "der", type: "spki" });

  test(`${id}: a public key is read again from both of its encodings`, () => {
    assert.equal(raw.length, suite.publicKeyBytes);
    for (const publicKey of [importRawPublicKey(suite, raw), importPublicKey(suite, spki)]) {
      assert.ok(publicKey);
      assert.ok(isSignedBy({ suite, publicKey }, message, signature));
    }
  });

  test(`${id}: a signature with any flipped bit doesn't count`, () => {
    fc.assert(fc.property(bitOf(signature), (changed) => !isSignedBy(pair, message, changed)));
  });

  test(`${id}: a signature doesn't count for a message with any flipped bit`, () => {
    fc.assert(fc.property(bitOf(message), (changed) => !isSignedBy(pair, changed, signature)));
  });

  test(`${id}: a public key with any flipped bit is no key, or verifies nothing`, () => {
    const verifies = (publicKey: ReturnType<typeof importRawPublicKey>): boolean =>
      publicKey !== undefined && isSignedBy({ suite, publicKey }, message, signature);
    fc.assert(fc.property(bitOf(raw), (changed) => !verifies(importRawPublicKey(suite, changed))));
    const header = spki.subarray(0, spki.length - raw.length);
    fc.assert(
      fc.property(bitOf(raw), (changed) => {
        return !verifies(importPublicKey(suite, Buffer.concat([header, changed])));
      }),
    );
  });

  test(`${id}: a signature or key of any other length, or of any bytes, doesn't count`, () => {
    for (const length of otherLengths(signature.length))
      assert.equal(isSignedBy(pair, message, resized(signature, length)), false, `${length} bytes`);
    for (const length of otherLengths(raw.length))
      assert.equal(importRawPublicKey(suite, resized(raw, length)), undefined, `${length} bytes`);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8000 }), (bytes) => {
        importPublicKey(suite, bytes);
        return !isSignedBy(pair, message, bytes);
      }),
    );
  });

  test(`${id}: a key of another suite counts as none`, () => {
    for (const other of signatureSuiteIds.filter((each) => each !== id)) {
      const { publicKey } = generateKeyPair(signatureSuite(other));
      assert.equal(isSignedBy({ suite, publicKey }, message, signature), false);
      assert.equal(importRawPublicKey(signatureSuite(other), raw) === undefined || isAmbiguous(other), true);
    }
  });

  /** Raw encodings don't say of which algorithm they are: 32 bytes are a key of two. */
  function isAmbiguous(other: (typeof signatureSuiteIds)[number]): boolean {
    return signatureSuite(other).publicKeyBytes === suite.publicKeyBytes;
  }
}

for (const [what, reencoded] of [
  ["hybrid", (point: Buffer) => Buffer.concat([Buffer.of(6 + ((point.at(-1) ?? 0) % 2)), point.subarray(1)])],
  [
    "compressed",
    (point: Buffer) =>
      Buffer.from(ECDH.convertKey(point, "secp384r1", undefined, "hex", "compressed"), "hex"),
  ],
] as const) {
  test(`a point in the ${what} form is no public key, nor is a request for a certificate of it read`, () => {
    const suite = signatureSuite("ECDSA-P384");
    const pair = generateKeyPair(suite);
    const raw = pair.publicKey.export({ format: "raw-public" });
    const point = reencoded(raw);
    assert.equal(importRawPublicKey(suite, point), undefined);
    const spki = AsnConvert.parse(
      pair.publicKey.export({ format: "der", type: "spki" }),
      SubjectPublicKeyInfo,
    );
    spki.subjectPublicKey = Uint8Array.from(point).buffer;
    const der = Buffer.from(AsnConvert.serialize(spki));
    assert.equal(importPublicKey(suite, der), undefined);
    // OpenSSL takes it, and so makes two encodings of one key.
    const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
    assert.ok(isSignedBy({ suite, publicKey }, message, sign(suite.digest, message, pair.privateKey)));
    const request = createSigningRequest({ ...pair, publicKey });
    assert.throws(() => readSigningRequest(request, [suite]), /Expected a PKCS #10 request/);
    assert.ok(readSigningRequest(createSigningRequest(pair), [suite]));
  });
}

for (const id of signatureSuiteIds) {
  test(`${id}: bytes behind a public key make it none`, () => {
    const suite = signatureSuite(id);
    const spki = generateKeyPair(suite).publicKey.export({ format: "der", type: "spki" });
    assert.ok(importPublicKey(suite, spki));
    assert.equal(importPublicKey(suite, Buffer.concat([spki, Buffer.of(0)])), undefined);
  });
}

test("a context longer than the standard allows makes no signature count", () => {
  const pair = generateKeyPair(signatureSuite("ML-DSA-44"));
  for (const length of [256, 1_000_000])
    assert.equal(isSignedBy(pair, message, new Uint8Array(2420), new Uint8Array(length)), false);
});
