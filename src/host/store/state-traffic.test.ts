/** Traffic kept in its file: summed, coarser with age, bounded. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { openTraffic, resolutions, type StoredMinute, type TrafficStore } from "./state-traffic.ts";
import { maxRoutes, readTraffic, type TrafficReader } from "./traffic-reader.ts";

const minute = 60_000;
const day = 86_400_000;
const now = 20_000 * day;

function minuteOf(atUnixMs: number, ...callers: readonly string[]): StoredMinute {
  const rest = { server: "files", verdict: "allowed", link: "hybrid X -", serverLink: "" };
  const sums = { calls: 1, requestBytes: 10, answerBytes: 20, ms: 5, risky: 0 };
  const rows = callers.map((caller) => ({ atUnixMs, caller, ...rest, ...sums }));
  return { rows, spread: { atUnixMs, ms: [callers.length, 0], risk: [0, 1] } };
}

async function opened(
  t: Parameters<typeof temporaryFolder>[0],
): Promise<{ store: TrafficStore; reader: TrafficReader; file: string }> {
  const file = path.join(await temporaryFolder(t), "traffic.sqlite");
  const store = openTraffic(file);
  const reader = readTraffic(file);
  t.after(reader.close);
  return { store, reader, file };
}

function asked(step: 0 | 1 | 2, over: { readonly caller?: string } = {}) {
  return { stepMs: resolutions[step].stepMs, fromUnixMs: 0, toUnixMs: now + 2 * day, ...over };
}

test("minutes are summed into tens of minutes and hours, over restarts, too", async (t) => {
  const { store, reader, file } = await opened(t);
  store.add([minuteOf(now, "a", "b"), minuteOf(now + minute, "a")], now + minute);
  store.close();
  const again = openTraffic(file);
  t.after(again.close);
  again.add([minuteOf(now + 11 * minute, "a")], now + 11 * minute);
  const steps = [0, 1, 2] as const;
  assert.deepEqual(
    steps.map((step) => reader.overTime(asked(step)).map(({ calls }) => calls)),
    [[2, 1, 1], [3, 1], [4]],
  );
  assert.deepEqual(
    reader.byRoute(asked(2)).map(({ caller, calls, ms }) => [caller, calls, ms]),
    [
      ["a", 3, 15],
      ["b", 1, 5],
    ],
  );
  assert.deepEqual(
    reader.overTime(asked(2, { caller: "b" })).map(({ calls }) => calls),
    [1],
  );
  assert.deepEqual(reader.spreads(asked(2)), [{ atUnixMs: now, ms: [4, 0], risk: [0, 3] }]);
  assert.equal(reader.firstSeen({ caller: "b" }), now);
  assert.equal(reader.firstSeen({ caller: "c" }), undefined);
});

test("what is older than its resolution is kept is gone", async (t) => {
  const { store, reader } = await opened(t);
  t.after(store.close);
  store.add([minuteOf(now, "a")], now);
  store.add([minuteOf(now + day, "a")], now + day);
  assert.deepEqual(
    ([0, 1, 2] as const).map((step) => reader.overTime(asked(step)).length),
    [1, 2, 2],
  );
  store.add([], now + 61 * day);
  assert.deepEqual(
    ([0, 1, 2] as const).map((step) => reader.overTime(asked(step)).length),
    [0, 0, 1],
  );
});

test("callers without number are summed up as nobody's", async (t) => {
  const { store, reader } = await opened(t);
  t.after(store.close);
  const names = (from: number) => Array.from({ length: 150 }, (_, i) => `caller-${from + i}`);
  for (const at of [0, 1, 2]) store.add([minuteOf(now + at * minute, ...names(at * 150))], now);
  const rows = reader.byRoute(asked(2));
  assert.equal(rows.length, 201);
  assert.equal(rows.find(({ caller }) => caller === "")?.calls, 250);
});

test("changes are noted once, newest first, in pages", async (t) => {
  const { store, reader } = await opened(t);
  t.after(store.close);
  store.noteChanges([3, 9, 5].map((index) => ({ index, atUnixMs: index * 10 })));
  store.noteChanges([{ index: 9, atUnixMs: 90 }]);
  const pageBefore = (before: number) =>
    reader.changes({ sinceUnixMs: 40, before, limit: 1 }).map(({ index }) => index);
  assert.deepEqual([pageBefore(100), pageBefore(9), pageBefore(5)], [[9], [5], []]);
});

test("steps longer than an hour are summed up from hours", async (t) => {
  const { store, reader } = await opened(t);
  t.after(store.close);
  for (const at of [0, 1, 5, 6]) store.add([minuteOf(now + at * 60 * minute, "a")], now + at * 60 * minute);
  const sixHours = { ...asked(2), stepMs: 6 * 60 * minute };
  assert.deepEqual(
    reader.overTime(sixHours).map(({ atUnixMs, calls }) => [atUnixMs - now, calls]),
    [
      [0, 3],
      [6 * 60 * minute, 1],
    ],
  );
  assert.deepEqual(reader.spreads(sixHours), [
    { atUnixMs: now, ms: [3, 0], risk: [0, 3] },
    { atUnixMs: now + 6 * 60 * minute, ms: [1, 0], risk: [0, 1] },
  ]);
});

test("of callers without number the busiest are told apart, and none is lost", async (t) => {
  const { store, reader } = await opened(t);
  t.after(store.close);
  const hours = Array.from({ length: 12 }, (_, hour) => now + hour * 60 * minute);
  for (const at of hours)
    store.add([minuteOf(at, "busy", ...Array.from({ length: 190 }, (_, i) => `once-${at}-${i}`))], at);
  const rows = reader.byRoute(asked(2));
  assert.equal(rows.length, maxRoutes + 1);
  assert.equal(rows.find(({ caller }) => caller === "busy")?.calls, 12);
  assert.equal(
    rows.reduce((sum, { calls }) => sum + calls, 0),
    12 * 191,
  );
});
