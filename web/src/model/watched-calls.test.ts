import assert from "node:assert/strict";
import { test } from "node:test";

import { readBatch } from "./live-calls.ts";
import { type CallFilter, nothingWatched, shownOf, watch, type Watched } from "./watched-calls.ts";

test("another filter shows what fits it of what came before, and what was counted stays counted", () => {
  const batch = (...calls: readonly (readonly [id: string, verdict: string])[]) =>
    readBatch({
      calls: calls.map(([callId, verdict], at) => ({ callId, verdict, what: "files/read", atUnixMs: at })),
      counts: { calls: 100, allowed: 100 },
    });
  const ids = (watched: Watched, filter: CallFilter) =>
    shownOf(watched, [], filter).map(({ callId }) => callId);
  const [all, denied] = [
    { text: "", verdict: "" },
    { text: "", verdict: "denied" },
  ];
  const first = watch(nothingWatched, batch(["a", "allowed"], ["b", "denied"]), all);
  assert.deepEqual([ids(first, all), ids(first, denied)], [["b", "a"], ["b"]]);
  const second = watch(first, batch(["c", "denied"]), denied);
  assert.deepEqual([second.counts.calls, second.told], [200, 3]);
  assert.deepEqual(ids(second, denied).toSorted(), ["b", "c"]);
  assert.deepEqual(ids(second, all).toSorted(), ["a", "b", "c"]);
});

test("calls that fit a filter stay, however many come that don't", () => {
  const many = (from: number) => ({
    calls: Array.from({ length: 20 }, (_, i) => ({
      callId: `m${from + i}`,
      verdict: "allowed",
      atUnixMs: from,
    })),
    counts: {},
  });
  const filter = { text: "", verdict: "denied" };
  const rare = { calls: [{ callId: "rare", verdict: "denied", atUnixMs: 1 }], counts: {} };
  let watched = watch(nothingWatched, readBatch(rare), filter);
  for (let from = 100; from < 1000; from += 20) watched = watch(watched, readBatch(many(from)), filter);
  assert.deepEqual(
    shownOf(watched, [], filter).map(({ callId }) => callId),
    ["rare"],
  );
  assert.equal(watched.recent.length, 100);
});
