import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { EntryDraft } from "../model/entry.ts";
import { signalKind, signalKinds, tagsOf } from "./signal-kinds.ts";
import { signalsOf } from "./signals-of-entry.ts";

const agent = "spiffe://example.org/agent/a";

function entry(event: EntryDraft["event"], facts: EntryDraft["facts"], over: Partial<EntryDraft> = {}) {
  const outcome = "allowed" as const;
  return { event, atUnixMs: 5, callId: "c1", principal: agent, tool: null, outcome, facts, ...over };
}

function told(draft: EntryDraft): unknown {
  return signalsOf(draft).map(({ kind, score, isHard, evidence, about, source }) => [
    `${kind} ${score}${isHard ? " hard" : ""} ${evidence}`,
    Object.entries(about).join(" "),
    ...(source === undefined ? [] : [source]),
  ]);
}

describe("what an entry says", () => {
  const call = { server: "bank", session: "s1", method: "tools/call" };
  const about = `caller,${agent} session,s1 server,bank tool,pay/all`;
  const pay = { tool: "bank/pay/all" };
  const cases: readonly (readonly [string, EntryDraft, readonly unknown[]])[] = [
    [
      "a decision tells of risk, with its source, of findings once a kind, and of the denial",
      entry(
        "call.decision",
        {
          ...call,
          risk: "0.713",
          "risk.session": "0.800",
          "risk.source": "wiki/read",
          findings: "secret=arguments.a secret=arguments.b schema",
          rule: "no-puppets",
        },
        { ...pay, outcome: "denied" },
      ),
      [
        ["risk.call 0.713 proven", about, "wiki/read"],
        ["risk.session 0.8 proven", about, "wiki/read"],
        ["finding secret 0.6 hard proven", about],
        ["finding schema 0.2 hard proven", about],
        ["denied 0.1 hard proven", about],
      ],
    ],
    [
      "a call that nothing was seen of tells nothing",
      entry("call.decision", { ...call, risk: "0.000", "risk.session": "0.000" }),
      [],
    ],
    ["a risk that couldn't be told is no signal", entry("call.decision", { ...call, risk: "unknown" }), []],
    [
      "what a response refuses is no further reason for one",
      entry("call.decision", { ...call, rule: "response-a1" }, { outcome: "denied" }),
      [],
    ],
    [
      "of who isn't proven nothing is evidence",
      entry("call.decision", { ...call, rule: "x" }, { ...pay, principal: "anonymous", outcome: "denied" }),
      [["denied 0.1 hard unproven", "server,bank tool,pay/all"]],
    ],
    [
      "an answer's findings have its tool for their source",
      entry(
        "call.outcome",
        { ...call, answer_findings: "told.override=result.x", signature_fault: "tampered" },
        pay,
      ),
      [
        ["answer told.override 0.4 proven", about, "bank/pay/all"],
        ["signature 0.8 hard proven", about],
      ],
    ],
    [
      "a flow's risk is its score, and a server's flow is about the server",
      entry(
        "flow.finding",
        { kind: "flow.beacon", direction: "outgoing", risk: "0.54" },
        { principal: "web https://x" },
      ),
      [["flow flow.beacon 0.54 proven", "server,web"]],
    ],
    [
      "a burst is worth an incident, however little a few flows can say of its risk",
      entry("flow.finding", {
        kind: "flow.exfiltration-burst",
        severity: "high",
        direction: "incoming",
        risk: "0.29",
      }),
      [["flow flow.exfiltration-burst 0.6 proven", `caller,${agent}`]],
    ],
    [
      "a weaker link is a caller's, as sure as the surest of its changes",
      entry(
        "link.regressed",
        { direction: "incoming", regressions: "fingerprint_changed:low group_lost:high" },
        { principal: `${agent} for oauth:x/user/u` },
      ),
      [["regression 0.9 hard proven", `caller,${agent}`]],
    ],
    [
      "a weaker link of a client with a token is what it does for that user",
      entry(
        "link.regressed",
        { direction: "incoming", regressions: "group_lost:high" },
        { principal: "oauth:x/client/c for oauth:x/user/u, agent/b" },
      ),
      [["regression 0.9 hard proven", "caller,oauth:x/client/c user,oauth:x/user/u"]],
    ],
    [
      "a weaker link that nobody proved is no evidence",
      entry("link.regressed", {
        direction: "incoming",
        regressions: "group_lost:medium",
        evidence: "unproven",
      }),
      [["regression 0.6 unproven", `caller,${agent}`]],
    ],
    [
      "a definition that isn't the pinned one is drift, on a manifest's evidence",
      entry("tools.finding", { server: "bank", kind: "changed", fields: "description" }, pay),
      [["drift 0.8 hard manifest", "server,bank tool,pay/all"]],
    ],
    [
      "another finding of a tool is of its kind",
      entry("tools.finding", { server: "bank", kind: "hidden-text" }, pay),
      [["tool hidden-text 0.9 hard manifest", "server,bank tool,pay/all"]],
    ],
    [
      "what a publisher's manifest brought is none",
      entry("tools.finding", { server: "bank", kind: "taken-up" }),
      [],
    ],
    [
      "a cut is about the server whose log it is",
      entry("egress.cut", { says: "Too much." }, { principal: "spiffe://example.org/server/web" }),
      [["egress 0.9 hard proven", "server,web"]],
    ],
    [
      "a fault that the other end reports proves nothing",
      entry("signature.fault", { how: "reported", fault: "tampered", server: "bank" }),
      [["signature 0.3 unproven", "server,bank"]],
    ],
    [
      "an identity that was revoked is worth more than one that ended",
      entry("identity.refuse", { reason: "The certificate of this link was revoked." }),
      [["identity 0.6 hard unproven", `caller,${agent}`]],
    ],
    [
      "a log that contradicts itself is as sure as can be",
      entry("log.incident", { kind: "split", says: "x" }),
      [["log 1 hard proven", `caller,${agent}`]],
    ],
    ["what an operator accepted is none", entry("log.incident", { kind: "accepted" }), []],
    ["what a response did is no signal", entry("response.act", { action: "quarantine" }), []],
  ];
  for (const [title, draft, expected] of cases)
    test(title, () => assert.deepEqual(told(draft), expected, JSON.stringify(told(draft))));

  test("no score that isn't one is taken over", () => {
    for (const risk of ["2", "-1", "NaN", "", "x"])
      assert.deepEqual(signalsOf(entry("call.decision", { ...call, risk })), [], risk);
  });
});

describe("the table of kinds", () => {
  test("has each kind once, and scores from 0 to 1", () => {
    assert.equal(new Set(signalKinds.map(({ kind }) => kind)).size, signalKinds.length);
    for (const { kind, score } of signalKinds) assert.ok(score >= 0 && score <= 1, kind);
  });

  test("takes a kind's own row before its family's, and the longest family", () => {
    assert.deepEqual(
      ["answer hidden.mark", "answer hidden.letters", "answer personal.email", "zzz"].map(
        (kind) => signalKind(kind).kind,
      ),
      ["answer hidden.mark", "answer hidden.*", "answer *", "*"],
    );
  });

  test("names techniques once, in order", () => {
    assert.deepEqual(tagsOf(["answer told.override", "answer told.conceal"]), [
      "ASI:ASI01",
      "ATLAS:AML.T0051.001",
    ]);
  });
});
