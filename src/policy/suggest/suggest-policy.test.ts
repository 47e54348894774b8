import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { compileCondition } from "../../expr/condition.ts";
import { typeOfSchema } from "../../expr/schema-types.ts";
import { checkRules, type Known } from "../check/check-rules.ts";
import { decide } from "../decide.ts";
import { factTypes } from "../facts.ts";
import { compileRules, type Rule } from "../rules.ts";
import type { SeenCall } from "./seen-call.ts";
import { type SuggestedRule, suggestPolicy, type Suggestion } from "./suggest-policy.ts";

const agent = "spiffe://acme.test/agent/one";
const unknown: Known = { tools: new Map() };

function seen(parts: Partial<SeenCall> = {}): SeenCall {
  return {
    id: "call",
    atUnixMs: 1_700_000_000_000,
    caller: agent,
    chain: [],
    server: "bank",
    kind: "tools",
    name: "pay",
    args: {},
    failed: false,
    ...parts,
  };
}

function times(count: number, parts: Partial<SeenCall>): readonly SeenCall[] {
  return Array.from({ length: count }, () => seen(parts));
}

/** By the judge that calls meet, with the whole chain. */
function isAllowed({ caller, chain, server, kind, name, args }: SeenCall, rules: readonly Rule[]): boolean {
  const facts = { args: kind === "resources" ? { uri: name } : args, call: { server, kind, name } };
  const verdict = decide(
    {
      caller: {
        id: caller,
        chain,
        proof: { kind: "svid", serial: "1", issuer: "", notAfterUnixMs: 0, issuedAtUnixMs: 0 },
      },
      link: { group: "X25519MLKEM768", level: 3, isPostQuantum: true, certificate: "ML-DSA-65" },
      server,
      target: { kind, name },
      facts: { of: () => facts },
    },
    rules,
  );
  return verdict.kind === "permit";
}

function inForce({ rules }: Suggestion): readonly Rule[] {
  return compileRules(rules.map(({ document }) => document));
}

function draft(calls: readonly SeenCall[], known = unknown): readonly Rule[] {
  const suggestion = suggestPolicy(calls, known);
  assert.deepEqual(suggestion.leftOut, []);
  return inForce(suggestion);
}

function only({ rules }: Suggestion): SuggestedRule {
  const [rule, ...others] = rules;
  assert.ok(rule !== undefined && others.length === 0);
  return rule;
}

const scalar = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("2024-05-01", "http://a.test/x", "a@b.test", "/srv/a/b", 'it\'s "quoted" \\ \n', "null"),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
);
const names = fc.constantFrom("amount", "to", "in", "odd name", "password", "a.b", "*", "name", "item", "");
const args = fc.dictionary(names, value, { maxKeys: 5 });
const somebody = fc.constantFrom(
  agent,
  "spiffe://acme.test/agent/worker-1",
  "spiffe://acme.test/agent/worker-2",
  "spiffe://acme.test/agent/worker-3",
  "oauth:corp/client/app",
);
const call: fc.Arbitrary<SeenCall> = fc.record({
  id: fc.string(),
  atUnixMs: fc.integer({ min: 0, max: 2e12 }),
  caller: somebody,
  chain: fc.array(fc.oneof(somebody, fc.constantFrom("oauth:corp/user/ann", "oauth:corp/user/bob")), {
    maxLength: 2,
  }),
  server: fc.constantFrom("bank", "mail"),
  kind: fc.constantFrom("tools", "resources", "prompts"),
  name: fc.oneof(fc.constantFrom("pay", "list", "a*b", "file:///srv/x"), fc.string({ minLength: 1 })),
  args,
  failed: fc.boolean(),
});
/** What repeats, as calls do. */
const calls = fc
  .tuple(fc.array(call, { minLength: 1, maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }))
  .map(([some, again]) => [...some, ...again.flatMap((at) => some[at % some.length] ?? [])]);

test("whatever calls are given, the judge passes each of them by the draft, or it is said to be left out", () => {
  fc.assert(
    fc.property(calls, (given) => {
      const suggestion = suggestPolicy(given, unknown);
      const rules = inForce(suggestion);
      const out = new Set(suggestion.leftOut.map(({ what }) => what));
      for (const each of given) {
        assert.ok(isAllowed(each, rules) || out.has(`${each.server}/${each.name}`), JSON.stringify(each));
      }
    }),
    { numRuns: 300 },
  );
});

const schema = {
  type: "object",
  properties: {
    amount: { type: "number" },
    to: { type: "string" },
    "odd name": { type: ["string", "null"] },
    item: { type: "array", items: { type: "string" } },
  },
};
const types = (additional: object): Known => {
  const pay = { args: typeOfSchema({ ...schema, ...additional }), onlyReads: false };
  return { tools: new Map([["bank", new Map([["pay", pay]])]]), servers: ["bank"] };
};

for (const additional of [{}, { additionalProperties: false }]) {
  test(`a draft has no mistake by the tools' schemas${"additionalProperties" in additional ? ", which name all there is" : ""}, whatever calls came`, () => {
    fc.assert(
      fc.property(calls, (given) => {
        const known = types(additional);
        const suggestion = suggestPolicy(given, known);
        const documents = suggestion.rules.map(({ document }) => document);
        const errors = checkRules(documents, known).filter(({ severity }) => severity === "error");
        assert.deepEqual(errors, []);
        const rules = inForce(suggestion);
        for (const each of given) {
          const isDrafted = each.server === "bank" && each.name === "pay" && each.kind === "tools";
          assert.ok(!isDrafted || isAllowed(each, rules));
        }
      }),
      { numRuns: 200 },
    );
  });
}

describe("what was not seen is refused:", () => {
  const usual = Array.from({ length: 60 }, (_, at) =>
    seen({
      args: { to: at % 2 === 0 ? "ann" : "bob", amount: [5, 60, 120, 480][at % 4], note: `Rent ${at + 1}` },
    }),
  );
  const rows: readonly (readonly [string, Partial<SeenCall>, boolean])[] = [
    ["the same again", { args: { to: "ann", amount: 480, note: "Rent" } }, true],
    ["an amount a little above", { args: { to: "ann", amount: 500, note: "x y" } }, true],
    ["an amount far above", { args: { to: "ann", amount: 501, note: "x y" } }, false],
    ["another recipient", { args: { to: "eve", amount: 5, note: "x y" } }, false],
    ["another argument", { args: { to: "ann", amount: 5, note: "x y", cc: "eve" } }, false],
    ["an argument less", { args: { to: "ann", note: "x y" } }, false],
    ["an amount as a text", { args: { to: "ann", amount: "5", note: "x y" } }, false],
    ["a list of recipients", { args: { to: ["ann", "eve"], amount: 5, note: "x y" } }, false],
    ["an address in the note", { args: { to: "ann", amount: 5, note: "see evil.test now" } }, false],
    ["a note of two lines", { args: { to: "ann", amount: 5, note: "x\ny" } }, false],
    ["another tool", { name: "pay_all", args: { to: "ann", amount: 5, note: "x y" } }, false],
    ["another server", { server: "bank2", args: { to: "ann", amount: 5, note: "x y" } }, false],
    ["another caller", { caller: `${agent}1`, args: { to: "ann", amount: 5, note: "x y" } }, false],
    [
      "the same in another's name",
      { chain: ["oauth:corp/client/app"], args: { to: "ann", amount: 5, note: "x" } },
      false,
    ],
  ];
  for (const [what, parts, expected] of rows) {
    test(`${what} ${expected ? "passes" : "doesn't"}`, () => {
      assert.equal(isAllowed(seen(parts), draft(usual)), expected);
    });
  }
});

test("one odd recipient among many opens that one call, not the recipient", () => {
  const odd = { to: "eve", amount: 7, note: "once" };
  const calls = [
    ...times(60, { args: { to: "ann", amount: 400, note: "Rent for May" } }),
    seen({ args: odd }),
  ];
  const suggestion = suggestPolicy(calls, unknown);
  const rules = inForce(suggestion);
  assert.ok(isAllowed(seen({ args: odd }), rules));
  assert.ok(!isAllowed(seen({ args: { ...odd, amount: 8 } }), rules));
  assert.deepEqual(
    suggestion.rules.map(({ document, isRare }) => [document.name, isRare]),
    [
      ["bank-pay", false],
      ["bank-pay-rarely", true],
    ],
  );
});

test("a tool that was hardly ever called among many is allowed as it was called, in a rule to look at", () => {
  const odd = { user: "eve", reason: "as the page said that I should" };
  const calls = [
    ...Array.from({ length: 60 }, (_, at) => seen({ args: { to: "ann", amount: at } })),
    seen({ name: "remove", args: odd }),
  ];
  const suggestion = suggestPolicy(calls, unknown);
  assert.deepEqual(
    suggestion.rules.map(({ document, isRare }) => [document.name, isRare]),
    [
      ["bank-pay", false],
      ["bank-remove-rarely", true],
    ],
  );
  assert.ok(isAllowed(seen({ name: "remove", args: odd }), inForce(suggestion)));
  assert.ok(!isAllowed(seen({ name: "remove", args: { ...odd, user: "bob" } }), inForce(suggestion)));
});

test("a secret's value stands in no rule, and no rule asks for it", () => {
  const calls = [
    ...times(30, { args: { user: "ann", password: "hunter2hunter2" } }),
    seen({ args: { user: "bob", password: "correct horse" } }),
    ...times(5, { args: { user: "ann", password: "x", nested: { apiKey: "AKIA0123" } } }),
  ];
  const suggestion = suggestPolicy(calls, unknown);
  assert.doesNotMatch(JSON.stringify(suggestion), /hunter2|correct horse|AKIA/);
  assert.ok(isAllowed(seen({ args: { user: "ann", password: "another" } }), inForce(suggestion)));
});

for (const [what, argument, some, other, foreign] of [
  [
    "hosts",
    "url",
    ["http://a.test/1", "http://b.test/2"],
    "http://a.test/new?q=1",
    "http://a.test.evil.test/1",
  ],
  [
    "hosts before an @",
    "url",
    ["http://a.test/1", "http://b.test/2"],
    "http://b.test",
    "http://a.test@evil.test/1",
  ],
  ["domains", "to", ["ann@a.test", "bob@b.test"], "new@a.test", "ann@a.test.evil.test"],
  ["folders", "path", ["/srv/a/x.txt", "/srv/a/b/y.txt"], "/srv/a/n.txt", "/srv/a/../../k"],
  ["days", "day", ["2024-05-01", "2024-05-02"], "2031-12-31", "2024-05-01; rm -rf"],
] as const) {
  test(`${what} are told from what only looks like them`, () => {
    const rules = draft(some.map((each) => seen({ args: { [argument]: each } })));
    assert.ok(isAllowed(seen({ args: { [argument]: other } }), rules));
    assert.ok(!isAllowed(seen({ args: { [argument]: foreign } }), rules));
  });
}

test("callers whose names differ in a number are one pattern, unless another caller has such a name", () => {
  const worker = (id: number): string => `spiffe://acme.test/agent/worker-${id}`;
  const three = [1, 2, 3].map((id) => seen({ caller: worker(id) }));
  assert.deepEqual(only(suggestPolicy(three, unknown)).document.callers, [
    "spiffe://acme.test/agent/worker-*",
  ]);
  const other = seen({ caller: worker(9), name: "list" });
  const [first] = suggestPolicy([...three, other], unknown).rules;
  assert.deepEqual(first?.document.callers, [1, 2, 3].map(worker));
});

test("the evidence says how often, by how many and over how long, and how much failed", () => {
  const day = 24 * 3_600_000;
  const rule = only(
    suggestPolicy([...times(3, {}), seen({ atUnixMs: seen().atUnixMs + 11.5 * day, failed: true })], unknown),
  );
  assert.equal(rule.document.because, "Seen 4 times by 1 caller in 12 days, 1 of them failed.");
});

test("a tool its server has no more is left out, with the reason, and what nobody called is named", () => {
  const { rules, leftOut, neverCalled } = suggestPolicy([seen({ name: "gone" })], types({}));
  assert.deepEqual(rules, []);
  assert.deepEqual(neverCalled, ["bank/pay"]);
  assert.deepEqual(
    leftOut.map(({ what, calls }) => [what, calls]),
    [["bank/gone", 1]],
  );
  assert.match(leftOut[0]?.because ?? "", /gone/);
});

test("what a schema doesn't let be compared is not asked for", () => {
  const suggestion = suggestPolicy(times(5, { args: { amount: "a lot", to: "ann" } }), types({}));
  const { when = "" } = only(suggestion).document;
  const typed = compileCondition(when, { ...factTypes, args: typeOfSchema(schema) });
  assert.equal(typed.kind, "condition");
  assert.match(when, /args.to/);
});
