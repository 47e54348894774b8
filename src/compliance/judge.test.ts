import assert from "node:assert/strict";
import { test } from "node:test";

import { assert as assertAll, constantFrom, property, record, subarray } from "fast-check";

import { frameworks } from "./catalogue.ts";
import type { Control, Framework, ShownBy } from "./control.ts";
import { evidenceNames, type EvidenceName } from "./evidence.ts";
import { type Found, judgeControl, judgeFramework, type Observed, type TestResult } from "./judge.ts";
import { type TestName, tests } from "./tests.ts";

const entry = { index: 7, id: "call-7", at: "2026-11-21T09:30:00.000Z" };
const some: Found = { count: 3, isLeast: false, examples: [entry] };
const testNames = Object.keys(tests) as TestName[];

function observed(
  events: readonly EvidenceName[],
  results: Partial<Record<TestName, TestResult["result"]>> = {},
): Observed {
  return {
    found: new Map(events.map((name) => [name, some])),
    results: new Map(
      testNames.flatMap((name) => {
        const result = results[name];
        return result === undefined
          ? []
          : [[name, { test: name, result, says: "it said no", entry }] as const];
      }),
    ),
  };
}

function control(shownBy: ShownBy, grade?: Control["grade"]): Control {
  return { id: "C", title: "t", asks: "a", shownBy, ...(grade && { grade }) };
}

const refusing = control({ events: ["call"], tests: ["tool-without-rule"], against: ["observing"] });

for (const [what, given, verdict, because] of [
  ["entries and a test that passed", observed(["call"], { "tool-without-rule": "passed" }), "met", /^$/],
  ["entries alone", observed(["call"]), "no evidence", /not tested here/],
  ["a test alone", observed([], { "tool-without-rule": "passed" }), "no evidence", /not in the log/],
  [
    "a test from before a change",
    observed(["call"], { "tool-without-rule": "stale" }),
    "no evidence",
    /before/,
  ],
  [
    "a test that couldn't be made",
    observed(["call"], { "tool-without-rule": "skipped" }),
    "no evidence",
    /couldn't/,
  ],
  [
    "a test that failed",
    observed(["call"], { "tool-without-rule": "failed" }),
    "not met",
    /failed: it said no/,
  ],
  [
    "entries that say otherwise",
    observed(["call", "observing"], { "tool-without-rule": "passed" }),
    "not met",
    /--observe/,
  ],
] as const) {
  test(`${what}: ${verdict}`, () => {
    const judged = judgeControl(refusing, given);
    assert.equal(judged.verdict, verdict);
    assert.match(judged.because.join(" "), because);
  });
}

test("what isn't done isn't met, whatever the log shows", () => {
  const lacking = control({ events: ["call"], lacks: "it isn't done" });
  assert.equal(judgeControl(lacking, observed(evidenceNames)).verdict, "not met");
});

test("what nothing shows isn't met, though it is done", () => {
  const unproven = control({ events: ["call"], unproven: "no test shows it" });
  assert.equal(judgeControl(unproven, observed(evidenceNames)).verdict, "no evidence");
  assert.equal(judgeControl(control({ events: [] }), observed(evidenceNames)).verdict, "no evidence");
});

test("each control of each framework that is met names entries, and a passed run of each of its tests", () => {
  const results = constantFrom("passed", "passed", "passed", "failed", "stale", "skipped", undefined);
  const arbitrary = record({
    events: subarray([...evidenceNames]),
    results: record(Object.fromEntries(testNames.map((name) => [name, results]))),
  });
  let met = 0;
  assertAll(
    property(arbitrary, ({ events, results: runs }) => {
      const given = observed(events, runs);
      for (const framework of frameworks as readonly Framework[]) {
        const judged = judgeFramework(framework, given);
        for (const [at, { verdict, evidence, tests: ran, because }] of judged.controls.entries()) {
          const shownBy = framework.controls[at]?.shownBy;
          assert.equal(verdict === "met", because.length === 0);
          if (verdict !== "met") continue;
          met += 1;
          assert.ok(evidence.every(({ count, examples }) => count > 0 && examples.length > 0));
          assert.deepEqual(
            ran.map(({ test: name, result }) => [name, result]),
            (shownBy?.tests ?? []).map((name) => [name, "passed"]),
          );
          assert.ok(evidence.length + ran.length > 0);
          assert.ok((shownBy?.against ?? []).every((name) => !events.includes(name)));
        }
      }
    }),
  );
  assert.ok(met > 0);
});

test("a level counts only with those below it, and only what must be keeps one from it", () => {
  const at = (level: 1 | 2 | 3, binding: "must" | "should", shownBy: ShownBy) =>
    control(shownBy, { dimension: "links", level, binding });
  const framework: Framework = {
    name: "f",
    title: "t",
    source: "s",
    controls: [
      at(1, "must", { events: ["call"] }),
      at(2, "must", { events: ["outcome"] }),
      at(2, "should", { events: ["risk"] }),
      at(3, "must", { events: ["hybrid"] }),
    ],
  };
  const level = (events: readonly EvidenceName[]) => judgeFramework(framework, observed(events)).levels?.[0];
  assert.equal(level([])?.level, 0);
  assert.equal(level(["call", "hybrid"])?.level, 1);
  assert.deepEqual(level(["call", "hybrid"])?.missing.map(({ because }) => because).length, 1);
  assert.equal(level(["call", "outcome"])?.level, 2);
  assert.equal(level(["call", "outcome", "hybrid"])?.level, 4);
});

test("each id stands once, and each control says what would show it", () => {
  for (const { name, controls } of frameworks as readonly Framework[]) {
    const ids = controls.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, name);
    for (const { id, shownBy } of controls) {
      assert.ok(shownBy.lacks !== undefined || shownBy.events.length > 0, id);
    }
  }
});

test("each kind of evidence and each test is asked for somewhere", () => {
  const used = (frameworks as readonly Framework[]).flatMap(({ controls }) =>
    controls.flatMap(({ shownBy: { events, tests: needed = [], against = [] } }) => [
      ...events,
      ...needed,
      ...against,
    ]),
  );
  assert.deepEqual(
    [...evidenceNames, ...testNames].filter((name) => !used.includes(name)),
    [],
  );
});
