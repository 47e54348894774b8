/** Promises and the statements that keep them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { PromisedProof } from "../model/message-proof.ts";
import { leafOf } from "./batch.ts";
import { batchRegister } from "./batch-register.ts";

const now = 1_795_000_000_000;
const promised = (seq: number, part: Partial<PromisedProof> = {}): PromisedProof => ({
  mode: "batched",
  signer: "a",
  keySet: "",
  trust: "approved",
  payload: `p${seq}`,
  nonce: "",
  signedAtUnixMs: now,
  expiresAtUnixMs: now + 120_000,
  batch: "x",
  seq,
  ...part,
});
const range = (start: number, ...payloads: string[]) => ({ batch: "x", start, leaves: payloads.map(leafOf) });

test("a statement keeps the promises it says, and no others", () => {
  const register = batchRegister();
  for (const seq of [0, 1, 2]) assert.equal(register.note(promised(seq), now + seq), "noted");
  assert.deepEqual(register.cover("a", range(0, "p0", "p1"), now + 500), []);
  assert.deepEqual(register.overdue(now + 1001), []);
  assert.deepEqual(register.overdue(now + 1002), [promised(2)]);
  assert.deepEqual(register.cover("a", range(2, "p2"), now + 1003), []);
  assert.deepEqual(register.overdue(now + 1003), []);
});

test("a promise that a statement contradicts is named", () => {
  const register = batchRegister();
  for (const seq of [0, 1]) register.note(promised(seq), now);
  assert.deepEqual(register.cover("a", range(0, "p0", "other"), now), [promised(1)]);
  assert.equal(register.nextOverdueUnixMs(), undefined);
});

test("a message may come after the statement that says it, and then it must be that one", () => {
  const register = batchRegister();
  register.cover("a", range(0, "p0", "p1"), now);
  assert.equal(register.note(promised(0), now + 10), "noted");
  assert.equal(register.note(promised(1, { payload: "other" }), now + 10), "wrong_batch");
  assert.deepEqual(register.overdue(now + 5000), []);
});

test("two messages of one number are a wrong batch, and only the first is kept", () => {
  const register = batchRegister();
  assert.equal(register.note(promised(0), now), "noted");
  assert.equal(register.note(promised(0), now), "noted");
  assert.equal(register.note(promised(0, { payload: "other" }), now), "wrong_batch");
  assert.deepEqual(register.cover("a", range(0, "p0"), now), []);
  assert.deepEqual(register.overdue(now + 5000), []);
});

test("a statement of one signer or batch keeps nothing of another's", () => {
  const register = batchRegister();
  register.note(promised(0), now);
  register.cover("b", range(0, "p0"), now);
  register.cover("a", { ...range(0, "p0"), batch: "y" }, now);
  assert.deepEqual(register.overdue(now + 1000), [promised(0)]);
  assert.deepEqual(register.overdue(now + 1000, "a"), [promised(0)]);
  assert.deepEqual(register.overdue(now + 1000, "b"), []);
});

test("it says when the next promise is overdue", () => {
  const register = batchRegister();
  assert.equal(register.nextOverdueUnixMs(), undefined);
  register.note(promised(0, { signer: "b" }), now + 20);
  register.note(promised(0), now + 10);
  register.note(promised(1), now + 30);
  assert.equal(register.nextOverdueUnixMs(), now + 1010);
  register.cover("a", range(0, "p0"), now + 40);
  assert.equal(register.nextOverdueUnixMs(), now + 1020);
});

test("what is overdue can be given up for lost, what isn't can't", () => {
  const register = batchRegister();
  register.note(promised(0), now);
  register.note(promised(1), now + 500);
  assert.equal(register.giveUp("b", now + 1000), 0);
  assert.equal(register.giveUp("a", now + 1000), 1);
  assert.deepEqual(register.overdue(now + 1500), [promised(1)]);
});

test("it is bounded, by signer and in all, and takes more when promises are kept", () => {
  const register = batchRegister();
  const fill = (signer: string): number => {
    let seq = 0;
    while (seq < 20_000 && register.note(promised(seq, { signer }), now) === "noted") seq++;
    return seq;
  };
  assert.deepEqual(["a", "b", "c", "d", "e"].map(fill), [16_384, 16_384, 16_384, 16_384, 0]);
  register.cover("a", range(0, "p0"), now);
  assert.equal(register.note(promised(0, { signer: "e" }), now), "noted");
  assert.equal(register.note(promised(20_000), now), "full");
  register.cover("a", range(1, "p1", "p2"), now);
  assert.deepEqual(
    [20_000, 20_001, 20_002].map((seq) => register.note(promised(seq), now)),
    ["noted", "noted", "full"],
  );
});

test("of what is said ahead, so much is remembered, and more when its messages have come", () => {
  const register = batchRegister();
  const saidOtherwise = (seq: number) => register.note(promised(seq, { payload: "other" }), now);
  const said = (from: number, count: number) =>
    register.cover("a", range(from, ...Array.from({ length: count }, (_, i) => `p${from + i}`)), now);
  said(0, 5000);
  assert.deepEqual([4095, 4096].map(saidOtherwise), ["wrong_batch", "noted"]);
  said(6000, 2);
  assert.deepEqual([6000, 6001].map(saidOtherwise), ["wrong_batch", "noted"]);
});

test("of much that is overdue, some of each batch is named", () => {
  const register = batchRegister();
  for (let seq = 0; seq < 20; seq++) {
    register.note(promised(seq), now);
    register.note(promised(seq, { batch: "y" }), now);
  }
  assert.equal(register.overdue(now + 1000).length, 32);
  assert.equal(register.giveUp("a", now + 1000), 40);
});

test("leaves that were said ahead are forgotten when their messages can't come any more", () => {
  const register = batchRegister();
  register.cover("a", range(0, "p0"), now);
  register.cover("b", range(0, "p0"), now + 420_000);
  assert.equal(register.note(promised(0, { payload: "other" }), now + 420_000), "noted");
});
