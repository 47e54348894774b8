import assert from "node:assert/strict";
import { test } from "node:test";

import { nothingSaid } from "../surroundings.ts";
import { compileRules, ruleSchema } from "../rules.ts";
import { callRecord, type WrittenCall } from "./call-record.ts";
import { wouldRefuse } from "./would-refuse.ts";

const world = { trustDomain: "acme.test", surroundings: nothingSaid, isReadOnly: () => false };
const agent = "spiffe://acme.test/agent/one";

function found(calls: readonly Partial<WrittenCall>[], documents: readonly object[]): readonly unknown[] {
  const records = calls.map((call) => callRecord.parse({ caller: agent, call: "bank/pay", ...call }));
  const rules = compileRules(documents.map((document) => ruleSchema.parse(document)));
  const { passed, stopped } = wouldRefuse(records, rules, world);
  const rows = stopped.map(({ fate, rule, call, calls: count, examples }) => [
    fate,
    rule,
    call,
    count,
    examples,
  ]);
  return [passed, ...rows];
}

const allow = { name: "all", callers: ["*"], tools: ["*"], effect: "allow", because: "Open." };
const pay = { callers: ["*"], tools: ["bank/pay"], because: "No." };

test("calls are counted by what stops them, the most first, with some of their ids", () => {
  const calls = [
    { id: "1", args: { amount: 5 } },
    ...["2", "3", "4", "5"].map((id) => ({ id, args: { amount: 900 } })),
    { id: "6", args: { amount: 600 } },
    { id: "7", call: "mail/send" },
  ];
  const rules = [
    { ...allow, tools: ["bank/*"] },
    { ...pay, name: "large", effect: "hold", when: "args.amount > 500" },
    { ...pay, name: "huge", effect: "deny", when: "args.amount > 800" },
  ];
  assert.deepEqual(found(calls, rules), [
    1,
    ["refused", "huge", "bank/pay", 4, ["2", "3", "4"]],
    ["held", "large", "bank/pay", 1, ["6"]],
    ["refused", "default-deny", "mail/send", 1, ["7"]],
  ]);
});

for (const [what, rule] of [
  ["a claim", { when: 'caller.claims.team == "a"' }],
  ["the calls before it", { when: 'history.count("24h") > 3' }],
  ["a tool's signature", { when: "tool.signed" }],
  ["what the client says of itself", { when: 'intent.purpose != "pay"' }],
  ["how the call is signed", { effect: "step_up", step_up: { signature: { mode: "direct" } } }],
] as const) {
  test(`a rule that asks for ${what}, which isn't kept, is told as unknown, never as a yes or a no`, () => {
    const unsure = { ...pay, name: "unsure", effect: "deny", ...rule };
    assert.deepEqual(found([{ id: "1" }], [allow, unsure]), [0, ["unknown", "unsure", "bank/pay", 1, ["1"]]]);
    const elsewhere = { ...unsure, tools: ["mail/*"] };
    assert.deepEqual(found([{ id: "1" }], [allow, elsewhere]), [1]);
  });
}

test("what is kept of a call is judged: its link, its address, its time and whom it is for", () => {
  const rules = [
    allow,
    { ...pay, name: "night", effect: "deny", when: "time.hour >= 22" },
    { ...pay, name: "weak", effect: "deny", when: "!link.pq" },
    { ...pay, name: "outside", effect: "deny", when: '!inNetwork(place.address, "10.0.0.0/8")' },
  ];
  for (const [call, rule] of [
    [{ at: "2026-06-03T23:00:00Z" }, "night"],
    [{ link: { group: "X25519" } }, "weak"],
    [{ address: "192.0.2.1" }, "outside"],
  ] as const) {
    assert.deepEqual(found([call], rules), [0, ["refused", rule, "bank/pay", 1, []]]);
  }
  assert.deepEqual(found([{}], rules), [1]);
});
