/** Key sets: told as JWKs, read back, and known by one fingerprint. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { calculateJwkThumbprint, type JWK } from "jose";

import { messageEnd } from "../../test/support/message-ends.ts";
import { generateKeyPair } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { isKeySetFingerprint, keySetOf, messageSigner, readKeySet, writeKeySet } from "./key-set.ts";
import { signingKey } from "../crypto/keys.ts";

const { keySet, signers } = messageEnd();
const jwks = JSON.parse(JSON.stringify(writeKeySet(keySet))) as Record<string, string>[];
const [weaker = {}, stronger = {}] = jwks;

test("a key set is told as JWKs of RFC 9964, and read back in any order", () => {
  assert.deepEqual(
    jwks.map(({ alg, kty }) => [alg, kty]),
    [
      ["ML-DSA-65", "AKP"],
      ["ML-DSA-87", "AKP"],
    ],
  );
  for (const told of [
    jwks,
    jwks.toReversed(),
    [{ pub: weaker["pub"], kty: "AKP", alg: "ML-DSA-65" }, stronger],
  ]) {
    const read = readKeySet(told);
    assert.equal(read?.fingerprint, keySet.fingerprint);
    assert.deepEqual(
      read?.keys.map(({ kid }) => kid),
      keySet.keys.map(({ kid }) => kid),
    );
  }
});

test("the fingerprint is over the canonical JWK set, and kids are thumbprints as others make them", async () => {
  const text = `{"keys":[${jwks.map(({ alg, kty, pub }) => `{"alg":"${alg}","kty":"${kty}","pub":"${pub}"}`).join(",")}]}`;
  assert.equal(keySet.fingerprint, createHash("sha256").update(text).digest("base64url"));
  assert.ok(isKeySetFingerprint(keySet.fingerprint));
  const thumbprints = await Promise.all(jwks.map((jwk) => calculateJwkThumbprint(jwk as unknown as JWK)));
  assert.deepEqual(
    keySet.keys.map(({ kid }) => kid),
    thumbprints,
  );
  assert.deepEqual([signers["ML-DSA-65"].kid, signers["ML-DSA-87"].kid], thumbprints);
});

for (const [what, told] of [
  ["one key", [weaker]],
  ["the same twice", [weaker, weaker]],
  ["three", [weaker, stronger, weaker]],
  ["a key of another algorithm", [weaker, { ...stronger, alg: "ML-DSA-44" }]],
  [
    "a key under another's name",
    [
      { ...stronger, alg: "ML-DSA-65" },
      { ...weaker, alg: "ML-DSA-87" },
    ],
  ],
  ["another kind of key", [weaker, { ...stronger, kty: "OKP" }]],
  ["a private key", [weaker, { ...stronger, priv: "AAAA" }]],
  ["a key cut short", [weaker, { ...stronger, pub: stronger["pub"]?.slice(4) }]],
  ["padding", [weaker, { ...stronger, pub: `${stronger["pub"]}=` }]],
  ["no list", { keys: jwks }],
  ["nothing", undefined],
] as const) {
  test(`${what} is no key set`, () => assert.equal(readKeySet(told), undefined));
}

test("an end without both keys has no set, and other keys sign no messages", () => {
  const other = signingKey(generateKeyPair(signatureSuite("ML-DSA-44")));
  assert.throws(() => keySetOf([signers["ML-DSA-65"], other]), /ML-DSA-87/);
  assert.throws(() => messageSigner(other), /ML-DSA-44/);
});
