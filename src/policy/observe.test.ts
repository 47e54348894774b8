import assert from "node:assert/strict";
import { test } from "node:test";

import type { Caller } from "../model/caller.ts";
import { decide, observe, type Question } from "./decide.ts";
import { compileRules, type Rule, ruleSchema } from "./rules.ts";

const caller: Caller = {
  id: "spiffe://acme.test/agent/one",
  chain: [],
  proof: { kind: "svid", serial: "1", issuer: "", notAfterUnixMs: 0, issuedAtUnixMs: 0 },
};

function question(parts: Partial<Question> = {}): Question {
  return {
    caller,
    link: { group: "X25519", level: 0, isPostQuantum: false, certificate: "ML-DSA-65" },
    server: "bank",
    target: { kind: "tools", name: "pay" },
    signed: { mode: "none" },
    facts: { of: () => ({ args: { amount: 7 } }) },
    ...parts,
  };
}

const allow = { name: "all", callers: ["*"], tools: ["*"], effect: "allow", because: "Open." };

function rules(...documents: readonly object[]): readonly Rule[] {
  return compileRules(documents.map((document) => ruleSchema.parse(document)));
}

const base = { callers: ["*"], tools: ["bank/pay"], because: "No." };
const stopping: readonly (readonly [string, readonly object[], string | null])[] = [
  ["nothing allows", [], null],
  ["a rule denies", [allow, { ...base, name: "stop", effect: "deny" }], "stop"],
  ["a rule cuts", [allow, { ...base, name: "stop", effect: "cut" }], "stop"],
  ["a rule holds", [allow, { ...base, name: "stop", effect: "hold" }], "stop"],
  ["a rule lets only reading pass", [allow, { ...base, name: "stop", effect: "read_only" }], "stop"],
  [
    "a rule wants a better link",
    [allow, { ...base, name: "stop", effect: "step_up", step_up: { link: { pq: true } } }],
    "stop",
  ],
  [
    "a rule wants a signature",
    [{ ...allow, name: "stop", signature: { mode: "direct", answer: "direct" } }],
    "stop",
  ],
  [
    "a condition errs",
    [allow, { ...base, name: "stop", effect: "deny", when: 'args.amount == "7"' }],
    "stop",
  ],
];

for (const [what, documents, rule] of stopping) {
  test(`observed, a call passes where ${what}, and the permit says what would have been`, () => {
    const judged = rules(...documents);
    assert.equal(decide(question(), judged).kind, "denial");
    const observed = observe(question(), judged);
    assert.equal(observed.kind, "permit");
    if (observed.kind !== "permit") return;
    assert.equal(observed.observed?.rule, rule);
    assert.equal(observed.answer, "none");
  });
}

test("what rules would let through is observed as that, with its redactions and shadows", () => {
  const judged = rules(
    allow,
    { ...base, name: "hide", effect: "redact", redact: { arguments: ["/password"] } },
    { ...base, name: "watched", effect: "deny", mode: "shadow" },
  );
  const observed = observe(question(), judged);
  assert.ok(observed.kind === "permit" && observed.observed === undefined);
  assert.deepEqual(
    observed.redactions.map(({ rule }) => rule),
    ["hide"],
  );
  assert.deepEqual(observed.shadows, [{ rule: "watched", effect: "deny" }]);
});

test("what is redacted stays redacted in a call that only observing lets through", () => {
  const hide = { ...base, name: "hide", effect: "redact", redact: { arguments: ["/password"] } };
  const observed = observe(question(), rules(hide, { ...hide, name: "not-yet", mode: "shadow" }));
  assert.ok(observed.kind === "permit" && observed.observed !== undefined);
  assert.deepEqual(
    observed.redactions.map(({ rule }) => rule),
    ["hide"],
  );
});

test("observing opens nothing that a delegation doesn't cover, whatever a rule would have said", () => {
  const delegation = { id: "d", scope: { tools: ["mail/*"] } } as unknown as NonNullable<
    Caller["delegation"]
  >;
  const delegated = question({ caller: { ...caller, chain: ["spiffe://acme.test/agent/boss"], delegation } });
  for (const judged of [rules(), rules(allow), rules(allow, { ...base, name: "stop", effect: "deny" })]) {
    const observed = observe(delegated, judged);
    assert.ok(observed.kind === "denial" && observed.outOfScope === true);
  }
});
