/** Long answers: what is remembered of them, for how long, and that it is said once. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { longAnswers, rawDigest } from "./long-answers.ts";

const now = 1_795_000_000_000;

test("a digest is said once, to who asks for its call", () => {
  const answers = longAnswers();
  answers.note({ signer: "s", nonce: "n" }, "d", now);
  assert.deepEqual(answers.take("s", ["m"], now), new Map());
  assert.deepEqual(answers.take("s", ["m", "n"], now), new Map([["n", "d"]]));
  assert.deepEqual(answers.take("s", ["n"], now), new Map());
});

test("two signers that use one nonce have an answer each", () => {
  const answers = longAnswers();
  answers.note({ signer: "s", nonce: "n" }, "d", now);
  answers.note({ signer: "r", nonce: "n" }, "e", now);
  assert.deepEqual(answers.take("q", ["n"], now), new Map());
  assert.deepEqual(answers.take("s", ["n"], now), new Map([["n", "d"]]));
  assert.deepEqual(answers.take("r", ["n"], now), new Map([["n", "e"]]));
});

test("it is kept for two minutes, and a thousand are", () => {
  const answers = longAnswers();
  answers.note({ signer: "s", nonce: "old" }, "d", now);
  assert.deepEqual(answers.take("s", ["old"], now + 120_000), new Map());
  for (let i = 0; i <= 1000; i++) answers.note({ signer: "s", nonce: String(i) }, "d", now);
  assert.deepEqual([...answers.take("s", ["0", "1", "1000"], now).keys()], ["1", "1000"]);
});

test("the digest is SHA-256 over the bytes, however they came", () => {
  const digest = rawDigest();
  for (const piece of ["ab", "", "c"]) digest.update(utf8(piece));
  assert.equal(digest.end(), `raw-sha-256:${createHash("sha256").update("abc").digest("base64url")}`);
});
