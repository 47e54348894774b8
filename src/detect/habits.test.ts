import assert from "node:assert/strict";
import { test } from "node:test";

import { unusual } from "./calls/baseline.ts";
import { callValues } from "./calls/call-values.ts";
import { type FinishedSession, habits, type HabitStore, type KeptHabits } from "./habits.ts";

const dayMs = 24 * 3_600_000;
const start = Date.UTC(2026, 0, 1);

function session(
  day: number,
  tools: readonly string[],
  more: Partial<FinishedSession> = {},
): FinishedSession {
  return {
    identity: "agent",
    endedUnixMs: start + day * dayMs,
    worstRisk: 0,
    calls: tools.map((tool) => ({
      tool,
      values: callValues({ to: "ann@acme.test", amount: 20 }),
      destroys: tool.startsWith("delete"),
    })),
    ...more,
  };
}

/** Sixty days of one session each, learned. */
function usualAgent(store?: HabitStore): ReturnType<typeof habits> {
  const learned = habits(store);
  for (let day = 0; day < 60; day++) {
    learned.finished(session(day, ["read", "pay"]));
    learned.learn(start + (day + 1) * dayMs);
  }
  return learned;
}

function isNewTool(learned: ReturnType<typeof habits>, tool: string): number | undefined {
  const baseline = learned.of("agent");
  return baseline && unusual(baseline, { tool, values: [], before: ["^", "read"] }).newTool;
}

test("what sessions do again and again becomes usual, and nothing is said of a caller before", () => {
  const learned = usualAgent();
  assert.equal(isNewTool(learned, "pay"), 0);
  assert.equal(isNewTool(learned, "send"), 1);
  assert.equal(learned.of("somebody else"), undefined);
  const young = habits();
  for (let day = 0; day < 20; day++) young.finished(session(day, ["read"]));
  young.learn(start + 100 * dayMs);
  assert.equal(young.of("agent"), undefined);
});

test("a session that wasn't calm teaches nothing", () => {
  const learned = usualAgent();
  for (let day = 60; day < 70; day++) learned.finished(session(day, ["read", "send"], { worstRisk: 0.3 }));
  learned.learn(start + 100 * dayMs);
  assert.equal(isNewTool(learned, "send"), 1);
});

test("nothing is learned before a day has passed", () => {
  const learned = usualAgent();
  for (const day of [60, 61, 62]) learned.finished(session(day, ["read", "send"]));
  learned.learn(start + 62.9 * dayMs);
  assert.equal(isNewTool(learned, "send"), 1);
  learned.learn(start + 63 * dayMs);
  assert.equal(isNewTool(learned, "send"), 0);
});

for (const [what, days] of [
  ["two sessions", [60, 62]],
  ["ten sessions of one day", Array.from({ length: 10 }, (_, i) => 60 + i / 20)],
] as const) {
  test(`${what} don't make a new tool usual`, () => {
    const learned = usualAgent();
    for (const day of days) learned.finished(session(day, ["read", "send"]));
    learned.learn(start + 100 * dayMs);
    assert.equal(isNewTool(learned, "send"), 1);
  });
}

test("a tool that destroys is never learned by itself", () => {
  const learned = usualAgent();
  for (let day = 60; day < 80; day++) learned.finished(session(day, ["read", "delete_all"]));
  learned.learn(start + 100 * dayMs);
  assert.equal(isNewTool(learned, "delete_all"), 1);
});

test("one session counts once, however often it repeats a call", () => {
  const learned = usualAgent();
  const amount = (value: number): number | undefined => {
    const baseline = learned.of("agent");
    const values = callValues({ amount: value });
    return baseline && unusual(baseline, { tool: "pay", values, before: ["^", "read"] }).overLargest;
  };
  assert.ok((amount(4000) ?? 0) > 1, "far above all before");
  learned.finished(
    session(60, [], {
      calls: Array.from({ length: 1000 }, () => ({
        tool: "pay",
        values: callValues({ to: "ann@acme.test", amount: 4000 }),
        destroys: false,
      })),
    }),
  );
  const before = learned.of("agent")?.header[1] ?? 0;
  learned.learn(start + 100 * dayMs);
  assert.ok((learned.of("agent")?.header[1] ?? 0) <= before + 3);
});

test("what was learned outlives the process, sixty kilobytes a caller", () => {
  const kept = new Map<string, KeptHabits>();
  const store: HabitStore = {
    of: (identity) => kept.get(identity),
    keep: (identity, what) => kept.set(identity, structuredClone(what)),
    forget: (identity) => kept.delete(identity),
  };
  usualAgent(store);
  assert.equal(isNewTool(habits(store), "pay"), 0);
  assert.ok((kept.get("agent")?.baseline.length ?? Infinity) <= 64 * 1024);
  const learned = habits(store);
  learned.forget(["agent"]);
  assert.equal(learned.of("agent"), undefined);
  assert.equal(kept.size, 0, "until it is to be forgotten");
});

test("millions of tools and callers take no more than the bounds", () => {
  const learned = habits();
  for (let i = 0; i < 20_000; i++)
    learned.finished(session(i / 1000, [`tool-${i}`], { identity: `agent-${i % 700}` }));
  learned.learn(start + 100 * dayMs);
  assert.equal(learned.of("agent-1"), undefined);
});
