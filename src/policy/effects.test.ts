/** What effects and conditions do together: by table, and by property over any rules. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { hybridLink } from "../../test/support/links.ts";
import { decide, type Question } from "./decide.ts";
import { compileRules, type RuleDocument, ruleSchema } from "./rules.ts";

const made = (part: object, i = 0): RuleDocument =>
  ruleSchema.parse({
    name: `r${i}`,
    callers: ["*"],
    tools: ["s/*"],
    effect: "allow",
    because: "Because.",
    ...part,
  });
const rulesOf = (...parts: readonly object[]) => compileRules(parts.map((part, i) => made(part, i)));

const question = (more: Partial<Question> = {}): Question => ({
  caller: {
    id: "spiffe://a.test/agent/a",
    chain: [],
    proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 },
  },
  link: hybridLink,
  server: "s",
  target: { kind: "tools", name: "t" },
  facts: { of: () => ({ args: { n: 1 } }) },
  ...more,
});

const verdict = (parts: readonly object[], more?: Partial<Question>): string => {
  const decided = decide(question(more), rulesOf(...parts));
  if (decided.kind === "permit") return "permit";
  return `${decided.effect ?? "default-deny"}${decided.erred === undefined ? "" : " erred"}`;
};

const allow = { effect: "allow" };
const errs = { when: "args.m > 1" };
const cases: readonly (readonly [string, readonly object[], string])[] = [
  ["a condition that holds", [{ ...allow, when: "args.n == 1" }], "permit"],
  ["a condition that doesn't", [{ ...allow, when: "args.n == 2" }], "default-deny"],
  ["an allow that errs", [{ ...allow, ...errs }], "default-deny"],
  ["a deny that errs", [allow, { effect: "deny", ...errs }], "deny erred"],
  ["a cut that errs cuts nothing", [allow, { effect: "cut", ...errs }], "cut erred"],
  [
    "a cut and a deny that both err",
    [allow, { effect: "cut", ...errs }, { effect: "deny", ...errs }],
    "deny erred",
  ],
  ["a hold that errs", [allow, { effect: "hold", ...errs }], "hold erred"],
  ["a read_only that errs", [allow, { effect: "read_only", ...errs }], "read_only erred"],
  ["a cut beside a deny", [allow, { effect: "deny" }, { effect: "cut" }], "cut"],
  ["a cut that errs beside a deny", [allow, { effect: "cut", ...errs }, { effect: "deny" }], "deny"],
  [
    "a cut that errs before a deny that does",
    [allow, { effect: "cut", ...errs }, { effect: "deny", ...errs }],
    "deny erred",
  ],
  [
    "a cut that errs behind a deny that does",
    [allow, { effect: "deny", ...errs }, { effect: "cut", ...errs }],
    "deny erred",
  ],
  ["restrictions without an allow", [{ effect: "hold" }, { effect: "read_only" }], "default-deny"],
  ["all restrictions at once", [allow, { effect: "hold" }, { effect: "read_only" }], "read_only"],
  [
    "a step up to a better link",
    [allow, { effect: "step_up", step_up: { link: { min_level: 5 } } }],
    "step_up",
  ],
  [
    "a step up to the link there is",
    [allow, { effect: "step_up", step_up: { link: { pq: true } } }],
    "permit",
  ],
  ["a shadow deny", [allow, { effect: "deny", mode: "shadow" }], "permit"],
  ["a shadow allow", [{ ...allow, mode: "shadow" }], "default-deny"],
];
for (const [what, parts, expected] of cases) {
  test(`${what}: ${expected}`, () => {
    assert.equal(verdict(parts), expected);
    assert.equal(verdict(parts.toReversed()), expected);
  });
}

test("a cut ends the link, unless it only counts because it erred", () => {
  const cut = decide(question(), rulesOf(allow, { effect: "cut" }));
  const erred = decide(question(), rulesOf(allow, { effect: "cut", ...errs }));
  assert.ok(cut.kind === "denial" && cut.cuts === true);
  assert.ok(erred.kind === "denial" && erred.cuts === undefined);
});

test("what is labelled as reading passes read_only, and so does what is no tool", () => {
  const rules = [allow, { effect: "read_only", resources: ["s/*"] }];
  assert.equal(verdict(rules, { onlyReads: true }), "permit");
  assert.equal(verdict(rules, { onlyReads: false }), "read_only");
  const resources = [{ effect: "allow", tools: undefined, resources: ["s/*"] }, rules[1] ?? {}];
  assert.equal(verdict(resources, { target: { kind: "resources", name: "r" } }), "permit");
});

test("a call that is held by two rules waits for both, and passes with the approvals of both", () => {
  const rules = rulesOf(
    allow,
    { effect: "hold", approval: { approvers: 2 } },
    { effect: "hold" },
    { effect: "hold", mode: "shadow" },
  );
  const held = decide(question(), rules);
  assert.ok(held.kind === "denial");
  assert.deepEqual(
    held.held?.map(({ rule, terms }) => [rule, terms.approvers, terms.expiresMs]),
    [
      ["r1", 2, 900_000],
      ["r2", 1, 900_000],
    ],
  );
  assert.deepEqual(held.shadows, [{ rule: "r3", effect: "hold" }]);
  const half = decide(question({ approved: new Set(["r1"]) }), rules);
  assert.ok(half.kind === "denial" && half.held?.length === 1);
  assert.equal(decide(question({ approved: new Set(["r1", "r2"]) }), rules).kind, "permit");
});

test("what a list may show is what some call could be: a condition on arguments hides nothing, one on the caller does", () => {
  const asList = {
    facts: { of: () => ({ caller: { id: "a" } }), missing: new Set(["args"]) },
    isList: true,
  } as const;
  assert.equal(verdict([allow, { effect: "deny", when: "args.n > 0" }], asList), "permit");
  assert.equal(verdict([{ ...allow, when: "args.n > 5" }], asList), "permit");
  assert.equal(verdict([allow, { effect: "deny", when: 'caller.id == "a"' }], asList), "deny");
  assert.equal(verdict([allow, { effect: "hold" }], asList), "permit");
});

const effect = fc.constantFrom("allow", "deny", "cut", "hold", "read_only");
const when = fc.constantFrom(undefined, "args.n == 1", "args.n == 2", "args.m > 1", "true", "false");
const part = fc.record({
  effect,
  when,
  mode: fc.constantFrom("enforce", "enforce", "shadow"),
  tools: fc.constantFrom(["s/*"], ["s/t"], ["s/u"], ["*"]),
  callers: fc.constantFrom(["*"], ["spiffe://a.test/*"], ["spiffe://b.test/*"]),
});
const parts = fc.array(part, { maxLength: 8 });
const kindOf = (list: readonly object[], more?: Partial<Question>): string =>
  decide(question(more), rulesOf(...list)).kind;

test("order never matters", () => {
  fc.assert(
    fc.property(
      parts.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
      ),
      ([list, shuffled]) => assert.equal(verdict(list).split(" ")[0], verdict(shuffled).split(" ")[0]),
    ),
  );
});

test("adding a restriction never allows, and adding an allow never undoes one that matched", () => {
  fc.assert(
    fc.property(parts, part, (list, added) => {
      const [before, after] = [kindOf(list), kindOf([...list, added])];
      if (added.effect !== "allow" || added.mode === "shadow") {
        if (before === "denial") assert.equal(after, "denial");
      } else if (before === "denial" && verdict(list) !== "default-deny") assert.equal(after, "denial");
    }),
    { numRuns: 500 },
  );
});

test("an enforced deny that matches denies, whatever else there is", () => {
  fc.assert(
    fc.property(parts, (list) => {
      assert.equal(kindOf([...list, { effect: "deny", when: "args.n == 1" }]), "denial");
      assert.equal(kindOf([...list, { effect: "deny", when: "args.nothing > 0" }]), "denial");
    }),
  );
});

test("shadow rules change nothing but what is recorded", () => {
  fc.assert(
    fc.property(parts, (list) => {
      const enforced = list.filter(({ mode }) => mode !== "shadow");
      assert.equal(kindOf(list), kindOf(enforced));
    }),
  );
});

test("what a list hides, no call gets", () => {
  fc.assert(
    fc.property(parts, fc.integer({ min: 0, max: 3 }), (list, n) => {
      const asList = kindOf(list, { isList: true, facts: { of: () => ({}), missing: new Set(["args"]) } });
      if (asList === "denial")
        assert.equal(kindOf(list, { facts: { of: () => ({ args: { n } }) } }), "denial");
    }),
    { numRuns: 500 },
  );
});

test("what is only watched changes nothing, however costly it is", () => {
  const loop = "args.list.all(x, args.list.all(y, x + y >= 0))";
  const args = { n: 1, list: Array.from({ length: 2000 }, (_, i) => i) };
  const facts = { of: () => ({ args }) };
  const watched = { effect: "deny", mode: "shadow", when: loop };
  for (const parts of [
    [watched, allow],
    [allow, watched],
  ])
    assert.equal(verdict(parts, { facts }), "permit");
  assert.equal(verdict([watched, allow, { effect: "deny", when: "args.n == 1" }], { facts }), "deny");
});

test("rules that are too costly together deny, in whichever order they stand", () => {
  const costly = {
    effect: "deny",
    when: "args.list.all(x, args.list.all(y, x + y < 0))",
  };
  const sure = { effect: "cut", when: "args.n == 1" };
  const facts = { of: () => ({ args: { n: 1, list: Array.from({ length: 2000 }, () => -1) } }) };
  const parts = [allow, costly, sure];
  for (const order of [parts, parts.toReversed(), [costly, sure, allow]]) {
    const decided = decide(question({ facts }), rulesOf(...order));
    assert.ok(decided.kind === "denial" && decided.rule === null && /too long/.test(decided.because));
  }
});
