/** What a rule demands of signatures: it allows nothing else, and takes nothing from what other rules allow. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { hybridLink } from "../../test/support/links.ts";
import { decide, type Question } from "./decide.ts";
import { compileRules, ruleSchema } from "./rules.ts";
import type { SignedAs } from "./signature-demand.ts";

const caller = {
  id: "spiffe://acme.test/agent/a",
  chain: [],
  proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 },
} as const;
const call: Question = {
  caller,
  link: hybridLink,
  server: "files",
  target: { kind: "tools", name: "write" },
};

function rule(name: string, signature?: object, more: object = {}): unknown {
  const common = { name, callers: ["*"], tools: ["files/*"], effect: "allow", because: "A test." };
  return { ...common, ...(signature && { signature }), ...more };
}

function asked(rules: readonly unknown[], signed?: SignedAs, question: Question = call) {
  const compiled = compileRules(rules.map((each) => ruleSchema.parse(each)));
  return decide({ ...question, ...(signed && { signed }) }, compiled);
}

const none: SignedAs = { mode: "none" };
const batched: SignedAs = { mode: "batched", ageMs: 10_000 };
const direct: SignedAs = { mode: "direct", algorithm: "ML-DSA-65", ageMs: 10_000 };
const best: SignedAs = { mode: "direct", algorithm: "ML-DSA-87", ageMs: 10_000 };

const demands = [
  { demand: { mode: "batched" }, met: [batched, direct, best], unmet: [none] },
  { demand: { mode: "direct" }, met: [direct, best], unmet: [none, batched] },
  { demand: { algorithm: "ML-DSA-65" }, met: [direct, best], unmet: [none, batched] },
  { demand: { algorithm: "ML-DSA-87" }, met: [best], unmet: [none, batched, direct] },
  { demand: { max_age: "10s" }, met: [batched, direct], unmet: [none, { ...best, ageMs: 10_001 }] },
  { demand: { answer: "direct" }, met: [batched, direct], unmet: [none] },
] as const;

for (const { demand, met, unmet } of demands) {
  test(`a rule with ${JSON.stringify(demand)} allows what meets it, and nothing else`, () => {
    for (const signed of met) assert.equal(asked([rule("r", demand)], signed).kind, "permit");
    for (const signed of unmet) {
      const verdict = asked([rule("r", demand)], signed);
      assert.deepEqual([verdict.kind, verdict.rule], ["denial", "r"]);
      assert.ok(verdict.kind === "denial" && verdict.unsigned !== undefined);
    }
  });
}

test("another rule that demands less allows it, in whatever order they stand", () => {
  const rules = [rule("strict", { mode: "direct", answer: "direct" }), rule("loose", { mode: "batched" })];
  for (const list of [rules, rules.toReversed()]) {
    assert.equal(asked(list, batched).rule, "loose");
    const verdict = asked(list, direct);
    assert.ok(verdict.kind === "permit" && verdict.answer === "none");
    assert.equal(asked([...list, rule("open")], none).rule, "open");
  }
});

test("what the answer must have is part of the permit", () => {
  const verdict = asked([rule("r", { answer: "direct" })], batched);
  assert.ok(verdict.kind === "permit" && verdict.answer === "direct");
});

test("a denial stays one, however a call is signed", () => {
  const rules = [rule("r", { mode: "direct" }), rule("no", undefined, { effect: "deny" })];
  const verdict = asked(rules, best);
  assert.deepEqual([verdict.kind, verdict.rule], ["denial", "no"]);
  assert.ok(verdict.kind === "denial" && verdict.unsigned === undefined);
});

test("a message that names nothing, and a question that isn't about a message, meet every demand", () => {
  const { target: _, ...housekeeping } = call;
  assert.equal(asked([rule("r", { mode: "direct" })], none, housekeeping).kind, "permit");
  assert.equal(asked([rule("r", { mode: "direct" })]).kind, "permit");
});

test("each of those on whose behalf is called has its own rules, and the strictest answer counts", () => {
  const chain = ["spiffe://acme.test/agent/first"];
  const question = { ...call, caller: { ...caller, chain } };
  const rules = [
    rule("first", { mode: "direct", answer: "direct" }, { callers: chain }),
    rule("second", undefined, { callers: [caller.id] }),
  ];
  const verdict = asked(rules, direct, question);
  assert.ok(verdict.kind === "permit" && verdict.answer === "direct");
  const refused = asked(rules, batched, question);
  assert.ok(refused.kind === "denial" && refused.rule === "first" && refused.party === chain[0]);
});

test("a demand that says nothing, can't be meant, or stands with a denial is refused", () => {
  const isRight = (part: object): boolean => ruleSchema.safeParse(rule("r", undefined, part)).success;
  assert.equal(isRight({ signature: { mode: "direct", algorithm: "ML-DSA-87", max_age: "30s" } }), true);
  for (const signature of [
    {},
    { mode: "none" },
    { algorithm: "Ed25519" },
    { max_age: "1h" },
    { max_age: "0s" },
    { modes: "direct" },
  ]) {
    assert.equal(isRight({ signature }), false, JSON.stringify(signature));
  }
  assert.equal(isRight({ effect: "deny", signature: { mode: "direct" } }), false);
});
