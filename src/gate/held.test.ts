/** Which call people are asked about, what they are shown of it, and what its caller is told. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { decide, type Denial, type Question } from "../policy/decide.ts";
import { compileRules, type RuleDocument } from "../policy/rules.ts";
import { readFrame } from "../wire/frame.ts";
import type { Judged } from "./call.ts";
import { settled } from "./held.ts";
import type { Held, HeldCall } from "./ports.ts";
import { refusedAnswer } from "./refuse.ts";
import type { World } from "./world.ts";

const allow: RuleDocument = {
  name: "all",
  callers: ["*"],
  tools: ["*"],
  effect: "allow",
  because: "Anybody.",
  mode: "enforce",
};
const hold: RuleDocument = { ...allow, name: "wait", effect: "hold", because: "Looked at first." };

interface Made {
  readonly message?: string;
  readonly id?: string;
  readonly chain?: readonly string[];
  readonly server?: string;
  readonly approval?: RuleDocument["approval"];
  readonly redaction?: RuleDocument["redact"];
}

const pay = '{"name":"pay","arguments":{"to":"bob","amount":10}}';

const asMessage = (params: string): string =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;

/** A call that was judged, as far as people are concerned. */
function judged({ message = asMessage(pay), id = "a", chain = [], server = "bank", ...more }: Made): {
  readonly call: Judged;
  readonly world: World;
} {
  const rules = compileRules([
    allow,
    { ...hold, ...(more.approval && { approval: more.approval }) },
    ...(more.redaction
      ? [{ ...allow, name: "take", effect: "redact", redact: more.redaction } as const]
      : []),
  ]);
  const caller = { id, chain } as unknown as Question["caller"];
  const link = { group: "X25519MLKEM768", level: 3 } as Question["link"];
  const frame = readFrame(utf8(message));
  const name = frame.kind === "request" ? (frame.params?.name ?? "") : "";
  const question: Question = {
    caller,
    link,
    server,
    target: { kind: "tools", name },
    facts: { of: () => ({}) },
  };
  const call = {
    id: "call",
    caller,
    server,
    verb: "POST",
    headers: [],
    frame,
    question,
    verdict: decide(question, rules),
  };
  return { call: call as unknown as Judged, world: { rules } as unknown as World };
}

/** What people are asked about that call. */
function asked(made: Made): HeldCall {
  const { call, world } = judged(made);
  let found: HeldCall | undefined;
  const settle = (held: HeldCall): Held => {
    found = held;
    return { kind: "taken", request: "r" };
  };
  const after = settled(call, world, { approvals: { settle } });
  assert.equal(after.call.verdict.kind, "permit", "what people approved is judged anew, and allowed");
  return found ?? assert.fail();
}

const same: readonly (readonly [string, Made])[] = [
  ["white space", { message: asMessage('{ "name" : "pay", "arguments":{"to":"bob" ,"amount":10}}') }],
  ["the order of members", { message: asMessage('{"arguments":{"amount":10,"to":"bob"},"name":"pay"}') }],
  ["escapes", { message: asMessage('{"name":"pay","arguments":{"to":"b\\u006fb","amount":10}}') }],
  [
    "_meta",
    { message: asMessage('{"_meta":{"progressToken":7},"name":"pay","arguments":{"to":"bob","amount":10}}') },
  ],
];
for (const [what, made] of same) {
  test(`a call is the same call, whatever ${what}`, () => {
    assert.equal(asked(made).content, asked({}).content);
  });
}

const others: readonly (readonly [string, Made])[] = [
  ["argument", { message: asMessage('{"name":"pay","arguments":{"to":"eve","amount":10}}') }],
  ["argument's kind", { message: asMessage('{"name":"pay","arguments":{"to":"bob","amount":"10"}}') }],
  ["argument more", { message: asMessage('{"name":"pay","arguments":{"to":"bob","amount":10,"x":null}}') }],
  ["tool", { message: asMessage('{"name":"slip","arguments":{"to":"bob","amount":10}}') }],
  [
    "answer to a server's question",
    { message: asMessage(`${pay.slice(0, -1)},"inputResponses":{"sure":true}}`) },
  ],
  ["method", { message: asMessage(pay).replace("tools/call", "tools/other") }],
  ["caller", { id: "b" }],
  ["chain", { chain: ["c"] }],
  ["server", { server: "bank2" }],
  ["number of approvers", { approval: { approvers: 2, expires: 900_000 } }],
  ["choice of approvers", { approval: { approvers: 1, expires: 900_000, from: ["operator"] } }],
];
for (const [what, made] of others) {
  test(`an approval doesn't count for a call with another ${what}`, () => {
    assert.notEqual(asked(made).content, asked({}).content);
  });
}

test("acting for another isn't the same as the other way round", () => {
  assert.notEqual(asked({ id: "b", chain: ["a"] }).content, asked({ id: "a", chain: ["b"] }).content);
});

test("numbers are shown with all their digits, and what is hidden with what it says", () => {
  const args = '{"amount":12345678901234567890,"rate":1.10000000000000000001,"to":"a\u{e0042}\u{e0043}"}';
  const { said } = asked({ message: asMessage(`{"name":"pay","arguments":${args}}`) });
  assert.deepEqual(
    said.map(({ name }) => name),
    ["amount", "rate", "to"],
  );
  assert.deepEqual([said[0]?.value, said[1]?.value], ["12345678901234567890", "1.10000000000000000001"]);
  assert.match(said[2]?.value ?? "", /⟨[^⟩]*BC[^⟩]*⟩/);
});

test("arguments that are no object are shown all the same", () => {
  for (const args of ['[{"amount":1000000,"to":"mallory"}]', '"all of it"', "7"]) {
    const { said } = asked({ message: asMessage(`{"name":"pay","arguments":${args}}`) });
    assert.deepEqual(said, [{ name: "arguments", value: args }]);
  }
});

test("what a rule takes out of the call isn't shown to people either", () => {
  const redaction = { arguments: ["/to"], replace_by: "[out]" };
  const { said, content } = asked({ redaction });
  assert.deepEqual(said, [
    { name: "to", value: '"[out]"' },
    { name: "amount", value: "10" },
  ]);
  assert.equal(content, asked({}).content, "it is the call as it came that is approved");
});

test("what is shown is bounded however much is said, and says that there is more", () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`n${i}`, "\u200b".repeat(3000)]));
  const { said } = asked({ message: asMessage(`{"name":"pay","arguments":${JSON.stringify(many)}}`) });
  assert.ok(JSON.stringify(said).length < 200_000, String(JSON.stringify(said).length));
  assert.equal(said.at(-1)?.isCut, true);
  assert.ok(said.length <= 51);
});

const states: readonly (readonly [Held, RegExp, object])[] = [
  [
    { kind: "waiting", request: "r", have: 0, need: 2, expiresUnixMs: 0 },
    /^Held for approval: Looked at first\. Request r waits for 2 approvals by an approver of this gateway until 1970-01-01T00:00:00\.000Z\./,
    { state: "waiting", approvers: { have: 0, need: 2 }, remediation: "available" },
  ],
  [
    { kind: "waiting", request: "r", have: 1, need: 2, expiresUnixMs: 0 },
    /waits for 1 more approval \(1 of 2 are there\) by/,
    { state: "partly_approved", approvers: { have: 1, need: 2 }, remediation: "available" },
  ],
  [
    {
      kind: "waiting",
      request: "r",
      have: 0,
      need: 1,
      expiresUnixMs: 0,
      before: { request: "q", state: "expired" },
    },
    /An earlier request for it, q, is expired\./,
    {
      state: "waiting",
      approvers: { have: 0, need: 1 },
      before: { request: "q", state: "expired" },
      remediation: "available",
    },
  ],
  [
    { kind: "denied", request: "r", expiresUnixMs: 0, reason: "Too much." },
    /was denied: Too much\./,
    { state: "denied", remediation: "unavailable" },
  ],
];
for (const [held, words, expected] of states) {
  const state = "state" in expected ? String(expected.state) : "";
  test(`a call that is held is answered with a tool result that says how it stands (${state}: ${words.source.slice(0, 24)})`, () => {
    const { call, world } = judged({});
    const { refusal } = settled(call, world, { approvals: { settle: () => held } });
    assert.ok(refusal instanceof Refusal && refusal.code === "held");
    const { status, body } = refusedAnswer(call, refusal);
    const { result } = JSON.parse(Buffer.from(body).toString()) as {
      readonly result: {
        readonly isError: boolean;
        readonly content: readonly { readonly text: string }[];
        readonly _meta: Readonly<Record<string, unknown>>;
      };
    };
    assert.deepEqual([status, result.isError], [200, true]);
    assert.match(result.content[0]?.text ?? "", words);
    assert.match(result.content[0]?.text ?? "", /Nothing was carried out\.$/);
    assert.deepEqual(result._meta["dev.latticegate/authorization"], {
      reason: "held",
      request: "r",
      expires: "1970-01-01T00:00:00.000Z",
      ...expected,
    });
  });
}

test("a resource that is held is an error with the same said in its data", () => {
  const message = '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"mem://x"}}';
  const { call, world } = judged({ message });
  const held: Held = { kind: "waiting", request: "r", have: 0, need: 1, expiresUnixMs: 0 };
  const { refusal } = settled(call, world, { approvals: { settle: () => held } });
  const { status, body } = refusedAnswer(call, refusal);
  const { error } = JSON.parse(Buffer.from(body).toString()) as {
    readonly error: { readonly code: number; readonly message: string; readonly data: object };
  };
  assert.deepEqual([status, error.code], [200, -31403]);
  assert.match(error.message, /^Held for approval/);
  assert.deepEqual(Object.keys(error.data), ["dev.latticegate/authorization"]);
});

const unasked = [
  ["a notification", '{"jsonrpc":"2.0","method":"pay/now","params":{}}'],
  [
    "a completion",
    '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"pay"}}}',
  ],
] as const;
for (const [what, message] of unasked) {
  test(`nobody is asked about ${what}: it is denied`, () => {
    const { call, world } = judged({ message });
    const after = settled(call, world, { approvals: { settle: () => assert.fail("somebody is asked") } });
    assert.deepEqual([after.call.verdict.kind, after.refusal], ["denial", undefined]);
  });
}

test("what names a call is bounded, however long its caller makes it", () => {
  const name = "x".repeat(8000);
  const { name: shown, content } = asked({ message: asMessage(JSON.stringify({ name })) });
  assert.equal(shown.length, 1000);
  assert.ok(content.includes(name), "it is still one very call");
});

test("where nobody can be asked, a call that is held is denied", () => {
  const { call, world } = judged({});
  const after = settled(call, world, {});
  assert.deepEqual([after.call.verdict.kind, after.held], ["denial", undefined]);
});

test("an approval doesn't get a call past another rule that came meanwhile", () => {
  const { call } = judged({});
  const rules = compileRules([allow, hold, { ...allow, name: "never", effect: "deny" }]);
  const settle = (): Held => assert.fail("somebody is asked, or an approval is used up");
  const after = settled(call, { rules } as unknown as World, { approvals: { settle } });
  assert.equal((after.call.verdict as Denial).rule, "never");
});
