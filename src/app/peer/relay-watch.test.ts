import assert from "node:assert/strict";
import { test } from "node:test";

import type { Spliced } from "../../host/peer/splices.ts";
import type { Log } from "../../kernel/log.ts";
import { type RelayWatch, watchRelayed } from "./relay-watch.ts";

interface Watched {
  readonly watch: RelayWatch;
  readonly events: string[];
  /** A request and its answer on a stream, a second after the one before. */
  readonly exchange: (up: number, down: number) => void;
  readonly over: () => void;
}

function watched(): Watched {
  const events: string[] = [];
  const none = (): void => undefined;
  const log: Log = { debug: none, info: none, error: none, warn: (event) => void events.push(event) };
  let nowUnixMs = Date.UTC(2026, 10, 21, 8);
  const watch = watchRelayed({ clock: { nowUnixMs: () => nowUnixMs }, log });
  const sums = { bytesToPeer: 0, bytesToCaller: 0 };
  const stream = (): Spliced => ({
    id: "one",
    caller: "spiffe://a.test/agent/x",
    peer: "spiffe://a.test/server/files",
    server: "files",
    beganUnixMs: 0,
    ...sums,
  });
  const pass = (direction: "to-peer" | "to-caller", bytes: number): void => {
    sums[direction === "to-peer" ? "bytesToPeer" : "bytesToCaller"] += bytes;
    watch.passed(stream(), direction, bytes);
  };
  return {
    watch,
    events,
    exchange: (up, down) => {
      nowUnixMs += 1000;
      if (up > 0) pass("to-peer", up);
      nowUnixMs += 50;
      // In pieces, between which the caller opens its window further.
      for (let left = down; left > 0; left -= 1_000_000) {
        pass("to-caller", Math.min(left, 1_000_000));
        if (left > 1_000_000) pass("to-peer", 50);
      }
    },
    over: () => watch.over(stream()),
  };
}

test("what passes is counted, a stream once", () => {
  const { watch, exchange } = watched();
  for (let i = 0; i < 10; i++) exchange(100, 500);
  assert.deepEqual(watch.totals(), { streams: 1, bytesToPeer: 1000, bytesToCaller: 5000 });
});

test("a day's work of the usual kind is told to nobody", () => {
  const { watch, events, exchange } = watched();
  for (let i = 0; i < 3000; i++) exchange(400 + (i % 7) * 10, 2000 + (i % 11) * 50);
  assert.deepEqual(watch.findings(), []);
  assert.deepEqual(events, []);
});

test("megabytes that go out at once, with nothing coming back, are told while they do, whose they are", () => {
  const { watch, events, exchange } = watched();
  for (let i = 0; i < 700; i++) exchange(400, 2000);
  for (let i = 0; i < 40; i++) exchange(64 * 1024, 0);
  const [finding] = watch.findings();
  assert.match(finding?.flow ?? "", /agent\/x .*files$/);
  assert.ok(events.length > 0 && events.every((event) => event === "flow.finding"));
});

test("a stream's last answer counts when the stream is over, however long it took", () => {
  const { watch, exchange, over } = watched();
  for (let i = 0; i < 1000; i++) exchange(400, 2000);
  exchange(400, 130_000_000);
  assert.deepEqual(watch.findings(), []);
  over();
  for (let i = 0; i < 64; i++) exchange(400, 2000);
  assert.match(watch.findings()[0]?.kind ?? "", /bulk|exfil|volume/);
});

test("findings and what is held of streams stay within bounds", () => {
  const { watch, exchange } = watched();
  for (let i = 0; i < 5000; i++) exchange(2 * 1024 * 1024, 0);
  assert.ok(watch.findings().length <= 50);
});
