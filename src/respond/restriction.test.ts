import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { decide, type Question } from "../policy/decide.ts";
import { compileRules } from "../policy/rules.ts";
import { nextRelief, type Restriction, restraintsOf, type Scope, stageAt } from "./restriction.ts";

const open = compileRules([
  {
    name: "open",
    callers: ["*"],
    tools: ["*"],
    resources: ["*"],
    prompts: ["*"],
    effect: "allow",
    because: "All may.",
    mode: "enforce",
  },
]);

function restriction(scope: Scope, over: Partial<Restriction> = {}): Restriction {
  return {
    id: "a1",
    scope,
    stages: [
      { kind: "quarantine", untilUnixMs: 1000 },
      { kind: "read_only", untilUnixMs: 2000 },
    ],
    because: "It was told to.",
    by: "operator:test",
    sinceUnixMs: 0,
    ...over,
  };
}

interface Asked {
  readonly caller?: string;
  readonly chain?: readonly string[];
  readonly server?: string;
  readonly tool?: string;
  readonly session?: string;
  readonly beganUnixMs?: number;
  readonly onlyReads?: boolean;
}

function verdict(given: Restriction, asked: Asked, nowUnixMs = 0): string {
  const {
    caller = "agent/a",
    chain = [],
    server = "bank",
    tool = "pay",
    session = "s1",
    beganUnixMs = -1000,
    onlyReads = false,
  } = asked;
  const question: Question = {
    caller: { id: caller, chain, proof: { kind: "svid", serial: "1", issuer: "i", notAfterUnixMs: 9e9 } },
    link: { group: "X25519MLKEM768", level: 3, isPostQuantum: true, certificate: undefined },
    server,
    target: { kind: "tools", name: tool },
    onlyReads,
    facts: { of: () => ({ session: { id: session, began: beganUnixMs } }) },
  };
  const made = decide(question, [...open, ...restraintsOf([given], nowUnixMs).rules]);
  return made.kind === "permit" ? "permit" : (made.rule ?? "default-deny");
}

test("a stored restriction that no rule can be made of denies, and the others count all the same", () => {
  const limit = { calls: 1, perMs: 60 * 86_400_000 };
  const broken = restriction(
    { caller: "agent/a" },
    { stages: [{ kind: "limit", untilUnixMs: 1000, limit }] },
  );
  const other = restriction({ caller: "agent/b" }, { id: "b1" });
  assert.equal(restraintsOf([broken, other], 0).rules.length, 2);
  assert.equal(verdict(broken, {}), verdict(restriction({ caller: "agent/a" }), {}));
});

describe("a restriction", () => {
  const both = { caller: "agent/a", server: "bank", tool: "pay" };
  const cases: readonly (readonly [string, Scope, Asked, boolean])[] = [
    ["of a caller's tool is about that call", both, {}, true],
    ["of a caller's tool leaves others' calls of it", both, { caller: "agent/b" }, false],
    ["of a caller's tool leaves the caller's other tools", both, { tool: "list" }, false],
    ["of a caller's tool leaves a tool of that name elsewhere", both, { server: "shop" }, false],
    [
      "of a caller's tool holds for whoever asks on its behalf",
      both,
      { caller: "agent/b", chain: ["agent/a"] },
      true,
    ],
    ["of a session is about that session", { caller: "agent/a", session: "s1" }, {}, true],
    [
      "of a session leaves the caller's others",
      { caller: "agent/a", session: "s1" },
      { session: "s2" },
      false,
    ],
    [
      "of a session is about every part of it that its client names",
      { caller: "agent/a", session: "s1" },
      { session: "s1.zz" },
      true,
    ],
    [
      "of a session's part is about the session",
      { caller: "agent/a", session: "s1.zz" },
      { session: "s1" },
      true,
    ],
    [
      "of a session leaves another that begins as it does",
      { caller: "agent/a", session: "s1" },
      { session: "s12" },
      false,
    ],
    [
      "of a session is about those that the caller begins afterwards",
      { caller: "agent/a", session: "s1" },
      { session: "s2", beganUnixMs: 0 },
      true,
    ],
    [
      "of what a client does for a user is about that user's calls through it",
      { caller: "oauth:x/client/c", user: "oauth:x/user/u" },
      { caller: "oauth:x/client/c", chain: ["oauth:x/user/u"] },
      true,
    ],
    [
      "of what a client does for a user leaves the client's other users",
      { caller: "oauth:x/client/c", user: "oauth:x/user/u" },
      { caller: "oauth:x/client/c", chain: ["oauth:x/user/v"] },
      false,
    ],
    ["of a server is about all it has", { server: "bank" }, { caller: "agent/b", tool: "list" }, true],
    ["whose caller's name reads as a pattern is about that caller alone", { caller: "*" }, {}, false],
    [
      "whose tool's name reads as a pattern is about that tool alone",
      { server: "bank", tool: "*" },
      {},
      false,
    ],
  ];
  for (const [title, scope, asked, isStopped] of cases)
    test(title, () => assert.equal(verdict(restriction(scope), asked), isStopped ? "response-a1" : "permit"));

  test("that cuts what a client does for a user cuts no link and suspends no identity of the client", () => {
    for (const kind of ["cut", "revoke_identity"] as const) {
      const scope = { caller: "oauth:x/client/c", user: "oauth:x/user/u" };
      const { rules, linkRules, suspended } = restraintsOf(
        [restriction(scope, { stages: [{ kind, untilUnixMs: 1000 }] })],
        0,
      );
      assert.deepEqual([rules.length, linkRules.length, suspended.size], [1, 0, 0], kind);
    }
  });

  test("becomes milder by degrees, and ends by itself", () => {
    const given = restriction(both);
    assert.deepEqual(
      [999, 1000, 1999, 2000].map((now) => [
        verdict(given, {}, now),
        verdict(given, { onlyReads: true }, now),
      ]),
      [
        ["response-a1", "response-a1"],
        ["response-a1", "permit"],
        ["response-a1", "permit"],
        ["permit", "permit"],
      ],
    );
    assert.deepEqual(
      [0, 1000, 2000].map((now) => nextRelief([given], now)),
      [1000, 2000, undefined],
    );
    assert.equal(stageAt(given, 2000), undefined);
  });

  test("is known by a text that is the same whatever order they came in, and gone when they are over", () => {
    const [a, b] = [restriction(both), restriction({ server: "shop" }, { id: "b2" })];
    assert.equal(restraintsOf([a, b], 0).text, restraintsOf([b, a], 0).text);
    assert.notEqual(restraintsOf([a], 0).text, restraintsOf([a], 1000).text);
    assert.equal(restraintsOf([a, b], 2000).text, "");
    assert.deepEqual(restraintsOf([a, b], 2000).rules, []);
  });
});
