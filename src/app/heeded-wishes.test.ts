/** Renewals that are asked for come at once, and ever more seldom while nothing comes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { heededWishes } from "./heeded-wishes.ts";

const wish = { beforeUnixMs: 5_000_000 };

/** What a sidecar does that is asked with every call, ten times a second, for an hour. @returns when it renewed, in seconds */
function renewals(renew: (now: number) => { readonly how: "done" | "failed"; readonly madeUnixMs: number }) {
  const begin = 10_000_000;
  let now = begin;
  let madeUnixMs = 0;
  const wishes = heededWishes({ nowUnixMs: () => now }, ({ beforeUnixMs }) => madeUnixMs >= beforeUnixMs);
  const seconds: number[] = [];
  for (; now < begin + 3_600_000; now += 100) {
    wishes.take(wish);
    if ((wishes.dueUnixMs() ?? Infinity) > now) continue;
    seconds.push((now - begin) / 1000);
    const { how, madeUnixMs: made } = renew(now);
    madeUnixMs = made;
    if (how === "done") wishes.renewed();
    else assert.throws(() => wishes.failed(new Error("no luck")), /no luck/);
  }
  return seconds;
}

test("one that brings what is asked for is the only one", () => {
  assert.deepEqual(
    renewals((now) => ({ how: "done", madeUnixMs: now })),
    [0],
  );
});

for (const [name, how] of [
  ["fail", "failed"],
  ["bring the same again", "done"],
] as const) {
  test(`those that ${name} come after pauses that grow, up to a quarter of an hour`, () => {
    const seconds = renewals(() => ({ how, madeUnixMs: 0 }));
    assert.deepEqual(seconds, [0, 4, 12, 28, 60, 124, 252, 508, 1020, 1920, 2820]);
  });
}

test("a success lets the next one come soon again", () => {
  let now = 0;
  let isMet = false;
  const wishes = heededWishes({ nowUnixMs: () => now }, () => isMet);
  wishes.take(wish);
  for (let time = 0; time < 5; time++) assert.throws(() => wishes.failed(new Error("no luck")));
  assert.equal(wishes.isPausing(), true);
  now = 64_000;
  isMet = true;
  wishes.renewed();
  assert.equal(wishes.isPausing(), false);
  isMet = false;
  wishes.take(wish);
  assert.equal(wishes.dueUnixMs(), 66_000);
});

test("what is said once while a renewal is under way is due after it, until it is met or taken back", () => {
  const wishes = heededWishes({ nowUnixMs: () => 0 }, () => false);
  wishes.take(wish);
  wishes.renewed();
  assert.equal(wishes.dueUnixMs(), 4000);
  wishes.take(undefined);
  assert.equal(wishes.dueUnixMs(), undefined);
});
