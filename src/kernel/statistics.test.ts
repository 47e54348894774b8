/** Medians, quantiles and spreads, by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { figureOf, median, quantile } from "./statistics.ts";

const medians: readonly (readonly [readonly number[], number])[] = [
  [[], 0],
  [[7], 7],
  [[9, 1], 5],
  [[5, 1, 3], 3],
  [[10, 1, 3, 100], 6.5],
];
for (const [values, expected] of medians)
  test(`the median of [${values.join(", ")}] is ${expected}`, () => assert.equal(median(values), expected));

test("a quantile is a value that was measured, the last one at most", () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 3);
  assert.equal(quantile([1, 2, 3, 4], 1), 4);
  assert.equal(quantile([], 0.5), 0);
});

test("one value far off moves neither the median nor the spread", () => {
  const calm = figureOf([98, 99, 100, 101, 102, 100, 100]);
  assert.deepEqual(figureOf([98, 99, 100, 101, 5000, 100, 100]), calm);
  assert.equal(calm.median, 100);
  assert.equal(calm.spread, 0.01);
  assert.deepEqual(figureOf([]), { median: 0, spread: 0 });
});
