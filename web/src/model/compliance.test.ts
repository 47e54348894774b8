import assert from "node:assert/strict";
import { test } from "node:test";

import { readReport } from "./compliance.ts";

test("a verdict that isn't understood isn't met, and what isn't there is empty", () => {
  const controls = ["met", "not met", "MET", 1, undefined].map((verdict) => ({ id: "C", verdict }));
  const { frameworks, tests } = readReport({
    frameworks: [{ name: "x", controls }],
    tests: [{ result: null }],
  });
  assert.deepEqual(
    frameworks[0]?.controls.map(({ verdict }) => verdict),
    ["met", "not met", "no evidence", "no evidence", "no evidence"],
  );
  assert.deepEqual(frameworks[0]?.levels, []);
  assert.equal(tests[0]?.result, undefined);
  for (const nothing of [undefined, null, "report", { frameworks: "none", tests: 3 }])
    assert.deepEqual(readReport(nothing).frameworks, []);
});
