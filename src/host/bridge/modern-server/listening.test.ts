import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { fromUtf8, utf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import {
  type NotificationFrame,
  readFrame,
  type RequestFrame,
  type ResponseFrame,
} from "../../../wire/frame.ts";
import { onAbort } from "../../on-abort.ts";
import { Listening } from "./listening.ts";

interface Stream {
  readonly id: unknown;
  readonly asked: { readonly resourceSubscriptions?: readonly string[] };
  readonly acknowledge: () => void;
  readonly tell: (method: string) => void;
  readonly fail: (refusal: Refusal) => void;
  readonly answer: (rest: object) => void;
  readonly isOver: () => boolean;
}

interface Scene {
  readonly listening: Listening;
  readonly streams: readonly Stream[];
  readonly said: readonly string[];
  readonly broken: readonly (number | undefined)[];
  readonly pass: (ms: number) => Promise<void>;
}

function scene(
  t: TestContext,
  capabilities: object = { tools: { listChanged: true }, resources: { subscribe: true } },
): Scene {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const streams: Stream[] = [];
  const said: string[] = [];
  const broken: (number | undefined)[] = [];
  let now = 0;
  let ids = 0;
  const listening = new Listening({
    capabilities: capabilities as Readonly<Record<string, unknown>>,
    envelope: () => ({}),
    newId: () => `own.${ids++}`,
    say: ({ bytes }) => void said.push(fromUtf8(bytes) ?? ""),
    onBroken: (_refusal, inMs) => void broken.push(inMs),
    clock: { nowUnixMs: () => now },
    open: (listen, gone, onNotice) =>
      new Promise<ResponseFrame>((resolve, reject) => {
        let isOver = false;
        const over = (): void => void (isOver = true);
        onAbort(gone, () => {
          over();
          reject(new Refusal("upstream_failed", "Dropped."));
        });
        streams.push({
          id: listen.id,
          asked: filterOf(listen),
          acknowledge: () =>
            onNotice(
              tagged("notifications/subscriptions/acknowledged", listen, { notifications: filterOf(listen) }),
            ),
          tell: (method) => onNotice(tagged(method, listen)),
          fail: (refusal) => {
            over();
            reject(refusal);
          },
          answer: (rest) => {
            over();
            resolve(
              readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: listen.id, ...rest }))) as ResponseFrame,
            );
          },
          isOver: () => isOver,
        });
      }),
  });
  t.after(() => listening.stop());
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    t.mock.timers.tick(ms);
    await settled();
  };
  return { listening, streams, said, broken, pass };
}

function filterOf({ bytes }: RequestFrame): Stream["asked"] {
  return (JSON.parse(fromUtf8(bytes) ?? "") as { params: { notifications: Stream["asked"] } }).params
    .notifications;
}

function tagged(method: string, { id }: RequestFrame, more: object = {}): NotificationFrame {
  const params = { ...more, _meta: { "io.modelcontextprotocol/subscriptionId": id } };
  return readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", method, params }))) as NotificationFrame;
}

async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

const down = new Refusal("upstream_failed", "Down.");

test("a subscription holds when the server has acknowledged it; the stream before ends no sooner", async (t) => {
  const { listening, streams, said } = scene(t);
  listening.start();
  await settled();
  streams[0]?.acknowledge();
  let isDone = false;
  const done = listening.subscribe("a:1").then(() => (isDone = true));
  await settled();
  assert.deepEqual([isDone, streams.length, streams[0]?.isOver()], [false, 2, false]);
  streams[1]?.tell("notifications/before");
  streams[0]?.tell("notifications/first");
  streams[1]?.acknowledge();
  await done;
  assert.equal(streams[0]?.isOver(), true);
  streams[0].tell("notifications/late");
  streams[1]?.tell("notifications/second");
  assert.deepEqual(
    said.map((text) => (JSON.parse(text) as { method: string }).method),
    ["notifications/first", "notifications/second"],
    "nothing before the acknowledgement, nothing after the end",
  );
});

test("a subscription that isn't acknowledged in time isn't one, and its stream is dropped", async (t) => {
  const { listening, streams, pass } = scene(t);
  const done = assert.rejects(listening.subscribe("a:1"), { code: "upstream_timeout" });
  await settled();
  await pass(10_000);
  await done;
  assert.equal(streams[0]?.isOver(), true);
  const again = listening.subscribe("a:2");
  await settled();
  streams[1]?.acknowledge();
  await again;
  assert.deepEqual(streams[1]?.asked.resourceSubscriptions, ["a:2"]);
});

test("a stream that breaks again and again is opened ever more seldom, and at once again after one that lasted", async (t) => {
  const { listening, streams, broken, pass } = scene(t);
  listening.start();
  await settled();
  for (let i = 0; i < 9; i++) {
    assert.equal(streams.length, i + 1);
    streams[i]?.acknowledge();
    streams[i]?.fail(down);
    await settled();
    const inMs = broken[i] ?? 0;
    await pass(inMs - 1);
    assert.equal(streams.length, i + 1, "not sooner");
    await pass(1);
  }
  assert.deepEqual(broken, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  streams[9]?.acknowledge();
  await settled();
  await pass(60_000);
  streams[9]?.answer({ result: {} });
  await settled();
  assert.equal(broken.at(-1), 500);
});

test("a server that says no isn't asked again, until the client subscribes", async (t) => {
  const { listening, streams, broken, pass } = scene(t);
  listening.start();
  await settled();
  streams[0]?.answer({ error: { code: -32601, message: "m" } });
  await settled();
  await pass(120_000);
  assert.deepEqual([streams.length, broken], [1, [undefined]]);
  const done = assert.rejects(listening.subscribe("a:1"), { code: "unknown_name" });
  await settled();
  streams[1]?.answer({ error: { code: -32602, message: "m" } });
  await done;
});

test("without anything to listen to nothing is asked, and nothing is left when the last address goes", async (t) => {
  const { listening, streams } = scene(t, { resources: { subscribe: true } });
  listening.start();
  await settled();
  assert.equal(streams.length, 0);
  const done = listening.subscribe("a:1");
  await settled();
  streams[0]?.acknowledge();
  await done;
  await listening.unsubscribe("a:1");
  assert.deepEqual([streams.length, streams[0]?.isOver()], [1, true]);
});

test("when it is stopped, all streams end, acknowledged or not, and none is opened any more", async (t) => {
  const { listening, streams, pass } = scene(t);
  listening.start();
  await settled();
  streams[0]?.acknowledge();
  const waiting = assert.rejects(listening.subscribe("a:1"));
  const queued = assert.rejects(listening.subscribe("a:2"));
  await settled();
  listening.stop();
  await Promise.all([waiting, queued]);
  assert.deepEqual(
    streams.map((each) => each.isOver()),
    [true, true],
  );
  await pass(600_000);
  listening.start();
  await settled();
  assert.equal(streams.length, 2);
});
