/** The table of algorithms: it says what the algorithms really do, and a profile never falls below it. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { createSecureContext } from "node:tls";

import { AsnConvert } from "@peculiar/asn1-schema";
import { SubjectPublicKeyInfo } from "@peculiar/asn1-x509";

import { Refusal } from "../../kernel/refusal.ts";
import { algorithmOf, exportSecret, generateKeyPair, importSecret, isSignedBy } from "../keys.ts";
import { resolveProfile } from "./profiles.ts";
import { algorithmOfKeyType, signatureSuite } from "./signatures.ts";

const ids = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128s", "Ed25519", "ECDSA-P384"] as const;

for (const id of ids) {
  test(`${id} has the sizes its row says, and a secret that can be stored`, () => {
    const suite = signatureSuite(id);
    const pair = generateKeyPair(suite);
    const spki = pair.publicKey.export({ type: "spki", format: "der" });
    assert.ok(spki.length > suite.publicKeyBytes && spki.length < suite.publicKeyBytes + 32);
    const signature = sign(suite.digest, Buffer.from("message"), pair.privateKey);
    // DER of two integers is as long as they happen to be.
    if (suite.keyType === "ec") assert.ok(signature.length <= suite.signatureBytes);
    else assert.equal(signature.length, suite.signatureBytes);
    const again = importSecret(suite, exportSecret(pair));
    assert.ok(isSignedBy(again, Buffer.from("message"), signature));
    assert.equal(isSignedBy(again, Buffer.from("massage"), signature), false);
    assert.equal(algorithmOf(pair.publicKey), id);
  });
}

test("the profile is narrowed to what is allowed, and never widened", () => {
  const all = resolveProfile("hybrid");
  assert.deepEqual(
    all.groups.map(({ kind }) => kind),
    ["hybrid", "hybrid", "hybrid"],
  );
  const narrow = resolveProfile("hybrid", ["ML-KEM-768", "ML-DSA-65"]);
  assert.deepEqual(
    narrow.groups.map(({ id }) => id),
    ["X25519MLKEM768", "SecP256r1MLKEM768"],
  );
});

test("cnsa-2.0 has nothing below NIST level 5, and AES-256 alone", () => {
  const { groups, identity, ciphers } = resolveProfile("cnsa-2.0");
  assert.deepEqual(
    [groups.map(({ id }) => id), identity.id, ciphers],
    [["SecP384r1MLKEM1024"], "ML-DSA-87", "TLS_AES_256_GCM_SHA384"],
  );
});

const impossible: readonly (readonly [string, readonly string[] | undefined, string])[] = [
  ["classical", undefined, "bad_config"],
  ["cnsa-2.0", ["ML-KEM-768", "ML-DSA-65"], "bad_config"],
  ["cnsa-2.0", ["ML-KEM-1024", "ML-DSA-65"], "bad_config"],
  ["hybrid", [], "bad_config"],
  ["hybrid", ["ML-DSA-65"], "bad_config"],
  ["hybrid", ["ML-KEM-768"], "bad_config"],
  ["hybrid", ["ML-KEM-768", "ML-DSA-65", "RSA"], "bad_config"],
];
for (const [name, allowed, code] of impossible) {
  test(`the profile ${name} of ${JSON.stringify(allowed)} is refused`, () => {
    assert.throws(
      () => resolveProfile(name, allowed),
      (error: unknown) => error instanceof Refusal && error.code === code,
    );
  });
}

test("each row's OID is the one that its keys carry", () => {
  for (const id of ids) {
    const suite = signatureSuite(id);
    const spki = generateKeyPair(suite).publicKey.export({ type: "spki", format: "der" });
    // id-ecPublicKey: of ECDSA the row has the signature's OID, which is another than the key's.
    const oid = suite.keyType === "ec" ? "1.2.840.10045.2.1" : suite.oid;
    assert.equal(AsnConvert.parse(spki, SubjectPublicKeyInfo).algorithm.algorithm, oid, id);
  }
});

test("each TLS name in the table is one that OpenSSL takes, and it takes no other", () => {
  const { groups, ciphers } = resolveProfile("hybrid");
  for (const { id } of groups) assert.ok(createSecureContext({ ecdhCurve: id, ciphers }));
  for (const id of ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "ECDSA-P384"] as const) {
    assert.ok(createSecureContext({ sigalgs: signatureSuite(id).tlsName ?? "none" }));
  }
  assert.throws(() => createSecureContext({ ecdhCurve: "X25519MLKEM1024" }));
  assert.throws(() => createSecureContext({ sigalgs: "mldsa66" }));
});

test("a key that has no row is called by its own type", () => {
  assert.equal(algorithmOfKeyType("rsa"), "rsa");
  assert.equal(algorithmOfKeyType(undefined), "unknown");
  assert.equal(algorithmOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey), "ec");
});

for (const name of ["", "Hybrid", "hybrid ", "cnsa-1.0", "__proto__"]) {
  test(`the profile ${JSON.stringify(name)} isn't there, and those that are get named`, () => {
    assert.throws(
      () => resolveProfile(name),
      (error: unknown) =>
        error instanceof Refusal &&
        error.code === "bad_config" &&
        error.message.endsWith("there are transition, hybrid, cnsa-2.0."),
    );
  });
}
