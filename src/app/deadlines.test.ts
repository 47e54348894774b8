/** Deadlines act after their moment, once, and never before it. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { atDeadlines } from "./deadlines.ts";

const day = 86_400_000;

for (const [name, aheadMs] of [
  ["a second ahead", 1000],
  ["an hour ahead", 3_600_000],
  ["24.8 days ahead, the longest that a timer knows", 2 ** 31 - 1],
  ["a month ahead", 31 * day],
  ["a year ahead", 365 * day],
] as const) {
  test(`a deadline ${name} has passed then, not before`, (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    let now = Date.parse("2026-11-21T12:00:00Z");
    const at = now + aheadMs;
    const passedAt: number[] = [];
    const deadlines = atDeadlines(
      { nowUnixMs: () => now },
      { next: () => (now > at ? undefined : at), passed: () => passedAt.push(now) },
    );
    t.after(() => {
      deadlines.stop();
      mock.timers.reset();
    });
    const pass = (ms: number): void => {
      now += ms;
      mock.timers.tick(ms);
    };
    // In steps, as time goes: all at once, no clock would be right in between.
    const stepMs = Math.min(aheadMs / 10, 3_600_000);
    for (let left = aheadMs; left > stepMs; left -= stepMs) pass(stepMs);
    assert.deepEqual(passedAt, []);
    pass(at - now + 1);
    pass(3_600_000);
    pass(3_600_000);
    assert.equal(passedAt.length, 1);
    assert.ok(passedAt.every((moment) => moment > at));
  });
}

test("a deadline a year ahead sets no timer that is too long for it", async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const deadlines = atDeadlines(
    { nowUnixMs: () => 0 },
    { next: () => 365 * day, passed: () => assert.fail("too early") },
  );
  t.after(deadlines.stop);
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
});
