/** A thread that is kept from one question to the next. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { type KeptThread, keepThread } from "./thread.ts";

/** Counts the questions it was asked. */
const program = `
  import { parentPort } from "node:worker_threads";
  let asked = 0;
  parentPort.on("message", (order) => {
    asked += 1;
    if (order === "die") process.exit(1);
    if (order === "throw") throw new Error("broken");
    if (order === "sleep") return;
    if (order === "refuse") parentPort.postMessage({ kind: "refusal", code: "bad_state", message: "No." });
    else parentPort.postMessage({ kind: "answer", answer: asked });
  });`;

function kept(t: { after: (step: () => Promise<void>) => void }, longestMs = 60_000): KeptThread<string> {
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const thread = keepThread<string>(url, { longestMs, tooLong: "Too long." });
  t.after(thread.close);
  return thread;
}

test("one thread answers question after question, those that it refuses among them", async (t) => {
  const { ask } = kept(t);
  assert.equal(await ask("count"), 1);
  await assert.rejects(ask("refuse"), (error) => error instanceof Refusal && error.code === "bad_state");
  assert.deepEqual(await Promise.all([ask("count"), ask("count")]), [3, 4]);
});

test("who waits too long is told so, and the next question has a thread of its own", async (t) => {
  const { ask } = kept(t, 3000);
  assert.equal(await ask("count"), 1);
  await assert.rejects(ask("sleep"), (error) => error instanceof Refusal && error.code === "busy");
  assert.equal(await ask("count"), 1);
});

test("a thread that breaks fails the question that broke it, and no other", async (t) => {
  const { ask } = kept(t);
  await assert.rejects(ask("throw"), /broken/);
  assert.equal(await ask("count"), 1);
  await assert.rejects(ask("die"), /ended without an answer/);
  assert.equal(await ask("count"), 1);
});

test("more questions than a thread can have waiting are refused at once", async (t) => {
  const { ask } = kept(t);
  const all = await Promise.allSettled(Array.from({ length: 40 }, () => ask("count")));
  const refused = all.filter((each) => each.status === "rejected");
  assert.equal(refused.length, 8);
});
