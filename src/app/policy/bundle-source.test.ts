/** How often a URL is asked for its bundle. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { pauseAfter } from "./bundle-source.ts";

const minute = 60_000;

for (const [everyMs, pauses] of [
  [minute, [minute, 5000, 10_000, 20_000, 40_000, 80_000]],
  [1000, [1000, 1000, 2000, 4000]],
  [60 * minute, [60 * minute, 5000, 10_000]],
] as const) {
  test(`asked every ${everyMs} ms, it is asked again soon after a failure, then ever later`, () => {
    assert.deepEqual(
      pauses.map((_, failures) => pauseAfter(failures, everyMs)),
      pauses,
    );
  });
}

test("however often it fails, it is asked every ten minutes, or as seldom as it would be", () => {
  for (const failures of [12, 1000, 5000]) {
    assert.equal(pauseAfter(failures, minute), 10 * minute);
    assert.equal(pauseAfter(failures, 60 * minute), 60 * minute);
  }
});
