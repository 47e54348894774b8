import assert from "node:assert/strict";
import { test } from "node:test";

import { seededRandom } from "./seeded-random.ts";

test("the same seed gives the same numbers, another one others", () => {
  const [one, same, other] = [7, 7, 8].map((seed) => Array.from({ length: 5 }, seededRandom(seed)));
  assert.deepEqual(one, same);
  assert.notDeepEqual(one, other);
});

test("the numbers fill [0, 1) evenly", () => {
  const random = seededRandom(1);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 10_000; i++) {
    const at = Math.floor(random() * 10);
    counts[at] = (counts[at] ?? Number.NaN) + 1;
  }
  assert.ok(
    counts.every((count) => count > 850 && count < 1150),
    counts.join(" "),
  );
});
