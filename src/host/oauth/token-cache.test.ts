/** Tokens by whom they are for: who waits for whom, and how often is asked. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { tokenCache } from "./token-cache.ts";

function clock(): { readonly nowUnixMs: () => number; now: number } {
  const it = { now: 0, nowUnixMs: () => it.now };
  return it;
}

test("what can't be had is asked for after one second, two, four, and never later than a minute", async () => {
  const time = clock();
  const cache = tokenCache(time);
  const asked: number[] = [];
  const fail = (): Promise<never> => {
    asked.push(time.now);
    return Promise.reject(new Refusal("upstream_failed", "down"));
  };
  for (time.now = 0; time.now <= 200_000; time.now += 500) await assert.rejects(cache.get("k", fail));
  const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
  assert.deepEqual(gaps, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(
    (await cache.get("other", () => Promise.resolve({ value: "t" }))).value,
    "t",
    "others aren't held up",
  );
});

test("a consent that is missing is looked for at each call", async () => {
  const cache = tokenCache(clock());
  await assert.rejects(cache.get("k", () => Promise.reject(new Refusal("grant_needed", "ask"))));
  assert.equal((await cache.get("k", () => Promise.resolve({ value: "t" }))).value, "t");
});

test("a token that came since isn't dropped with the one before", async () => {
  const cache = tokenCache(clock());
  const first = await cache.get("k", () => Promise.resolve({ value: "1" }));
  cache.drop("k", first);
  await cache.get("k", () => Promise.resolve({ value: "2" }));
  cache.drop("k", first);
  assert.equal((await cache.get("k", () => Promise.resolve({ value: "3" }))).value, "2");
});

test("tokens of many callers stay within their bound, and who came first goes first", async () => {
  const cache = tokenCache(clock());
  for (let caller = 0; caller < 4097; caller++)
    await cache.get(String(caller), () => Promise.resolve({ value: "old" }));
  const fresh = (): Promise<{ readonly value: string }> => Promise.resolve({ value: "new" });
  assert.equal((await cache.get("4096", fresh)).value, "old");
  assert.equal((await cache.get("0", fresh)).value, "new");
});
