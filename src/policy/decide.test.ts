/** Rules and the judge: default-deny, deny overrides, order never matters. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { decide, type Question } from "./decide.ts";
import { hybridLink } from "../../test/support/links.ts";
import { compileRules, type RuleDocument, ruleSchema } from "./rules.ts";

const rule = (part: Partial<RuleDocument>): RuleDocument => ({
  name: "r",
  callers: ["*"],
  effect: "allow",
  because: "A test says so.",
  mode: "enforce",
  tools: ["files/*"],
  ...part,
});
const ask = (
  target: Question["target"],
  caller = "spiffe://acme.test/agent/a",
  server = "files",
): Question => ({
  caller: { id: caller, chain: [], proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 } },
  link: hybridLink,
  server,
  ...(target && { target }),
});
const tool = (name: string): Question["target"] => ({ kind: "tools", name });
const verdict = (rules: readonly RuleDocument[], question: Question): string => {
  const decided = decide(question, compileRules(rules));
  return decided.kind === "permit" ? `permit by ${decided.rule}` : `denial by ${decided.rule ?? "nothing"}`;
};

test("what no rule allows is denied", () => {
  assert.equal(verdict([], ask(tool("read"))), "denial by nothing");
  assert.equal(verdict([rule({ tools: ["other/*"] })], ask(tool("read"))), "denial by nothing");
  assert.equal(
    verdict([rule({ callers: ["spiffe://acme.test/agent/b"] })], ask(tool("read"))),
    "denial by nothing",
  );
});

test("deny overrides, wherever it stands", () => {
  const rules = [
    rule({ name: "all" }),
    rule({ name: "no-writes", effect: "deny", tools: ["files/write_*"] }),
  ];
  for (const list of [rules, rules.toReversed()]) {
    assert.equal(verdict(list, ask(tool("read"))), "permit by all");
    assert.equal(verdict(list, ask(tool("write_file"))), "denial by no-writes");
  }
});

test("the order of the rules never changes whether a call is permitted", () => {
  const patterns = fc.constantFrom("files/*", "files/read", "*", "other/*", "files/w*");
  const documents = fc
    .array(
      fc.record({
        effect: fc.constantFrom("allow" as const, "deny" as const),
        tools: fc.array(patterns, { minLength: 1, maxLength: 2 }),
      }),
      { maxLength: 6 },
    )
    .map((parts) => parts.map((part, i) => rule({ ...part, name: `r${i}` })));
  fc.assert(
    fc.property(
      documents.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
      ),
      fc.constantFrom("read", "write", ""),
      ([list, shuffled], name) => {
        const kind = (text: string) => text.split(" ")[0];
        assert.equal(kind(verdict(shuffled, ask(tool(name)))), kind(verdict(list, ask(tool(name)))));
      },
    ),
  );
});

test("a rule on tools says nothing about resources and prompts of the same name", () => {
  const rules = [rule({ tools: ["files/x"] })];
  assert.equal(verdict(rules, ask({ kind: "tools", name: "x" })), "permit by r");
  assert.equal(verdict(rules, ask({ kind: "resources", name: "x" })), "denial by nothing");
  assert.equal(verdict(rules, ask({ kind: "prompts", name: "x" })), "denial by nothing");
});

test("the protocol's own methods are open to whoever may use anything of the server, and to nobody else", () => {
  assert.equal(verdict([rule({ tools: ["files/read"] })], ask(undefined)), "permit by r");
  assert.equal(verdict([rule({ tools: ["other/read"] })], ask(undefined)), "denial by nothing");
  assert.equal(
    verdict([rule({ effect: "deny", tools: ["files/read"] })], ask(undefined)),
    "denial by nothing",
  );
  assert.equal(verdict([rule({ tools: ["fi*"] })], ask(undefined)), "permit by r");
});

test("a rule that denies all of a server denies its housekeeping too; one that denies a part doesn't", () => {
  const all = { tools: ["files/*"], resources: ["files/*"], prompts: ["files/*"] };
  const open = rule({ name: "open", ...all });
  const questions = [ask(undefined), ask(tool("read"))];
  for (const closed of [all, { tools: ["*"], resources: ["*"], prompts: ["*"] }]) {
    const rules = [open, rule({ name: "closed", effect: "deny", ...closed })];
    assert.deepEqual(
      questions.map((each) => verdict(rules, each)),
      ["denial by closed", "denial by closed"],
    );
  }
  const part = [open, rule({ name: "part", effect: "deny", tools: ["files/*"] })];
  assert.deepEqual(
    questions.map((each) => verdict(part, each)),
    ["permit by open", "denial by part"],
  );
});

const globs: readonly (readonly [string, string, boolean])[] = [
  ["files/read", "read", true],
  ["files/read", "reads", false],
  ["files/r*d", "read", true],
  ["files/r*d", "rd", true],
  ["files/r*d", "reader", false],
  ["files/*e*d", "read", true],
  ["files/aa*aa", "aaa", false],
  ["files/aa*aa", "aaaa", true],
  ["files/*", "", true],
  ["files/(read)", "read", false],
  ["files/.*", "read", false],
  ["FILES/read", "read", false],
];
for (const [pattern, name, matches] of globs) {
  test(`"${pattern}" ${matches ? "is" : "isn't"} about "files/${name}"`, () => {
    assert.equal(verdict([rule({ tools: [pattern] })], ask(tool(name))) === "permit by r", matches);
  });
}

test("a pattern of many stars against a long name is decided, not searched for ever", () => {
  const rules = [rule({ tools: [`files/${"*a".repeat(500)}*b`] })];
  assert.equal(verdict(rules, ask(tool("a".repeat(8000)))), "denial by nothing");
});

test("two rules of one name are refused, as are a key nobody knows and a rule about nothing", () => {
  assert.throws(() => compileRules([rule({}), rule({})]), /Two policies are named "r"/);
  assert.equal(ruleSchema.safeParse({ ...rule({}), effects: "allow" }).success, false);
  assert.equal(ruleSchema.safeParse({ ...rule({}), tools: undefined }).success, false);
  assert.equal(ruleSchema.safeParse(rule({})).success, true);
});

test("a deny that is about the call wins over any number of allows, wherever it stands", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 }), fc.nat(8), (allows, at) => {
      const rules = Array.from({ length: allows }, (_, i) => rule({ name: `a${i}`, tools: ["*"] }));
      rules.splice(at, 0, rule({ name: "no", effect: "deny", tools: ["files/read"] }));
      assert.equal(verdict(rules, ask(tool("read"))), "denial by no");
    }),
  );
});

test("a denial says which rule and why, or that there is none", () => {
  const deny = rule({ name: "no", effect: "deny", because: "Only pharmacists may." });
  assert.deepEqual(decide(ask(tool("read")), compileRules([deny])), {
    kind: "denial",
    rule: "no",
    because: "Only pharmacists may.",
    effect: "deny",
    shadows: [],
  });
  assert.deepEqual(decide(ask(tool("read")), []), {
    kind: "denial",
    rule: null,
    because: 'No policy allows this caller "read" on "files".',
    shadows: [],
  });
});

test("a name that looks like another server's stays a name of its own server", () => {
  const rules = [rule({ tools: ["mail/*"] })];
  for (const name of ["mail/read", "../mail/read", "/mail/read"]) {
    assert.equal(verdict(rules, ask(tool(name))), "denial by nothing");
  }
});
