/** What one session of a legacy client costs, and that nothing of it is left or lost. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Answer, Journaled } from "../../../gate/call.ts";
import { fromUtf8, utf8 } from "../../../kernel/bytes.ts";
import type { Log } from "../../../kernel/log.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { type Frame, readFrame } from "../../../wire/frame.ts";
import { writeSseEvent } from "../../../wire/sse.ts";
import type { Link } from "../../link/link.ts";
import { onAbort } from "../../on-abort.ts";
import { modernBehind } from "./modern-behind.ts";

interface Heard {
  readonly text: string;
  readonly about: unknown;
}

interface Scene {
  readonly link: Link;
  readonly heard: readonly Heard[];
  readonly undelivered: readonly Refusal[];
  readonly ends: readonly Refusal[];
  /** Under way at the server, by their ids. */
  readonly open: ReadonlySet<unknown>;
  readonly send: (message: object) => void;
}

type Reply = (id: unknown, method: string, gone: AbortSignal) => Promise<Answer>;

const silent: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
const capabilities = { elicitation: {} };

/** A session that is open, at a server that answers as `reply` does; what is asked of it ends when it is dropped. */
async function scene(reply: Reply, hostile?: (link: Link) => void): Promise<Scene> {
  const heard: Heard[] = [];
  const undelivered: Refusal[] = [];
  const ends: Refusal[] = [];
  const open = new Set<unknown>();
  const forward = async (call: Journaled): Promise<Answer> => {
    const { id, method } = JSON.parse(fromUtf8(call.body) ?? "") as { id: unknown; method: string };
    if (method === "server/discover")
      return whole(id, { supportedVersions: ["2026-07-28"], capabilities: {} });
    open.add(id);
    try {
      return await reply(id, method, call.reply.gone);
    } finally {
      open.delete(id);
    }
  };
  const behind = modernBehind({
    name: "s",
    upstream: { forward, close: () => Promise.resolve() },
    version: "0",
    maxMessageBytes: 1024 * 1024,
    log: silent,
    clock: { nowUnixMs: () => 0 },
  });
  const link = behind({
    onMessage: ({ bytes }, about) => void heard.push({ text: fromUtf8(bytes) ?? "", about }),
    onUndelivered: (_message, refusal) => void undelivered.push(refusal),
    onEnd: (refusal) => void ends.push(refusal),
  });
  const send = (message: object): void => {
    const bytes = utf8(JSON.stringify({ jsonrpc: "2.0", ...message }));
    link.send(bytes, callOf(readFrame(bytes)));
  };
  hostile?.(link);
  send({ id: "i", method: "initialize", params: { capabilities } });
  await until(() => heard.length === 1);
  return { link, heard, undelivered, ends, open, send };
}

function callOf(frame: Frame): Journaled {
  const reply = { gone: new AbortController().signal };
  return {
    id: "c",
    headers: [],
    header: () => undefined,
    body: frame.bytes,
    frame,
    reply,
  } as unknown as Journaled;
}

function whole(id: unknown, result: object): Answer {
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, result }));
  return { kind: "whole", status: 200, headers: [], body };
}

/** Until it is dropped. */
const never: Reply = (_id, _method, gone) =>
  new Promise((_resolve, reject) => {
    onAbort(gone, () => reject(new Refusal("upstream_failed", "Dropped.")));
  });

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    assert.ok(turns < 10_000, "never happened");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const call = (id: number, text = ""): object => ({ id, method: "prompts/get", params: { name: "p", text } });
const busy = { name: "Refusal", code: "busy" };

test("a session has 256 requests under way at most, and more when some are over", async () => {
  const { send, open, heard } = await scene(never);
  for (let id = 0; id < 256; id++) send(call(id));
  assert.throws(() => send(call(256)), busy);
  await until(() => open.size === 256);
  send({ method: "notifications/cancelled", params: { requestId: 7 } });
  send(call(256));
  await until(() => open.size === 256);
  assert.equal(heard.filter(({ about }) => about === 7).length, 1, "the one that made way");
});

test("a session's requests under way are 32 MiB at most", async () => {
  const { send, link } = await scene(never);
  const text = "x".repeat(8 * 1024 * 1024);
  for (let id = 0; id < 3; id++) send(call(id, text));
  assert.throws(() => send(call(3, text)), busy);
  send({ method: "notifications/cancelled", params: { requestId: 0 } });
  send(call(3, text));
  await link.stop();
});

test("what a client answers counts while its call is under way", async () => {
  const asking: Reply = (id) =>
    Promise.resolve(
      whole(id, {
        resultType: "input_required",
        inputRequests: { a: { method: "elicitation/create", params: {} } },
      }),
    );
  const { send, heard } = await scene(asking);
  const text = "x".repeat(9 * 1024 * 1024);
  send(call(1));
  for (let round = 0; round < 4; round++) {
    await until(() => heard.length === round + 2);
    const { id, error } = JSON.parse(heard.at(-1)?.text ?? "") as {
      id: unknown;
      error?: { message: string };
    };
    if (round < 3) assert.equal(error, undefined);
    send({ id, result: { text } });
  }
  await until(() => heard.length === 6);
  assert.match(heard.at(-1)?.text ?? "", /too much/);
  send(call(2));
  await until(() => heard.length === 7);
  assert.match(heard.at(-1)?.text ?? "", /elicitation/, "and is given back");
});

/** A stream of so many messages, one after the other, whoever hears them, and the answer. */
const flood =
  (count: number): Reply =>
  (id) => {
    const notice = utf8(
      '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}',
    );
    async function* events(): AsyncGenerator<{ raw: Uint8Array; data: Uint8Array }> {
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        yield { raw: writeSseEvent({ data: notice }), data: notice };
      }
      const last = utf8(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
      yield { raw: writeSseEvent({ data: last }), data: last };
    }
    return Promise.resolve({ kind: "stream", status: 200, headers: [], events: events() });
  };

test("while a reader is behind, the server isn't heard; then it is, whole", async () => {
  const { link, send, heard } = await scene(flood(50));
  send(call(1));
  await until(() => heard.length > 3);
  link.pause();
  link.pause();
  assert.equal(link.isHeldUp(), true);
  link.resume();
  await until(() => true);
  const before = heard.length;
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(heard.length <= before + 1, `${heard.length} after ${before}`);
  link.resume();
  await until(() => heard.length === 52);
  assert.equal(heard.at(-1)?.text, '{"jsonrpc":"2.0","id":1,"result":{}}');
});

test("a session that is held up can be stopped", async () => {
  const { link, send, heard, ends } = await scene(flood(Infinity));
  send(call(1));
  await until(() => heard.length > 3);
  link.pause();
  await link.stop();
  await link.stop();
  assert.equal(ends.length, 1);
});

test("a session that was stopped leaves nothing at the server, ends once, and says and takes nothing more", async () => {
  const { link, send, heard, undelivered, ends, open } = await scene(never);
  send(call(1));
  send({ id: 2, method: "prompts/list" });
  await until(() => open.size === 2);
  const before = heard.length;
  await link.stop();
  assert.equal(open.size, 0);
  send(call(3));
  await link.stop();
  assert.equal(ends.length, 1);
  assert.deepEqual([heard.length, undelivered.length, open.size], [before, 0, 0]);
});

test("what the gateway itself says is cancelled is answered to nobody", async () => {
  const { link, send, heard, undelivered, open } = await scene(never);
  send(call(1));
  await until(() => open.size === 1);
  const message = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
  link.send(utf8(JSON.stringify(message)), undefined);
  await until(() => open.size === 0);
  assert.deepEqual([heard.length, undelivered.length], [1, 0]);
});

test("a call that is cancelled while its tool is looked up isn't made; the look-up serves all who wait", async () => {
  const lists: (() => void)[] = [];
  const calls: unknown[] = [];
  const { send, heard } = await scene(async (id, method) => {
    if (method === "tools/call") calls.push(id);
    else await new Promise<void>((resolve) => lists.push(resolve));
    return whole(id, {});
  });
  for (const id of [1, 2, 3]) send({ id, method: "tools/call", params: { name: "t" } });
  await until(() => lists.length > 0);
  send({ method: "notifications/cancelled", params: { requestId: 2 } });
  lists[0]?.();
  await until(() => heard.length === 4);
  assert.deepEqual(calls, [1, 3]);
  assert.equal(lists.length, 1);
});

test("a state that the server gives its client counts while the call is under way", async () => {
  const requestState = "x".repeat(5 * 1024 * 1024);
  const inputRequests = { a: { method: "elicitation/create", params: {} } };
  const { send, heard } = await scene((id) =>
    Promise.resolve(whole(id, { resultType: "input_required", requestState, inputRequests })),
  );
  send(call(1));
  for (let rounds = 0; rounds < 6; rounds++) {
    await until(() => heard.length === rounds + 2);
    const { id } = JSON.parse(heard.at(-1)?.text ?? "") as { id: unknown };
    send({ id, result: {} });
  }
  await until(() => heard.length === 8);
  assert.match(heard.at(-1)?.text ?? "", /too much/);
});

test("a server that has no question yet is asked again after a while, not at once", async (t) => {
  let asked = 0;
  const { send, heard } = await scene((id) => {
    asked += 1;
    return Promise.resolve(
      whole(id, asked < 3 ? { resultType: "input_required", requestState: "later" } : {}),
    );
  });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  send(call(1));
  for (let times = 1; times < 3; times++) {
    await until(() => asked === times);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(asked, times);
    t.mock.timers.tick(250);
  }
  await until(() => heard.length === 2);
});

test("a list whose next page is one that was read has its end there", async () => {
  const methods: string[] = [];
  const { send, heard } = await scene((id, method) => {
    methods.push(method);
    return Promise.resolve(whole(id, method === "tools/list" ? { tools: [], nextCursor: "again" } : {}));
  });
  send({ id: 1, method: "tools/call", params: { name: "t" } });
  await until(() => heard.length === 2);
  assert.deepEqual(methods, ["tools/list", "tools/list", "tools/call"]);
});

test("a fault of ours is a failure of the call alone, and says nothing of itself", async () => {
  const { send, undelivered, heard } = await scene(() => Promise.reject(new TypeError("secret words")));
  send(call(1));
  await until(() => undelivered.length === 1);
  assert.equal(undelivered[0]?.code, "upstream_failed");
  assert.doesNotMatch(undelivered[0].message, /secret/);
  send({ id: 2, method: "ping" });
  await until(() => heard.length === 2);
});

test("a session of the server's own that ended isn't the client's that ended", async () => {
  const { send, undelivered } = await scene(() => Promise.reject(new Refusal("no_such_session", "Gone.")));
  send(call(1));
  await until(() => undelivered.length === 1);
  assert.equal(undelivered[0]?.code, "upstream_failed");
});

test("what comes before initialize is answered was asked too early", async () => {
  const early = utf8(JSON.stringify({ jsonrpc: "2.0", id: 9, method: "ping" }));
  const { undelivered } = await scene(never, (link) => link.send(early, callOf(readFrame(early))));
  assert.equal(undelivered[0]?.code, "bad_message");
});
