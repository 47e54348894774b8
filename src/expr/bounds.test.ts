/** Attempts to make a condition expensive: each is refused when it is loaded or ends in an error after bounded work. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { freshBudget } from "./budget.ts";
import { compileCondition, type FactValues, type Outcome } from "./condition.ts";
import { limits } from "./limits.ts";
import { compilePattern } from "./pattern.ts";

const evaluate = (text: string, args: unknown): Outcome => {
  const compiled = compileCondition(text, { args: "dyn" });
  assert.ok(compiled.kind === "condition", `${text.slice(0, 80)}: ${JSON.stringify(compiled)}`);
  return compiled.evaluate({ args });
};
const mistake = (text: string): string => {
  const compiled = compileCondition(text, { args: "dyn", list: { kind: "list", of: "int" } });
  assert.ok(compiled.kind === "mistake", text.slice(0, 80));
  return compiled.message;
};

/** Texts that are refused, and one just within the bound. */
const texts: readonly (readonly [string, string, RegExp, string])[] = [
  [
    "a long text",
    `true ${" ".repeat(limits.textChars)}`,
    /longer than 4096 characters/,
    `true${" ".repeat(limits.textChars - 4)}`,
  ],
  [
    "many parts",
    `1 == ${Array.from({ length: 260 }, () => "1").join("+")}`,
    /more than 500 parts/,
    `1 == ${Array.from({ length: 200 }, () => "1").join("+")}`,
  ],
  [
    "deep brackets",
    `${"(".repeat(40)}true${")".repeat(40)}`,
    /nested more than 32 deep/,
    `${"(".repeat(30)}true${")".repeat(30)}`,
  ],
  ["deep members", `args${".a".repeat(40)} == 1`, /nested more than 32 deep/, `args${".a".repeat(30)} == 1`],
  [
    "deep lists",
    `${"[".repeat(40)}${"]".repeat(40)} == []`,
    /nested/,
    `${"[".repeat(10)}${"]".repeat(10)} == []`,
  ],
  ["signs in a row", `${"!".repeat(2000)}true`, /too many signs/, `${"!".repeat(15)}true`],
  ["signs and spaces in a row", `${"- ".repeat(30)}1 == 1`, /too many signs/, "- - 1 == 1"],
  [
    "a long list",
    `1 in [${Array.from({ length: 201 }, () => "1").join(",")}]`,
    /more than 200 elements/,
    `1 in [${Array.from({ length: 200 }, () => "1").join(",")}]`,
  ],
  [
    "a large object",
    `{${Array.from({ length: 201 }, (_, at) => `"a${at}": 1`).join(",")}} == {}`,
    /more than 200 members/,
    '{"a": 1} == {}',
  ],
  [
    "loops three deep",
    "list.all(a, list.all(b, list.all(c, c > a)))",
    /at most one loop/,
    "list.all(a, list.all(b, b > a))",
  ],
  [
    "loops three deep through map",
    "list.map(a, list.map(b, list.filter(c, c > a))).size() > 1",
    /at most one loop/,
    "list.map(a, list.map(b, b)).size() > 1",
  ],
  ["many values given", "size(1, 2, 3, 4) > 1", /more than 3 values/, "size(list) > 1"],
  [
    "a long pattern",
    `"a".matches("${"a".repeat(513)}")`,
    /longer than 512/,
    `"a".matches("${"a".repeat(400)}")`,
  ],
  ["a pattern that multiplies", '"a".matches("(a{100}){10}")', /more than 500/, '"a".matches("(a{40}){10}")'],
  ["a pattern from the call", "args.a.matches(args.b)", /must be written out/, 'args.a.matches("b")'],
  [
    "a pattern that is put together",
    'args.a.matches("a" + "b")',
    /must be written out/,
    'args.a.matches("ab")',
  ],
];
for (const [what, refused, says, fine] of texts) {
  test(`${what} is refused when it is loaded`, () => {
    assert.match(mistake(refused), says);
    const compiled = compileCondition(fine, { args: "dyn", list: { kind: "list", of: "int" } });
    assert.equal(compiled.kind, "condition", JSON.stringify(compiled));
  });
}

const long = "a".repeat(limits.stringChars);
const many = Array.from({ length: limits.elements }, (_, at) => at);
const keys = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]));

/** What is evaluated, over what, and how it ends. */
const bombs: readonly (readonly [string, string, unknown, RegExp])[] = [
  ["a string beyond the bound", "args.s == 'x'", { s: `${long}a` }, /args\.s is too large/],
  [
    "a list beyond the bound",
    "args.l.size() > 1",
    { l: [...many, 1] },
    /args\.l is too large: a list of 10001/,
  ],
  [
    "an object beyond the bound",
    "args.o.all(k, k != '')",
    { o: keys(limits.elements + 1) },
    /too large: it has 10001 members/,
  ],
  [
    "the size of an object beyond the bound",
    "size(args.o) > 1",
    { o: keys(limits.elements + 1) },
    /too large/,
  ],
  ["a loop in a loop over long lists", "args.l.all(a, args.l.all(b, a + b >= 0))", { l: many }, /too costly/],
  [
    "a loop in a loop over objects",
    "args.o.all(a, args.o.all(b, a != '' && b != ''))",
    { o: keys(5000) },
    /too costly/,
  ],
  [
    "a list of lists",
    "args.l.map(a, args.l).size() > 1 && args.l.all(a, a in args.l)",
    { l: many },
    /too costly/,
  ],
  [
    "strings put together again and again",
    "(args.s + args.s) == 'x'",
    { s: long },
    /made with "\+" is too large/,
  ],
  [
    "strings put together in a loop",
    "args.l.all(a, args.s + args.t != args.t + args.s)",
    { l: many, s: "a".repeat(30_000), t: "b".repeat(30_000) },
    /too costly/,
  ],
  [
    "a search for a long text in a long one",
    "args.s.contains(args.t)",
    { s: long, t: `b${"a".repeat(30_000)}` },
    /too costly/,
  ],
  [
    "a split by a long text",
    "args.s.split(args.t).size() > 1",
    { s: long, t: `b${"a".repeat(30_000)}` },
    /too costly/,
  ],
  ["a split into many parts", "args.s.split(',').size() > 1", { s: ",".repeat(20_000) }, /too many parts/],
  ["a pattern over a long text", "args.s.matches('[ax].{100}[b-w]')", { s: long }, /too costly/],
  [
    "many comparisons of long texts",
    "args.l.all(a, args.s == args.t)",
    { l: many, s: long, t: long },
    /too costly/,
  ],
  [
    "many orders of long texts",
    "args.l.all(a, args.s <= args.t)",
    { l: many, s: long, t: long },
    /too costly/,
  ],
  ["many sizes of long texts", "args.l.all(a, size(args.s) > 1)", { l: many, s: long }, /too costly/],
  [
    "many changes of long texts",
    "args.l.all(a, args.s.upperAscii() != '')",
    { l: many, s: long },
    /too costly/,
  ],
  [
    "many comparisons of long lists",
    "args.l.all(a, args.l == args.m)",
    { l: many, m: [...many] },
    /too costly/,
  ],
  [
    "many comparisons of large objects",
    "args.l.all(a, args.o == args.p)",
    { l: many, o: keys(5000), p: keys(5000) },
    /too costly/,
  ],
  ["many networks", "args.l.all(a, inNetwork('10.0.0.1', '10.0.0.0/8'))", { l: many }, /too costly/],
  [
    "many zones",
    "args.l.all(a, timestamp(a == 0 ? 0 : 1).getHours('Europe/Berlin') >= 0)",
    { l: many },
    /too costly/,
  ],
  [
    "an exhausted budget behind an ||",
    "args.l.all(a, args.l.all(b, true)) || true",
    { l: many },
    /too costly/,
  ],
  [
    "an exhausted budget inside an exists",
    "[1].exists(x, args.l.all(b, args.l.size() > 0 && b + b + b + b + b + b >= 0)) || true",
    { l: many },
    /too costly/,
  ],
];
for (const [what, text, args, why] of bombs) {
  test(`${what} is an error`, () => {
    const outcome = evaluate(text, args);
    assert.ok(outcome.kind === "error", JSON.stringify(outcome));
    assert.match(outcome.why, why);
  });
}

test("what people write over what clients send is far within the bounds", () => {
  const args = {
    text: `${"word ".repeat(2000)}drop table`,
    ids: many.slice(0, 500),
    to: ["a@acme.test", "b@evil.test"],
  };
  for (const text of [
    "args.text.matches('(?i)\\\\bdrop\\\\s+table\\\\b')",
    "args.ids.all(i, i >= 0)",
    "args.to.exists(a, !a.endsWith('@acme.test'))",
    "args.text.contains('drop table') && size(args.text) > 10000",
  ]) {
    assert.deepEqual(evaluate(text, args), { kind: "true" }, text);
  }
});

test("two lists nested without end in each other are compared down to a bound", () => {
  const nested = (): unknown => {
    const list: unknown[] = [];
    list.push(list);
    return list;
  };
  const outcome = evaluate("args.a == args.b", { a: nested(), b: nested() });
  assert.ok(outcome.kind === "error");
  assert.match(outcome.why, /nested too deeply/);
});

test("each evaluation has a budget of its own", () => {
  const compiled = compileCondition("args.l.all(a, a >= 0)", { args: "dyn" });
  assert.ok(compiled.kind === "condition");
  const facts: FactValues = { args: { l: many } };
  for (let times = 0; times < 20; times++) assert.deepEqual(compiled.evaluate(facts), { kind: "true" });
});

test("conditions that share a budget end together", () => {
  const compiled = compileCondition("args.l.all(a, a >= 0)", { args: "dyn" });
  assert.ok(compiled.kind === "condition");
  const budget = freshBudget();
  const kinds = [1, 2, 3].map(() => compiled.evaluate({ args: { l: many } }, new Set(), budget).kind);
  assert.deepEqual(kinds, ["true", "true", "error"]);
});

test("a pattern that makes backtracking engines hang answers", () => {
  const pattern = compilePattern("^(a+)+$");
  assert.ok(typeof pattern !== "string");
  assert.equal(pattern.isFoundIn(`${"a".repeat(5000)}!`, freshBudget()), false);
  assert.equal(pattern.isFoundIn("aaaa", freshBudget()), true);
});

test("what a pattern costs grows with the text and the pattern, not faster", () => {
  const cost = (source: string, chars: number): number => {
    const pattern = compilePattern(source);
    assert.ok(typeof pattern !== "string");
    const budget = freshBudget();
    pattern.isFoundIn("x".repeat(chars), budget);
    return limits.steps - budget.steps;
  };
  assert.ok(cost("ab", 2000) <= 2 * cost("ab", 1000));
  assert.ok(cost("ab{100}", 1000) > 10 * cost("ab", 1000));
});
