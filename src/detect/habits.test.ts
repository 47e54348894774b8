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

interface Memory extends HabitStore {
  readonly kept: Map<string, KeptHabits>;
  /** Callers, as often as they were asked for. */
  readonly asked: string[];
}

function memory(): Memory {
  const kept = new Map<string, KeptHabits>();
  const asked: string[] = [];
  return {
    kept,
    asked,
    of: (identity) => {
      asked.push(identity);
      return kept.get(identity);
    },
    keep: (identity, what) => kept.set(identity, structuredClone(what)),
    forget: (identity) => kept.delete(identity),
  };
}

function counted(learned: ReturnType<typeof habits>): { readonly calls: number; readonly sessions: number } {
  const [, calls = 0, sessions = 0] = learned.of("agent")?.header ?? [];
  return { calls, sessions };
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
  ["a hundred around midnight", Array.from({ length: 100 }, (_, i) => 60.999 + i / 50_000)],
  ["those of less than a day", [60.3, 60.7, 61.29]],
  ["those of two hours, a day apart", [60, 60.01, 60.02, 60.03, 61, 61.01].map((day) => day + 0.001)],
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
  for (const day of [60, 61, 62]) learned.finished(session(day, ["pay", "pay"]));
  learned.learn(start + 63 * dayMs);
  const before = counted(learned);
  learned.finished(
    session(
      64,
      Array.from({ length: 1000 }, () => "pay"),
    ),
  );
  learned.learn(start + 100 * dayMs);
  assert.deepEqual(counted(learned), { calls: before.calls + 3, sessions: before.sessions + 1 });
});

test("of one session no more than sixty-four calls are learned", () => {
  const learned = habits();
  const tools = Array.from({ length: 100 }, (_, i) => `tool-${i}`);
  for (let day = 0; day < 60; day++) learned.finished(session(day, tools));
  learned.learn(start + 100 * dayMs);
  const { calls, sessions } = counted(learned);
  assert.ok(sessions >= 50);
  assert.equal(calls, 64 * sessions);
});

test("sessions of one hour count as one", () => {
  const learned = usualAgent();
  const before = counted(learned);
  for (let i = 0; i < 30; i++) learned.finished(session(61 + i / 1000, ["read", "pay"]));
  for (let i = 0; i < 3; i++) learned.finished(session(62 + i / 24, ["read", "pay"]));
  learned.learn(start + 100 * dayMs);
  assert.equal(counted(learned).sessions, before.sessions + 1 + 3);
});

test("a session of a thousand domains doesn't push out what is usual", () => {
  const store = memory();
  const learned = usualAgent(store);
  const before = counted(learned);
  const remembered = store.kept.get("agent")?.seen.length ?? 0;
  const calls = Array.from({ length: 60 }, (_, call) => ({
    tool: "read",
    values: Array.from({ length: 20 }, (__, i) =>
      callValues({ url: `https://d${call}-${i}.example/` }),
    ).flat(),
    destroys: false,
  }));
  learned.finished(session(60, [], { calls: calls.map((each, i) => ({ ...each, tool: `read-${i}` })) }));
  learned.learn(start + 61.5 * dayMs);
  assert.equal(store.kept.get("agent")?.seen.length, remembered + 64);
  learned.finished(session(62, ["read", "pay"]));
  learned.learn(start + 63 * dayMs);
  assert.equal(counted(learned).sessions, before.sessions + 1);
});

test("what was learned outlives the process, sixty kilobytes a caller", () => {
  const store = memory();
  const { kept } = store;
  usualAgent(store);
  assert.equal(isNewTool(habits(store), "pay"), 0);
  assert.ok((kept.get("agent")?.baseline.length ?? Infinity) <= 64 * 1024);
  const learned = habits(store);
  learned.forget(["agent"]);
  assert.equal(learned.of("agent"), undefined);
  assert.equal(kept.size, 0, "until it is to be forgotten");
});

test("no name of a tool or of a place stands in what is kept, nor anything long", () => {
  const store = memory();
  const learned = usualAgent(store);
  learned.finished(session(60, ["x".repeat(8192)]));
  learned.learn(start + 61 * dayMs);
  const seen = store.kept.get("agent")?.seen ?? [];
  assert.equal(seen.length, 4, "two tools after others, a domain, and the long one");
  for (const { key } of seen) assert.match(key, /^[\w-]{12}$/);
  const written = JSON.stringify(seen);
  for (const name of ["acme", "xx", "pay"]) assert.ok(!written.includes(`${name}"`), name);
});

const crowds: readonly (readonly [what: string, callers: number, calls: number, most: number])[] = [
  ["5,000 sessions", 5100, 1, 5000],
  ["50,000 calls", 1000, 60, 833],
];

for (const [what, callers, calls, most] of crowds) {
  test(`no more than ${what} wait for their day: the oldest make way`, () => {
    const store = memory();
    const learned = habits(store);
    const tools = Array.from({ length: calls }, (_, i) => `tool-${i}`);
    for (let i = 0; i < callers; i++)
      learned.finished(
        session(0, [], {
          identity: `agent-${i}`,
          calls: tools.map((tool) => ({ tool, values: [], destroys: false })),
        }),
      );
    learned.learn(start + 100 * dayMs);
    assert.equal(store.kept.size, most);
    assert.ok(!store.kept.has("agent-0"));
    assert.ok(store.kept.has(`agent-${callers - 1}`));
  });
}

test("of 500 callers what they do is in memory, of each no more than a thousand things", () => {
  const store = memory();
  const learned = habits(store);
  const ask = (from: number, to: number): number => {
    store.asked.length = 0;
    for (let i = from; i < to; i++) learned.of(`agent-${i}`);
    return store.asked.length;
  };
  assert.equal(ask(0, 500), 500);
  assert.equal(ask(0, 500), 0);
  assert.equal(ask(500, 501), 1);
  assert.equal(ask(0, 1), 1, "the one that wasn't used for longest made way");
  for (let hour = 0; hour < 40; hour++) {
    const tools = Array.from({ length: 60 }, (_, i) => `tool-${hour}-${i}`);
    learned.finished(session(hour / 24, tools));
  }
  learned.learn(start + 100 * dayMs);
  assert.equal(store.kept.get("agent")?.seen.length, 1024);
});

test("a store that can't keep what is due stops nobody, and gets it later, once", () => {
  const store = memory();
  const usual = usualAgent(store);
  const before = counted(usual);
  const faults: unknown[] = [];
  let isFull = true;
  let tries = 0;
  const learned = habits(
    {
      ...store,
      keep: (identity, what) => {
        if (identity === "agent") tries++;
        if (isFull && identity === "agent") throw new Error("The disk is full.");
        store.keep(identity, what);
      },
    },
    (error) => faults.push(error),
  );
  learned.finished(session(60, ["read", "pay"]));
  learned.finished(session(60, ["read", "pay"], { identity: "other" }));
  const due = start + 62 * dayMs;
  for (const minutes of [0, 0, 1, 2]) learned.learn(due + minutes * 60_000);
  assert.deepEqual(faults.map(String), ["Error: The disk is full."]);
  assert.equal(tries, 3, "not again within a minute");
  assert.ok(store.kept.has("other"), "another caller's is kept");
  assert.deepEqual(counted(learned), before);
  isFull = false;
  for (const minutes of [4, 8]) learned.learn(due + minutes * 60_000);
  assert.deepEqual(counted(learned), { calls: before.calls + 2, sessions: before.sessions + 1 });
  assert.deepEqual(counted(habits(store)), counted(learned));
});

test("a store that can't be read stops nobody, and nothing in it is written over", () => {
  const store = memory();
  const before = counted(usualAgent(store));
  const faults: unknown[] = [];
  let isLocked = true;
  const learned = habits(
    {
      ...store,
      of: (identity) => {
        if (isLocked) throw new Error("The database is locked.");
        return store.of(identity);
      },
    },
    (error) => faults.push(error),
  );
  learned.finished(session(60, ["read", "pay"]));
  const due = start + 62 * dayMs;
  assert.equal(learned.of("agent"), undefined);
  for (const minutes of [0, 1]) learned.learn(due + minutes * 60_000);
  assert.equal(learned.of("agent"), undefined);
  assert.equal(faults.length, 1);
  isLocked = false;
  for (const minutes of [3, 5]) learned.learn(due + minutes * 60_000);
  assert.deepEqual(counted(learned), { calls: before.calls + 2, sessions: before.sessions + 1 });
});

test("what another version kept is learned anew", () => {
  const store = memory();
  store.kept.set("agent", { baseline: new Uint8Array(10), seen: [] });
  const faults: unknown[] = [];
  const learned = habits(store, (error) => faults.push(error));
  assert.equal(learned.of("agent"), undefined);
  for (let day = 0; day < 60; day++) learned.finished(session(day, ["read", "pay"]));
  learned.learn(start + 100 * dayMs);
  assert.equal(isNewTool(learned, "pay"), 0);
  assert.equal(faults.length, 1);
});
