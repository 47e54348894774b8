/** Who may be introduced to whom: default-deny, and a deny overrides. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { decideMeetings, segmentsSchema } from "./segments.ts";

const { segments } = segmentsSchema.parse({
  segments: [
    { name: "agents-read", callers: ["spiffe://a/agent/*"], servers: ["files", "wiki-*"], effect: "allow" },
    {
      name: "night-shift",
      callers: ["spiffe://a/agent/night"],
      peers: ["spiffe://a/server/ward"],
      effect: "allow",
    },
    { name: "never-payroll", callers: ["*"], servers: ["*payroll*"], effect: "deny" },
    { name: "cfo", callers: ["spiffe://a/agent/cfo"], servers: ["payroll"], effect: "allow" },
  ],
});
const decide = decideMeetings(segments);
const peer = "spiffe://a/server/x";

const cases: readonly (readonly [caller: string, server: string, allowed: boolean, rule: string | null])[] = [
  ["spiffe://a/agent/day", "files", true, "agents-read"],
  ["spiffe://a/agent/day", "wiki-de", true, "agents-read"],
  ["spiffe://a/agent/day", "ward", false, null],
  ["spiffe://b/agent/day", "files", false, null],
  ["spiffe://a/agent/cfo", "payroll", false, "never-payroll"],
];
for (const [caller, server, isAllowed, rule] of cases) {
  test(`${caller} and ${server}: ${isAllowed ? "introduced" : "not introduced"} by ${rule ?? "no rule"}`, () => {
    assert.deepEqual(decide({ caller, peer, server }), { isAllowed, rule });
  });
}

test("a rule about a peer is about that peer alone", () => {
  const night = { caller: "spiffe://a/agent/night", server: "ward" };
  assert.equal(decide({ ...night, peer: "spiffe://a/server/ward" }).isAllowed, true);
  assert.equal(decide({ ...night, peer: "spiffe://a/server/ward2" }).isAllowed, false);
});

test("no rules introduce nobody, and unknown keys are no rules", () => {
  assert.equal(decideMeetings([])({ caller: "a", peer, server: "files" }).isAllowed, false);
  const misspelt = { name: "x", caller: ["*"], callers: ["*"], effect: "allow" };
  assert.equal(segmentsSchema.safeParse({ segments: [misspelt] }).success, false);
});
