/** A queue that never holds much more than its bound, and nothing after its reader left. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type EventQueue, eventQueue, highBytes } from "./event-queue.ts";

const size = 1024 * 1024;

function queued(): { readonly queue: EventQueue<number>; readonly told: string[] } {
  const told: string[] = [];
  const note = (what: string) => () => void told.push(what);
  const queue = eventQueue<number>({
    bytesOf: () => size,
    pause: note("pause"),
    resume: note("resume"),
    cancel: note("cancel"),
  });
  return { queue, told };
}

test("the producer is told to pause once at the bound, and to go on when half of it is read", async () => {
  const { queue, told } = queued();
  for (let i = 0; i * size <= highBytes; i++) queue.push(i);
  assert.deepEqual(told, ["pause"]);
  const reader = queue[Symbol.asyncIterator]();
  while (queue.waiting() > highBytes / 2) {
    assert.deepEqual(told, ["pause"]);
    await reader.next();
  }
  assert.deepEqual(told, ["pause", "resume"]);
});

test("items come in order, then the end or the error", async () => {
  const { queue } = queued();
  queue.push(1);
  queue.push(2);
  queue.end();
  queue.push(3);
  assert.deepEqual(await Array.fromAsync(queue), [1, 2]);
  const failing = queued().queue;
  failing.push(1);
  failing.fail(new Error("broken"));
  const reader = failing[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value, 1);
  await assert.rejects(reader.next(), /broken/);
});

test("a reader that leaves frees what waits, lets the producer go on, and nothing is kept any more", async () => {
  const { queue, told } = queued();
  for (let i = 0; i * size <= highBytes; i++) queue.push(i);
  await queue[Symbol.asyncIterator]().return?.();
  assert.equal(queue.waiting(), 0);
  queue.push(1);
  assert.equal(queue.waiting(), 0);
  assert.deepEqual(told, ["pause", "resume", "cancel"]);
});

test("many tiny items count for what holding them costs, and come in order", async () => {
  const told: string[] = [];
  const queue = eventQueue<number>({
    bytesOf: () => 1,
    pause: () => void told.push("pause"),
    resume: () => undefined,
    cancel: () => undefined,
  });
  let pushed = 0;
  while (told.length === 0 && pushed < 100_000) queue.push(pushed++);
  assert.ok(pushed < 10_000, `${pushed} items wait`);
  queue.end();
  const read = await Array.fromAsync(queue);
  assert.deepEqual(
    read,
    Array.from({ length: pushed }, (_, i) => i),
  );
  assert.equal(queue.waiting(), 0);
});
