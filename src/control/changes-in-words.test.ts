/** What changed, in words. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { EntryDraft, EntryEvent } from "../model/entry.ts";
import { changeInWords, isChange } from "./changes-in-words.ts";

interface Told {
  readonly facts?: Readonly<Record<string, string>>;
  readonly tool?: string;
  readonly outcome?: EntryDraft["outcome"];
  readonly principal?: string;
}

function entry(
  event: EntryEvent,
  { facts = {}, tool, outcome = "allowed", principal = "gw" }: Told = {},
): EntryDraft {
  return { event, atUnixMs: 1, callId: "c", principal, tool: tool ?? null, outcome, facts };
}

const cases: readonly (readonly [EntryDraft, string, string])[] = [
  [entry("gateway.start", { facts: { version: "1.2.3" } }), "info", "The gateway started, version 1.2.3."],
  [
    entry("gateway.start", { facts: { version: "1.2.3", policy: "observed" } }),
    "warning",
    "The gateway started, version 1.2.3; it observes and enforces nothing.",
  ],
  [
    entry("identity.issue", { principal: "spiffe://a/agent/x", facts: { how: "join", purpose: "client" } }),
    "notice",
    "spiffe://a/agent/x was enrolled (client).",
  ],
  [
    entry("tools.finding", {
      tool: "mail/send",
      outcome: "denied",
      facts: { kind: "changed", fields: "description" },
    }),
    "warning",
    "The tool mail/send isn't what was pinned (description); it isn't called.",
  ],
  [
    entry("tools.change", { tool: "mail/send", facts: { what: "approve", effect: "read-only" } }),
    "notice",
    "mail/send was approved as read-only.",
  ],
  [
    entry("policy.change", { facts: { added: "readers writers", removed: "old", rules: "3" } }),
    "notice",
    "The policy changed: added readers writers; removed old.",
  ],
  [
    entry("crypto.change", { facts: { what: "apply", before: "hybrid", after: "cnsa-2.0" } }),
    "notice",
    "The profile changed from hybrid to cnsa-2.0.",
  ],
  [
    entry("response.act", {
      facts: {
        action: "quarantine",
        caller: "spiffe://a/agent/x",
        until: "2026-11-23",
        because: "It leaks.",
      },
    }),
    "warning",
    "Quarantine of spiffe://a/agent/x, until 2026-11-23: It leaks.",
  ],
  [
    entry("incident.open", { facts: { incident: "i1", title: "Secrets went out." } }),
    "warning",
    "Incident i1: Secrets went out.",
  ],
  [
    entry("kill.on", { facts: { source: "cli", because: "Drill." } }),
    "warning",
    "The kill switch stopped all calls (cli): Drill.",
  ],
];

test("each change is a sentence with what it is about", () => {
  for (const [one, weight, says] of cases) {
    assert.equal(isChange(one), true, one.event);
    const told = changeInWords(one);
    assert.deepEqual([told?.weight, told?.says], [weight, says]);
  }
});

test("calls, and certificates that are renewed, are no changes", () => {
  const all = [
    entry("call.decision"),
    entry("call.outcome"),
    entry("link.denied"),
    entry("identity.issue", { facts: { how: "renew" } }),
  ];
  for (const one of all) {
    assert.equal(isChange(one), false);
    assert.equal(changeInWords(one), undefined);
  }
});
