/** Explanations: each path read, its value in words that fit on a line, and nothing of what is secret. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { compileCondition, type FactValues } from "./condition.ts";
import type { Explained } from "./explain.ts";
import { variables } from "../../test/support/condition-variables.ts";

const explain = (
  text: string,
  facts: FactValues,
  secret?: (path: string) => boolean,
): readonly Explained[] => {
  const compiled = compileCondition(text, variables);
  assert.ok(compiled.kind === "condition", JSON.stringify(compiled));
  return compiled.explain(facts, secret);
};

test("each path is explained once, in the order of the text, also what short circuits skip", () => {
  const args = { amount: 700, note: "hi", count: 3 };
  assert.deepEqual(explain("args.amount > 500 || args.note == 'x' || args.amount < args.count", { args }), [
    { path: "args.amount", value: "700" },
    { path: "args.note", value: '"hi"' },
    { path: "args.count", value: "3" },
  ]);
});

const words: readonly (readonly [string, unknown, string])[] = [
  ["any == 1", 'a "quoted"\n\u202eline', '"a \\"quoted\\"\\n\\u202eline"'],
  ["any == 1", "x".repeat(200), `"${"x".repeat(120)}"… (200 characters)`],
  ["any == 1", true, "true"],
  ["any == 1", null, "null"],
  ["any == 1", 2.5, "2.5"],
  ["any == 1", ["a", 1, false], '["a", 1, false]'],
  ["any == 1", [], "[]"],
  ["any == 1", [["a"]], "a list of 1"],
  ["any == 1", { a: 1, b: 2 }, "an object with 2 members"],
  ["now > now", Date.UTC(2026, 0, 2), "2026-01-02T00:00:00.000Z"],
  ["now > now", 1e300, "a time out of range"],
  ["any == 1", undefined, "isn't there."],
];
for (const [text, value, shown] of words) {
  test(`${JSON.stringify(value)?.slice(0, 40) ?? "nothing"} is explained as ${shown.slice(0, 40)}`, () => {
    assert.deepEqual(
      explain(text, { any: value, now: value }).map((each) => each.value),
      [shown],
    );
  });
}

test("durations are shown in the unit that leaves them whole", () => {
  const shown = (ms: number): string | undefined =>
    explain("session.age > duration('1s')", { session: { age: ms } })[0]?.value;
  assert.deepEqual([0, 1, 1500, 60_000, 7_200_000, 86_400_000 * 3].map(shown), [
    "0s",
    "1ms",
    "1500ms",
    "1m",
    "2h",
    "3d",
  ]);
});

test("a long list is cut where the line ends", () => {
  const [explained] = explain("any == 1", { any: Array.from({ length: 50 }, () => "elements") });
  assert.match(explained?.value ?? "", /^a list of 50: "elements", .*, …$/);
  assert.ok((explained?.value.length ?? 999) < 160);
});

test("of a secret path only the kind and the size are shown", () => {
  const secret = (path: string): boolean => path.startsWith("args");
  const args = { note: "S3CRET", amount: 4711, tags: ["S3CRET"], extra: { S3CRET: 1 }, flag: true };
  const shown = explain(
    "args.note == 'x' || args.amount > 1 || args.tags == [] || args.extra == {} || args.flag || link.pq",
    { args, link: { pq: true } },
    secret,
  );
  assert.deepEqual(
    shown.map(({ value }) => value),
    ["a string of 6 characters", "a number", "a list of 1", "an object", "true or false", "true"],
  );
});

test("what is of the wrong kind or absent is said, without its value", () => {
  const args = { amount: "S3CRET" };
  assert.deepEqual(explain("args.amount > 1 && has(args.note)", { args }), [
    { path: "args.amount", value: "should be a number, but is a string." },
    { path: "args.note", value: "isn't there." },
  ]);
});

test("of loops what they run over is shown", () => {
  const args = { items: [{ price: 1 }] };
  assert.deepEqual(explain("args.items.all(i, i.price > 0)", { args }), [
    { path: "args.items", value: "a list of 1" },
  ]);
});
