/** What is measured of answers, of each kind and however they end, and that it changes nothing of them. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";

import type { Answer, AnswerEvent, Journaled } from "../../gate/call.ts";
import { beginMetering, carriedSince, meteredUpstreams, type SeenExchange } from "./flow-meter.ts";

const head = { status: 200, headers: [] } as const;

async function* pieces<T>(all: readonly T[], error?: Error): AsyncGenerator<T> {
  for (const piece of all) yield await Promise.resolve(piece);
  if (error !== undefined) throw error;
}

/** As much of a call as a meter reads. */
function callOf(changes: Partial<Journaled> = {}): Journaled {
  const question = { server: "lab", target: { kind: "tool", name: "read" } };
  return {
    server: "lab",
    verb: "POST",
    body: new Uint8Array(1000),
    question,
    ...changes,
  } as unknown as Journaled;
}

async function through(answer: Answer, call = callOf()): Promise<{ answer: Answer; seen: SeenExchange[] }> {
  const seen: SeenExchange[] = [];
  const upstreams = meteredUpstreams(
    { forward: () => Promise.resolve(answer) },
    (each) => void seen.push(each),
  );
  return { answer: await upstreams.forward(call), seen };
}

function event(bytes: number): AnswerEvent {
  return { raw: new Uint8Array(bytes), data: null };
}

test("a whole answer is told at once, with the size of both, who, and what was asked", async () => {
  const { seen } = await through({ kind: "whole", ...head, body: new Uint8Array(50_000) });
  const [one] = seen;
  assert.deepEqual([one?.direction, one?.peer, one?.kind], ["outgoing", "lab", "tool read"]);
  assert.equal(one?.up, 1300 + 22);
  assert.equal(one?.down, 50_300 + 4 * 22);
  assert.ok((one?.answerMs ?? -1) >= 0);
});

test("a long answer and a stream are told when they end, and come as they are", async () => {
  const chunks = [new Uint8Array(10), new Uint8Array(20)];
  const long = await through({ kind: "long", ...head, chunks: pieces(chunks) });
  assert.equal(long.seen.length, 0);
  assert.ok(long.answer.kind === "long");
  assert.deepEqual(await Array.fromAsync(long.answer.chunks), chunks);
  assert.equal(long.seen[0]?.down, 330 + 22);
  const events = [event(100), event(200)];
  const stream = await through({ kind: "stream", ...head, events: pieces(events) });
  assert.ok(stream.answer.kind === "stream");
  assert.deepEqual(await Array.fromAsync(stream.answer.events), events);
  assert.equal(stream.seen[0]?.down, 600 + 22);
  assert.ok((stream.seen[0]?.answerMs ?? -1) >= 0);
});

test("an answer that breaks off, or that nobody reads on, is told once, and its end reaches both sides", async () => {
  const broken = await through({ kind: "stream", ...head, events: pieces([event(100)], new Error("gone")) });
  assert.ok(broken.answer.kind === "stream");
  await assert.rejects(Array.fromAsync(broken.answer.events), /gone/);
  assert.equal(broken.seen.length, 1);
  const inner = pieces([event(100), event(100), event(100)]);
  const left = await through({ kind: "stream", ...head, events: inner });
  assert.ok(left.answer.kind === "stream");
  for await (const _event of left.answer.events) break;
  assert.equal(left.seen.length, 1);
  assert.equal(left.seen[0]?.down, 400 + 22);
  assert.equal((await inner.next()).done, true, "the server's stream was let go");
});

test("streams that are listened to have no delay, long names no kind, and forward servers one peer by address", async () => {
  const whole: Answer = { kind: "whole", ...head, body: new Uint8Array(0) };
  const listening = await through(whole, callOf({ verb: "GET" }));
  assert.equal(listening.seen[0]?.answerMs, undefined);
  const question = { server: "lab", target: { kind: "tool", name: "n".repeat(65) } };
  const long = await through(whole, callOf({ question } as unknown as Partial<Journaled>));
  assert.equal(long.seen[0]?.kind, undefined);
  const targetUrl = { origin: "https://api.acme.test", path: "/mcp", host: "api.acme.test" };
  const forward = await through(whole, callOf({ targetUrl } as unknown as Partial<Journaled>));
  assert.equal(forward.seen[0]?.peer, "lab https://api.acme.test");
});

test("without anybody who asks, servers are what they were; what is no socket isn't measured", () => {
  const upstreams = { forward: () => Promise.reject(new Error("not asked")) };
  assert.equal(meteredUpstreams(upstreams, undefined), upstreams);
  const link = new Duplex();
  beginMetering(link);
  assert.equal(carriedSince(link), undefined);
});
