import assert from "node:assert/strict";
import { test } from "node:test";

import { auc, tprAt } from "./roc.ts";

for (const [attacks, benign, area] of [
  [[3, 4], [1, 2], 1],
  [[1, 2], [3, 4], 0],
  [[1, 1], [1, 1], 0.5],
  [[2, 4], [1, 3], 0.75],
  [[], [1], Number.NaN],
] as const) {
  test(`attacks ${attacks.join(" ")} against benign ${benign.join(" ")} have an area of ${area}`, () => {
    assert.equal(auc({ attacks, benign }), area);
  });
}

test("what is caught at a rate of false alarms is above all but that share of what is benign", () => {
  const benign = Array.from({ length: 100 }, (_, i) => i);
  assert.equal(tprAt({ attacks: [98, 98.5, 99, 100], benign }, 0.01), 0.75);
  assert.equal(tprAt({ attacks: [98, 98.5, 99, 100], benign }, 0.001), 0.25);
  assert.equal(tprAt({ attacks: [99], benign: [99, 99] }, 0.01), 0, "a tie isn't caught");
});
