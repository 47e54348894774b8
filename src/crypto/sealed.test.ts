/** Secrets at rest: they open with their key, under their name, unchanged; or not at all. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { fromBase64url, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { freshKdfParameters, openSecret, sealSecret, unlockKey } from "./sealed.ts";

const key = new Uint8Array(32).fill(7);
const isBadState = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_state";

test("a sealed secret opens to what it was, and two seals of it differ", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: "grapheme" }), (secret, name) => {
      const sealed = sealSecret(key, name, secret);
      assert.deepEqual(Buffer.from(openSecret(key, name, sealed)), Buffer.from(secret));
      assert.notEqual(sealSecret(key, name, secret).sealed, sealed.sealed);
    }),
    { numRuns: 30 },
  );
});

test("a changed bit anywhere is refused", () => {
  const sealed = sealSecret(key, "root", utf8("a secret of some length"));
  for (const member of ["nonce", "sealed"] as const) {
    const bytes = fromBase64url(sealed[member]) ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte));
      assert.throws(() => openSecret(key, "root", { ...sealed, [member]: toBase64url(changed) }), isBadState);
    }
  }
});

test("another key, another name, or what isn't base64 is refused", () => {
  const sealed = sealSecret(key, "root", utf8("secret"));
  assert.throws(() => openSecret(new Uint8Array(32), "root", sealed), isBadState);
  assert.throws(() => openSecret(key, "log", sealed), isBadState, "two files can't be swapped");
  assert.throws(() => openSecret(key, "root", { ...sealed, sealed: "%%" }), isBadState);
  assert.throws(() => openSecret(key, "root", { ...sealed, nonce: "" }), isBadState);
});

test("the same passphrase and salt lead to the same key; another of either to another", async () => {
  const cheap = { ...freshKdfParameters(), memoryKiB: 8192, passes: 1 };
  const first = await unlockKey(utf8("correct horse battery"), cheap);
  assert.deepEqual(await unlockKey(utf8("correct horse battery"), cheap), first);
  assert.notDeepEqual(await unlockKey(utf8("correct horse batterz"), cheap), first);
  assert.notDeepEqual(
    await unlockKey(utf8("correct horse battery"), { ...cheap, salt: freshKdfParameters().salt }),
    first,
  );
  assert.equal(first.length, 32);
});

test("nothing of the secret stands in what is sealed", () => {
  const secret = utf8("canary-canary-canary");
  const { nonce, sealed } = sealSecret(key, "root", secret);
  const bytes = Buffer.from(sealed, "base64url");
  for (const part of ["canary", toBase64url(secret), Buffer.from(secret).toString("hex")]) {
    assert.ok(!bytes.includes(part) && !sealed.includes(part) && !nonce.includes(part));
  }
});

test("a sealed secret that was cut off is refused, wherever", () => {
  const sealed = sealSecret(key, "root", utf8("a secret of some length"));
  const bytes = Buffer.from(sealed.sealed, "base64url");
  for (let length = 0; length < bytes.length; length++) {
    const cut = { ...sealed, sealed: toBase64url(bytes.subarray(0, length)) };
    assert.throws(() => openSecret(key, "root", cut), isBadState, `${length} bytes`);
  }
});

test("a new key folder's cost is RFC 9106's second recommended option, with a salt of its own", () => {
  const [first, second] = [freshKdfParameters(), freshKdfParameters()];
  assert.deepEqual([first.memoryKiB, first.passes, first.lanes], [65_536, 3, 4]);
  assert.equal(fromBase64url(first.salt)?.length, 16);
  assert.notEqual(first.salt, second.salt);
});

test("a salt that isn't base64url is refused", async () => {
  await assert.rejects(unlockKey(utf8("x"), { ...freshKdfParameters(), salt: "%%" }), isBadState);
});
