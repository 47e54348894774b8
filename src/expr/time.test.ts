/** Durations, timestamps and clocks. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { type ClockFields, parseDuration, parseTimestamp, utc, zoneClock } from "./time.ts";

const durations: readonly (readonly [string, number | undefined])[] = [
  ["10y", 315_576_000_000],
  ["1y", 31_557_600_000],
  ["2w", 1_209_600_000],
  ["3d", 259_200_000],
  ["1d12h", 129_600_000],
  ["1h30m", 5_400_000],
  ["90s", 90_000],
  ["1.5h", 5_400_000],
  ["250ms", 250],
  ["1500us", 1.5],
  ["0s", 0],
  ["-1h", -3_600_000],
  ["+1h", 3_600_000],
  ["10000y", 315_576_000_000_000],
  ["10001y", undefined],
  ["", undefined],
  ["10", undefined],
  ["y", undefined],
  ["10 y", undefined],
  ["10Y", undefined],
  ["10years", undefined],
  ["1mo", undefined],
  ["1d-2h", undefined],
  [".5h", undefined],
  ["1e3s", undefined],
  ["1s".repeat(10), undefined],
];
for (const [text, ms] of durations) {
  test(`"${text}" is ${ms === undefined ? "no duration" : `${ms} ms`}`, () =>
    assert.equal(parseDuration(text), ms));
}

const timestamps: readonly (readonly [string, number | undefined])[] = [
  ["2030-01-01T00:00:00Z", Date.UTC(2030, 0, 1)],
  ["2030-01-01T00:00:00.250Z", Date.UTC(2030, 0, 1, 0, 0, 0, 250)],
  ["2030-01-01T02:00:00+02:00", Date.UTC(2030, 0, 1)],
  ["2029-12-31T18:30:00-05:30", Date.UTC(2030, 0, 1)],
  ["2028-02-29T00:00:00Z", Date.UTC(2028, 1, 29)],
  ["0001-01-01T00:00:00Z", -62_135_596_800_000],
  ["9999-12-31T23:59:59Z", 253_402_300_799_000],
  ["2026-02-29T00:00:00Z", undefined],
  ["2026-04-31T00:00:00Z", undefined],
  ["2026-13-01T00:00:00Z", undefined],
  ["2026-00-01T00:00:00Z", undefined],
  ["2026-01-00T00:00:00Z", undefined],
  ["2026-01-01T25:00:00Z", undefined],
  ["2026-01-01T00:60:00Z", undefined],
  ["0000-12-31T23:59:59Z", undefined],
  ["2030-01-01", undefined],
  ["2030-01-01T00:00:00", undefined],
  ["2030-01-01 00:00:00Z", undefined],
  ["2030-1-1T00:00:00Z", undefined],
  ["Tue, 01 Jan 2030 00:00:00 GMT", undefined],
];
for (const [text, unixMs] of timestamps) {
  test(`"${text}" is ${unixMs === undefined ? "no timestamp" : unixMs}`, () =>
    assert.equal(parseTimestamp(text), unixMs));
}

test("a zone's clock follows its summer time", () => {
  const berlin = zoneClock("Europe/Berlin");
  assert.ok(berlin !== undefined);
  const shown = (unixMs: number): string => {
    const { month, day, hour, minute, weekday } = berlin(unixMs);
    return `${month}-${day} ${hour}:${minute} ${weekday}`;
  };
  assert.equal(shown(Date.UTC(2026, 2, 29, 0, 59)), "3-29 1:59 0");
  assert.equal(shown(Date.UTC(2026, 2, 29, 1, 0)), "3-29 3:0 0");
  assert.equal(shown(Date.UTC(2026, 9, 25, 0, 30)), "10-25 2:30 0");
  assert.equal(shown(Date.UTC(2026, 9, 25, 1, 30)), "10-25 2:30 0");
  assert.equal(shown(Date.UTC(2026, 11, 31, 23, 30)), "1-1 0:30 5");
});

test("offsets count from UTC, also where they cross midnight and the year", () => {
  const fields = (zone: string): ClockFields | undefined => zoneClock(zone)?.(Date.UTC(2026, 0, 1, 0, 15));
  assert.equal(fields("-05:30")?.hour, 18);
  assert.equal(fields("-05:30")?.dayOfYear, 364);
  assert.equal(fields("+14:00")?.hour, 14);
  assert.equal(fields("Asia/Kolkata")?.minute, 45);
  assert.equal(fields("UTC")?.dayOfYear, 0);
});

test("what is no zone has no clock", () => {
  for (const zone of [
    "",
    "Mars/Olympus",
    "+15:00",
    "+02:60",
    "+2:00",
    "Europe/Berlin\n",
    "../etc",
    "x".repeat(200),
    "a/b/c/d",
  ]) {
    assert.equal(zoneClock(zone), undefined, zone);
  }
});

test("a clock without an offset shows what UTC does, whatever the zone of the machine", () => {
  const clocks = [zoneClock("+00:00"), zoneClock("Etc/UTC")];
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (unixMs) => {
      const date = new Date(unixMs);
      const fields = utc(unixMs);
      assert.deepEqual(
        [
          fields.year,
          fields.month - 1,
          fields.day,
          fields.hour,
          fields.minute,
          fields.second,
          fields.millisecond,
          fields.weekday,
        ],
        [
          date.getUTCFullYear(),
          date.getUTCMonth(),
          date.getUTCDate(),
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
          date.getUTCMilliseconds(),
          date.getUTCDay(),
        ],
      );
      for (const clock of clocks) assert.deepEqual(clock?.(unixMs), fields);
    }),
    { numRuns: 300 },
  );
});
