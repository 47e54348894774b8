import assert from "node:assert/strict";
import { test } from "node:test";

import { timesOf } from "./time-option.ts";

const nowUnixMs = Date.UTC(2026, 10, 21, 12);

function times(given: { readonly since?: string; readonly until?: string }): readonly (string | undefined)[] {
  const text = (name: string): string | undefined => new Map(Object.entries(given)).get(name);
  const { sinceUnixMs, untilUnixMs } = timesOf({ text }, nowUnixMs);
  return [sinceUnixMs, untilUnixMs].map((ms) => (ms === undefined ? undefined : new Date(ms).toISOString()));
}

test("a day counts whole, a moment is before what is asked until, and a duration is that long ago", () => {
  assert.deepEqual(times({}), [undefined, undefined]);
  const one = "2026-11-21";
  assert.deepEqual(times({ since: one, until: one }), [
    "2026-11-21T00:00:00.000Z",
    "2026-11-22T00:00:00.000Z",
  ]);
  const moment = "2026-11-21T09:30:00.5+01:00";
  assert.deepEqual(times({ since: moment, until: moment }), Array(2).fill("2026-11-21T08:30:00.500Z"));
  assert.deepEqual(times({ since: "7d", until: "2h" }), [
    "2026-11-14T12:00:00.000Z",
    "2026-11-21T10:00:00.000Z",
  ]);
});

for (const text of [
  "yesterday",
  "2026-11-21T09:30",
  "2026-11",
  "2026-13-01",
  "2026-02-31",
  "2026-02-31T09:30Z",
  "2026-11-21 09:30",
  "",
  "-2h",
]) {
  test(`"${text}" is no time`, () => {
    for (const option of ["since", "until"]) {
      assert.throws(() => times({ [option]: text }), { code: "bad_config", message: /takes a time such as/ });
    }
  });
}
