/** Durations and sizes as people write them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { parseDurationMs, parseSizeBytes } from "./units.ts";

const durations: readonly (readonly [string, number | undefined])[] = [
  ["500ms", 500],
  ["90s", 90_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["30d", 2_592_000_000],
  ["0s", 0],
  ["90", undefined],
  ["s", undefined],
  ["1.5s", undefined],
  ["-1s", undefined],
  ["1 s", undefined],
  ["1S", undefined],
  ["999999999999d", undefined],
  ["1__proto__", undefined],
];
for (const [text, expected] of durations) {
  test(`the duration ${JSON.stringify(text)} is ${expected ?? "none"}`, () =>
    assert.equal(parseDurationMs(text), expected));
}

const sizes: readonly (readonly [string, number | undefined])[] = [
  ["1B", 1],
  ["64KiB", 65_536],
  ["8MiB", 8_388_608],
  ["2GiB", 2_147_483_648],
  ["64KB", undefined],
  ["64kib", undefined],
  ["", undefined],
];
for (const [text, expected] of sizes) {
  test(`the size ${JSON.stringify(text)} is ${expected ?? "none"}`, () =>
    assert.equal(parseSizeBytes(text), expected));
}

test("any text is a whole number of units or none", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,14}(ms|s|d|GiB|B|x)?$/)), (text) => {
      for (const value of [parseDurationMs(text), parseSizeBytes(text)]) {
        assert.ok(value === undefined || (Number.isSafeInteger(value) && value >= 0));
      }
    }),
  );
});

test("a duration is no size, and a size no duration", () => {
  for (const text of ["1ms", "1s", "1m", "1h", "1d"]) assert.equal(parseSizeBytes(text), undefined);
  for (const text of ["1B", "1KiB", "1MiB", "1GiB"]) assert.equal(parseDurationMs(text), undefined);
});
