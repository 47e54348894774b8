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
