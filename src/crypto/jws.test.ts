/** Flattened JWS: nothing in a header is taken on trust. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { toBase64url, utf8 } from "../kernel/bytes.ts";
import { isFlattenedBy, protectedHeader, signFlattened } from "./jws.ts";
import { generateKeyPair, signingKey } from "./keys.ts";
import { signatureSuite } from "./suites/signatures.ts";

const key = { ...signingKey(generateKeyPair(signatureSuite("ML-DSA-65"))), kid: "k" };
const payload = toBase64url(utf8("{}"));
const jws = await signFlattened("a+jws", payload, key);

test("what a key signed is its own, as that type and under that name alone", () => {
  assert.ok(isFlattenedBy("a+jws", jws, key));
  assert.ok(!isFlattenedBy("b+jws", jws, key));
  assert.ok(!isFlattenedBy("a+jws", jws, { ...key, kid: "l" }));
  assert.ok(!isFlattenedBy("a+jws", { ...jws, payload: `${payload}A` }, key));
  assert.ok(!isFlattenedBy("a+jws", { ...jws, signature: `${jws.signature}=` }, key));
});

test("a header that says the same in other bytes isn't ours, though the key signed it", async () => {
  const spaced = toBase64url(utf8('{"alg":"ML-DSA-65", "kid":"k","typ":"a+jws"}'));
  assert.notEqual(spaced, protectedHeader("a+jws", key));
  const signature = toBase64url(await key.sign(utf8(`${spaced}.${payload}`)));
  assert.ok(!isFlattenedBy("a+jws", { protected: spaced, payload, signature }, key));
});
