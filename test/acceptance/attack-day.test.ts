/** A day with at least eight kinds of attacks among all distinct recorded benign sessions, over real sockets. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { attackDay, tableOf } from "../support/attack-day/day.ts";
import { recordings, withoutSessions } from "../support/attack-day/recorded-sessions.ts";

test(
  "a day of attacks is one incident for each, within the budget for benign work, and no harmful write after it goes through",
  { skip: withoutSessions ?? false },
  async (t) => {
    const day = await attackDay(t, await recordings());
    for (const line of tableOf(day)) t.diagnostic(line);
    assert.ok(day.rows.length >= 8);
    for (const { kind, attacks, incidents } of day.rows) assert.equal(incidents.length, attacks, kind);
    for (const { kind, letThrough } of day.rows) assert.equal(letThrough, 0, kind);
    assert.ok(day.benign.incidents.length <= day.benign.budget);
  },
);
