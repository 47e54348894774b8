/** Whose turn it is, and for how long, by a clock that only moves when somebody measures. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Contestant, inRounds, recorded } from "./rounds.ts";

interface Taken {
  readonly name: string;
  readonly sliceMs: number;
}

/** @param slowMs what a contestant takes at least, by its name */
async function run(
  weights: Readonly<Record<string, number>>,
  {
    rounds,
    endMs,
    slowMs = {},
  }: { rounds: number; endMs: number; slowMs?: Readonly<Record<string, number>> },
) {
  let now = 0;
  const taken: Taken[] = [];
  const said: string[] = [];
  const contestants: Contestant[] = Object.entries(weights).map(([name, weight]) => ({
    name,
    weight,
    warmUp: () => Promise.resolve(),
    turn: (sliceMs) => {
      taken.push({ name, sliceMs });
      now += Math.max(sliceMs, slowMs[name] ?? 0);
      return Promise.resolve();
    },
  }));
  await inRounds(contestants, {
    rounds,
    endMs,
    nowMs: () => now,
    onTurn: ({ round, name }) => void said.push(`${round} ${name}`),
  });
  return { taken, said, now };
}

test("everybody is in each round, and another one begins it", async () => {
  const { taken, said } = await run({ a: 1, b: 1, c: 1 }, { rounds: 4, endMs: 1200 });
  assert.equal(taken.map(({ name }) => name).join(""), "abcbcacababc");
  assert.deepEqual(said.slice(0, 6), ["0 a", "0 b", "0 c", "1 a", "1 b", "1 c"]);
});

test("slices are as the weights, and together as long as the budget", async () => {
  const { taken, now } = await run({ a: 1, b: 3 }, { rounds: 2, endMs: 800 });
  assert.deepEqual(
    taken.map(({ sliceMs }) => Math.round(sliceMs)),
    [100, 300, 300, 100],
  );
  assert.equal(Math.round(now), 800);
});

test("whoever is slow takes time from the others, and makes the run late by no more than its last turn", async () => {
  const { taken, now } = await run(
    { a: 1, slow: 1, b: 1 },
    { rounds: 6, endMs: 3600, slowMs: { slow: 450 } },
  );
  assert.ok(now >= 3600 && now <= 3600 + 450, String(now)); // It is last in two rounds; one is made up for.
  const others = taken.filter(({ name }) => name !== "slow").map(({ sliceMs }) => sliceMs);
  assert.ok(others.every((sliceMs) => sliceMs <= 201) && Math.min(...others) < 150, others.join(" "));
});

test("when the time is up, everybody still has a turn worth measuring", async () => {
  const { taken } = await run({ slow: 1, a: 1, b: 1 }, { rounds: 3, endMs: 10, slowMs: { slow: 250 } });
  assert.equal(taken.length, 9);
  assert.ok(taken.every(({ sliceMs }) => sliceMs >= 3));
});

test("what is measured while warming up counts for nothing", async () => {
  let sampled = 0;
  const contestant = recorded("a", 1, () => Promise.resolve(sampled++));
  await inRounds([contestant], { rounds: 3, endMs: 3, nowMs: () => 0 });
  assert.deepEqual(contestant.samples, [1, 2, 3]);
});
