import assert from "node:assert/strict";
import { test } from "node:test";

import { seededRandom } from "../../kernel/seeded-random.ts";
import { calibrationOf, pOf, riskOf } from "./conformal.ts";
import { growTrees, type Growth, type Rows } from "./gbdt.ts";
import { scoreOf } from "./trees.ts";

const growth: Growth = {
  trees: 40,
  depth: 3,
  rate: 0.2,
  leastWeight: 1,
  lambda: 1,
  columnShare: 1,
  rowShare: 0.8,
  seed: 3,
  directions: [1, -1, 0],
  allowed: [true, true, true],
};

/** The first column raises the chance up to its middle and lowers it beyond, the second lowers, the third swings. */
function rows(): Rows {
  const random = seededRandom(1);
  const count = 2000;
  const values = Float64Array.from({ length: count * 3 }, () => Math.round(random() * 1000) / 1000);
  const labels = Uint8Array.from({ length: count }, (_, row) => {
    const [a = 0, b = 0, c = 0] = values.subarray(row * 3, row * 3 + 3);
    return random() < 0.15 + (a < 0.5 ? a : 0.6 - a / 2) - 0.1 * b + 0.3 * Math.sin(9 * c) ? 1 : 0;
  });
  return { values, columns: 3, labels, weights: new Float64Array(count).fill(1) };
}

test("a feature with a direction moves the score in that direction only, whatever the data say", () => {
  const trees = growTrees(rows(), growth);
  const random = seededRandom(9);
  for (let i = 0; i < 500; i++) {
    const [a, b, c, step] = [random(), random(), random(), random() / 4];
    const here = scoreOf(trees, [a, b, c]);
    assert.ok(scoreOf(trees, [a + step, b, c]) >= here);
    assert.ok(scoreOf(trees, [a, b + step, c]) <= here);
  }
  assert.ok(scoreOf(trees, [0.5, 0, 0.17]) > scoreOf(trees, [0, 1, 0.5]) + 0.5, "it has learned something");
});

test("without its direction the first feature would have gone both ways", () => {
  const trees = growTrees(rows(), { ...growth, directions: [0, 0, 0] });
  assert.ok(scoreOf(trees, [0.97, 0.5, 0.5]) < scoreOf(trees, [0.48, 0.5, 0.5]));
});

test("the same rows and seed give the same trees, another seed gives others", () => {
  const once = JSON.stringify(growTrees(rows(), growth));
  assert.equal(JSON.stringify(growTrees(rows(), growth)), once);
  assert.notEqual(JSON.stringify(growTrees(rows(), { ...growth, seed: 4 })), once);
});

test("a column that isn't allowed is never used", () => {
  const { features } = growTrees(rows(), { ...growth, allowed: [true, false, true] });
  assert.ok(!features.includes(1) && features.includes(0));
});

test("what isn't a number scores as zero", () => {
  const trees = growTrees(rows(), growth);
  assert.equal(scoreOf(trees, [Number.NaN, 0.5, 0.5]), scoreOf(trees, [0, 0.5, 0.5]));
});

test("a p-value is the share of benign sessions at or above a score, itself counted, and what chance may have left out", () => {
  const calibration = calibrationOf([Number.NaN, ...Array.from({ length: 299 }, (_, i) => i)]);
  assert.deepEqual(
    [0, 287, 296, 298.5].map((score) => pOf(calibration, score)),
    [1, (1 + 12 + 12) / 300, (1 + 3 + 6) / 300, 1 / 300],
  );
  assert.equal(
    pOf(calibrationOf(Array.from({ length: 999 }, () => -9)), -0.1),
    0.02,
    "more likely benign than not",
  );
  assert.equal(pOf(calibrationOf([]), 5), 1, "without calibration nothing is unusual");
});

test("a risk of 0.6 is one in a hundred, 0.9 one in a thousand", () => {
  const risks = [1, 0.1, 0.01, 0.001, 1e-9].map((p) => Number(riskOf(p).toFixed(6)));
  assert.deepEqual(risks, [0, 0.3, 0.6, 0.9, 1]);
});
