import assert from "node:assert/strict";
import { test } from "node:test";

import { tests } from "../../compliance/tests.ts";
import { refusalTests } from "./refusal-tests.ts";
import { settingTests } from "./setting-tests.ts";

test("each test of the table can be run, and no other", () => {
  const runnable = Object.keys({ ...refusalTests, ...settingTests });
  assert.deepEqual(runnable.toSorted(), Object.keys(tests).toSorted());
});
