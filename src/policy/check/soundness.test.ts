/** What is said to be so, is so: findings about truth and reach hold for whatever is generated against them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { compileCondition } from "../../expr/condition.ts";
import { decide, type Question } from "../decide.ts";
import { factTypes } from "../facts.ts";
import { matcher } from "../patterns.ts";
import { compileRules, type RuleDocument } from "../rules.ts";
import { nothingSaid } from "../surroundings.ts";
import { describedCall, questionOf, type TrialWorld } from "../trial/described-call.ts";
import { checkRules, type FindingKind, type Known } from "./check-rules.ts";
import { overlaps } from "./overlap.ts";

const world: TrialWorld = {
  trustDomain: "acme.test",
  surroundings: {
    ...nothingSaid,
    groups: { finance: ["spiffe://acme.test/f*"] },
    networks: { corporate: ["10.0.0.0/8"] },
  },
  isReadOnly: () => false,
};
const known: Known = {
  trustDomain: "acme.test",
  servers: ["s", "t"],
  groups: ["finance"],
  networks: ["corporate"],
  tools: new Map([
    ["s", new Map(["a", "b", "ab"].map((name) => [name, { onlyReads: false }]))],
    ["t", new Map([["a", { onlyReads: false }]])],
  ]),
};

const operator = fc.constantFrom("<", "<=", ">", ">=", "==", "!=");
const small = fc.integer({ min: -1, max: 4 });
const comparison = (term: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(operator, value, fc.boolean())
    .map(([op, text, turned]) => (turned ? `${text} ${op} ${term}` : `${term} ${op} ${text}`));
const atom = fc.oneof(
  comparison("args.n", small.map(String)),
  comparison(
    "args.n",
    small.map((n) => `${n}.5`),
  ),
  comparison("time.hour", fc.constantFrom("0", "1", "22", "23", "24")),
  comparison("link.level", fc.constantFrom("0", "1", "3", "5")),
  comparison("size(args.list)", fc.constantFrom("0", "1", "2")),
  comparison("resource.shelf_life", fc.constantFrom('duration("0s")', 'duration("1h")')),
  comparison("args.flag", fc.constantFrom("true", "false")).filter((text) => /[!=]=/.test(text)),
  comparison("args.word", fc.constantFrom('"x"', '"y"')),
  fc.constantFrom("link.pq", "tool.read_only", "has(args.n)", "args.flag", "true", "false"),
  fc.constantFrom(
    'args.word in ["x", "y"]',
    'args.word in ["y", "z"]',
    "args.n in [1, 2]",
    '"finance" in caller.groups',
  ),
  fc.constantFrom(
    'call.tool == "a"',
    'call.tool == "b"',
    'call.server == "s"',
    'call.kind == "tools"',
    'link.group == "X25519"',
  ),
);
const condition = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    atom,
    fc.tuple(tie("tree"), fc.constantFrom("&&", "||"), tie("tree")).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie("tree").map((a) => `!(${a})`),
    fc.tuple(tie("tree"), tie("tree"), tie("tree")).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
})).tree;

const anything = fc.oneof(
  small,
  small.map((n) => n + 0.5),
  fc.constantFrom("x", "y", "z", true, false, null),
  fc.constant([1, 2]),
);
const args = fc.record(
  {
    n: anything,
    word: anything,
    flag: fc.oneof(fc.boolean(), anything),
    list: fc.oneof(fc.constantFrom([], [1], [1, 2]), anything),
  },
  { requiredKeys: [] },
);
const question = (target: fc.Arbitrary<string>): fc.Arbitrary<Question> =>
  fc
    .record({
      caller: fc.constantFrom("spiffe://acme.test/f1", "spiffe://acme.test/a", "spiffe://acme.test/b/c"),
      chain: fc.constantFrom([], [], ["spiffe://acme.test/f2"]),
      call: target,
      args,
      group: fc.constantFrom("X25519", "P-256", "X25519MLKEM768", "SecP384r1MLKEM1024"),
      hour: fc.constantFrom("00", "01", "12", "22", "23"),
    })
    .map(({ group, hour, ...rest }) =>
      questionOf(
        describedCall.parse({ ...rest, link: { group }, at: `2026-06-03T${hour}:00:00Z` }),
        world,
        [],
      ),
    );

const rule = (part: Partial<RuleDocument>): RuleDocument => ({
  name: "r",
  callers: ["*"],
  effect: "allow",
  because: "A test says so.",
  mode: "enforce",
  tools: ["s/*"],
  ...part,
});
const kindsOf = (documents: readonly RuleDocument[]): readonly FindingKind[] =>
  checkRules(documents, known).map(({ kind }) => kind);

test("a condition said to be never true is true of no call, and one said to be always true is false of none", () => {
  const said = { never: 0, always: 0 };
  const targets = { tools: ["s/*"], link: { pq: true } };
  fc.assert(
    fc.property(
      condition,
      fc.boolean(),
      fc.array(question(fc.constantFrom("s/a", "s/b", "s/ab")), { minLength: 12, maxLength: 12 }),
      (when, onHybrid, questions) => {
        const compiled = compileCondition(when, factTypes);
        fc.pre(compiled.kind === "condition");
        const kinds = kindsOf([rule({ ...(onHybrid && targets), when })]);
        const never = kinds.includes("condition-never-true");
        const always = kinds.includes("condition-always-true");
        said.never += Number(never);
        said.always += Number(always);
        for (const each of questions) {
          if (onHybrid && !each.link.isPostQuantum) continue;
          const outcome = compiled.evaluate(each.facts?.of(each.caller.id) ?? {}).kind;
          if (never) assert.notEqual(outcome, "true", when);
          if (always) assert.notEqual(outcome, "false", when);
        }
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(said.never > 50 && said.always > 50, JSON.stringify(said));
});

test("contradictions are seen, and what only looks like one isn't called one", () => {
  const rows: readonly (readonly [string, FindingKind | "none"])[] = [
    ["args.n > 5 && args.n < 5", "condition-never-true"],
    ["args.n >= 5 && args.n <= 5", "none"],
    ["args.n > 5 && args.m < 5", "none"],
    ["args.n == 5 && args.n == 6", "condition-never-true"],
    ["args.n in [1, 2] && args.n > 2", "condition-never-true"],
    ["args.n in [1, 2] && args.n > 1", "none"],
    ["time.hour > 22 && time.hour < 23", "condition-never-true"],
    ["args.n > 22 && args.n < 23", "none"],
    ['args.w == "a" && args.w == "b"', "condition-never-true"],
    ['args.w != "a" || args.w != "b"', "condition-always-true"],
    ['args.w > "a" && args.w < "a"', "none"],
    ["args.f != true && args.f != false", "none"],
    ["time.hour >= 22 && time.hour < 6", "condition-never-true"],
    ["time.hour >= 22 || time.hour < 6", "none"],
    ["time.hour < 24", "condition-always-true"],
    [
      "now > timestamp('2030-01-01T00:00:00Z') && now < timestamp('2029-01-01T00:00:00Z')",
      "condition-never-true",
    ],
    ["has(args.n) && !has(args.n)", "condition-never-true"],
    ["args.a ? args.b : args.b", "none"],
    ["has(link.profile) || link.pq", "none"],
    ["has(link.profile)", "none"],
    ['link.profile == "x" && !has(link.profile)', "none"],
    ["!(args.n > 5 || args.n <= 5)", "condition-never-true"],
  ];
  for (const [when, expected] of rows) {
    const kinds = kindsOf([rule({ when })]).filter((kind) => kind.startsWith("condition-"));
    assert.deepEqual(kinds, expected === "none" ? [] : [expected], when);
  }
});

const callers = fc.uniqueArray(
  fc.constantFrom(
    "*",
    "spiffe://acme.test/*",
    "spiffe://acme.test/f*",
    "spiffe://acme.test/a",
    "spiffe://*/c",
  ),
  { minLength: 1, maxLength: 2 },
);
const tools = fc.uniqueArray(fc.constantFrom("*", "s/*", "s/a", "s/a*", "s/*b", "*/a", "t/*"), {
  minLength: 1,
  maxLength: 2,
});
const rules = fc
  .array(
    fc.record({
      callers,
      tools,
      effect: fc.constantFrom("allow" as const, "allow" as const, "deny" as const, "cut" as const),
      mode: fc.constantFrom("enforce" as const, "enforce" as const, "shadow" as const),
      when: fc.constantFrom(undefined, undefined, "link.pq", "args.n > 1"),
      link: fc.constantFrom(undefined, undefined, { pq: true }),
      on_behalf_of: fc.constantFrom<string[] | undefined>(undefined, undefined, undefined, ["*"]),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.map((part, at) => rule({ ...part, name: `r${at}` })));

test("a rule said to be shadowed passes no call, an idle deny can go, an unreachable tool is reached by nobody", () => {
  const said = { shadowed: 0, idle: 0, unreachable: 0 };
  fc.assert(
    fc.property(
      rules,
      fc.array(question(fc.constantFrom("s/a", "s/b", "s/ab", "t/a")), { minLength: 15, maxLength: 15 }),
      (documents, questions) => {
        const findings = checkRules(documents, known);
        const compiled = compileRules(documents);
        for (const { kind, rule: name, wrong } of findings) {
          const others = compileRules(documents.filter((each) => each.name !== name));
          for (const each of questions) {
            const decision = decide(each, compiled);
            if (kind === "shadowed-rule") {
              said.shadowed += 1;
              assert.equal(decision.kind === "permit" && decision.rule === name, false);
              assert.equal(decide(each, others).kind, decision.kind);
            } else if (kind === "idle-deny") {
              said.idle += 1;
              assert.equal(decide(each, others).kind, decision.kind);
            } else if (kind === "unreachable-tool") {
              const isMeant =
                wrong.includes(`of "${each.server}"`) && wrong.includes(`"${each.target?.name ?? ""}"`);
              said.unreachable += Number(isMeant);
              if (isMeant) assert.equal(decision.kind, "denial");
            }
          }
        }
      },
    ),
    { numRuns: 600 },
  );
  assert.ok(
    Object.values(said).every((count) => count > 100),
    JSON.stringify(said),
  );
});

test("two patterns overlap exactly if some text matches both", () => {
  const pattern = fc.array(fc.constantFrom("a", "b", "*"), { maxLength: 5 }).map((parts) => parts.join(""));
  const words = ["", "a", "b"].flatMap((a) =>
    ["", "a", "b"].flatMap((b) => ["", "a", "b"].map((c) => a + b + c)),
  );
  fc.assert(
    fc.property(
      pattern,
      pattern,
      fc.array(fc.constantFrom(...words), { maxLength: 4 }),
      (one, other, parts) => {
        const text = parts.join("");
        if (matcher([one])(text) && matcher([other])(text)) assert.ok(overlaps(one, other));
        assert.equal(overlaps(one, other), overlaps(other, one));
        if (!overlaps(one, other)) return;
        const common = [one, other].map((each) => each.split("*"));
        const [first = [], second = []] = common;
        const longest = (at: number): string =>
          [first.at(at) ?? "", second.at(at) ?? ""].toSorted((a, b) => b.length - a.length)[0] ?? "";
        const both = one.includes("*") && other.includes("*");
        const made = both
          ? [longest(0), ...first.slice(1, -1), ...second.slice(1, -1), longest(-1)].join("")
          : one.includes("*")
            ? other
            : one;
        assert.ok(matcher([one])(made) && matcher([other])(made), `${one} ${other} ${made}`);
      },
    ),
    { numRuns: 3000 },
  );
});
