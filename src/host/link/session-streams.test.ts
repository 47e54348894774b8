/** Streams without sockets: who gets what again, what is kept, and for how long. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import type { AnswerEvent } from "../../gate/call.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { sseReader } from "../../wire/sse.ts";
import type { Connection, SessionStream } from "./session-stream.ts";
import { type KeepLimits, SessionStreams } from "./session-streams.ts";

const roomy: KeepLimits = { events: 100, bytes: 100_000, unreadMs: 60_000 };

function streams(
  t: TestContext,
  limits: Partial<KeepLimits> = {},
): { readonly all: SessionStreams; readonly lost: () => number } {
  let lost = 0;
  const all = new SessionStreams({ ...roomy, ...limits }, () => (lost += 1));
  t.after(() => all.close());
  return { all, lost: () => lost };
}

function connection(options: Partial<Connection> = {}): Connection {
  return {
    flow: { pause: () => {}, resume: () => {} },
    gone: new AbortController().signal,
    takesPriming: true,
    ...options,
  };
}

function say(stream: SessionStream, ...messages: readonly string[]): void {
  for (const message of messages) stream.add(utf8(message));
}

interface Heard {
  readonly said: readonly string[];
  readonly lastId: string;
}

/** Reads until the stream ends, or was heard to say `until`. */
async function hear(events: AsyncIterable<AnswerEvent>, until?: string): Promise<Heard> {
  const reader = sseReader(1_000_000);
  const said: string[] = [];
  let lastId = "";
  for await (const { raw } of events) {
    for (const event of reader.push(raw)) {
      const text = fromUtf8(event.data ?? new Uint8Array(0)) ?? "";
      if (text !== "") said.push(text);
      lastId = event.id ?? lastId;
    }
    if (until !== undefined && said.at(-1) === until) break;
  }
  return { said, lastId };
}

function rest(
  all: SessionStreams,
  id: string,
  options: Partial<Connection> = {},
): AsyncIterable<AnswerEvent> {
  const found = all.find(id);
  assert.ok(found);
  return found.stream.read(connection(options), found.seq);
}

test("whoever comes back with an id gets the rest of that stream, and of no other", async (t) => {
  const { all } = streams(t);
  const [one, two] = [all.open({}), all.open({})];
  const first = hear(one.read(connection(), 0), "a1");
  say(one, "a1");
  say(two, "b1");
  const { lastId } = await first;
  say(one, "a2", "a3");
  say(two, "b2");
  one.finish();
  assert.deepEqual((await hear(rest(all, lastId))).said, ["a2", "a3"]);
  assert.deepEqual((await hear(rest(all, lastId))).said, ["a2", "a3"], "and again, if that was lost too");
});

test("an id of another session, of the future, or no id at all, names nothing", async (t) => {
  const [{ all }, other] = [streams(t), streams(t)];
  const stream = all.open({});
  say(other.all.open({}), "b1");
  say(stream, "a1");
  stream.finish();
  const { lastId } = await hear(stream.read(connection(), 0));
  assert.ok(all.find(lastId));
  assert.equal(other.all.find(lastId), undefined);
  for (const id of [lastId.replace(/\d+$/, "2"), `${lastId}x`, "", "1", "a.0.0"]) {
    assert.equal(all.find(id), undefined, id);
  }
});

test("a client that takes it is told at once how to come back, any other hears messages alone", async (t) => {
  const { all } = streams(t);
  const stream = all.open({});
  stream.finish();
  const raw: string[] = [];
  for await (const event of stream.read(connection(), 0)) raw.push(fromUtf8(event.raw) ?? "");
  assert.equal(raw.length, 1);
  assert.match(raw[0] ?? "", /^id: [\w-]{8}\.\d+\.0\nretry: 500\ndata: \n\n$/);
  assert.deepEqual((await hear(stream.read(connection({ takesPriming: false }), 0))).lastId, "");
});

test("a connection takes the place of the one before, which hears no more", async (t) => {
  const { all } = streams(t);
  const stream = all.open({});
  const before = hear(stream.read(connection(), 0));
  say(stream, "a1");
  const after = hear(stream.read(connection(), 0));
  say(stream, "a2");
  stream.finish();
  assert.deepEqual((await before).said, []);
  assert.deepEqual((await after).said, ["a1", "a2"]);
});

test("a connection that breaks fails, and one whose time is over ends; the stream goes on in both cases", async (t) => {
  const { all } = streams(t);
  const stream = all.open({});
  const gone = new AbortController();
  const broken = hear(stream.read(connection({ gone: gone.signal }), 0));
  gone.abort();
  await assert.rejects(broken, /went away/);
  const { lastId } = await hear(stream.read(connection({ closeAfterMs: 5 }), 0));
  say(stream, "late");
  stream.finish();
  assert.deepEqual((await hear(rest(all, lastId))).said, ["late"]);
});

test("a server that was told to wait for a reader goes on when that reader has gone", (t) => {
  const { all } = streams(t, { bytes: 100 });
  const stream = all.open({});
  let pauses = 0;
  const flow = { pause: () => void (pauses += 1), resume: () => void (pauses -= 1) };
  const gone = new AbortController();
  stream.read(connection({ flow, gone: gone.signal }), 0);
  say(stream, "x".repeat(5 * 1024 * 1024));
  assert.equal(pauses, 1);
  gone.abort();
  assert.equal(pauses, 0);
  say(stream, "x".repeat(5 * 1024 * 1024));
  assert.equal(pauses, 0);
});

test("what nobody fetches stays within its bounds: the newest event whatever its length, others if there is room", (t) => {
  const { all, lost } = streams(t, { events: 10, bytes: 2000 });
  const stream = all.open({});
  for (let i = 0; i < 1000; i++) {
    say(stream, "x".repeat(i % 500));
    assert.ok(all.bytes <= 2000, `${all.bytes} bytes after event ${i}`);
  }
  assert.ok(lost() > 0);
  say(stream, "y".repeat(50_000));
  assert.ok(all.bytes > 50_000);
  say(stream, "z");
  assert.ok(all.bytes < 100);
});

test("a long answer is kept until it was written to its client, and no longer", async (t) => {
  const { all } = streams(t, { bytes: 2000 });
  const stream = all.open({});
  say(stream, "y".repeat(50_000));
  stream.finish();
  assert.ok(all.bytes > 50_000);
  assert.equal((await hear(stream.read(connection(), 0))).said[0]?.length, 50_000);
  assert.equal(all.bytes, 0);
});

test("many small events stay within their number", async (t) => {
  const { all } = streams(t, { events: 10 });
  const stream = all.open({});
  for (let i = 1; i <= 1000; i++) say(stream, String(i));
  stream.finish();
  const { said } = await hear(stream.read(connection(), 0));
  assert.deepEqual(said, ["991", "992", "993", "994", "995", "996", "997", "998", "999", "1000"]);
});

test("what a client has seen makes way before what none has", async (t) => {
  const { all, lost } = streams(t, { events: 3 });
  const [seen, unseen] = [all.open({}), all.open({})];
  say(unseen, "answer");
  unseen.finish();
  const reading = hear(seen.read(connection(), 0), "s4");
  for (const message of ["s1", "s2", "s3", "s4"]) {
    say(seen, message);
    await new Promise(setImmediate); // The reader's turn.
  }
  await reading;
  assert.deepEqual((await hear(unseen.read(connection(), 0))).said, ["answer"]);
  assert.equal(lost(), 0);
});

test("a finished stream can be fetched for a while, is then forgotten, and an unfinished one is given up", async (t) => {
  const { all } = streams(t, { unreadMs: 30 });
  const abandoned = Promise.withResolvers<void>();
  const [done, open] = [all.open({}), all.open({ onAbandoned: abandoned.resolve })];
  say(done, "answer");
  const { lastId } = await hear(done.read(connection(), 0), "answer");
  done.finish();
  assert.ok(all.find(lastId));
  const gone = new AbortController();
  const events = hear(open.read(connection({ gone: gone.signal }), 0));
  gone.abort();
  await assert.rejects(events);
  await abandoned.promise;
  const deadline = performance.now() + 5000;
  while (all.find(lastId) !== undefined && performance.now() < deadline) await new Promise(setImmediate);
  assert.equal(all.find(lastId), undefined);
  assert.equal(all.bytes, 0);
});
