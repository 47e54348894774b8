import assert from "node:assert/strict";
import { test } from "node:test";

import { parseAddress } from "../../expr/network.ts";
import { type Destination, readDestination } from "./destination.ts";
import {
  asksForBytes,
  compileEgressRules,
  decideEgress,
  type EgressFacts,
  type EgressRuleDocument,
  egressRuleSchema,
  type EgressVerdict,
} from "./egress-rules.ts";

const facts: EgressFacts = {
  isKnown: false,
  sentBytes: 0,
  receivedBytes: 0,
  atUnixMs: Date.UTC(2026, 0, 4, 3, 12),
  clock: { hour: 3, weekday: 0, minute: 12 },
};

function rule(document: Partial<EgressRuleDocument>): EgressRuleDocument {
  return egressRuleSchema.parse({ name: "r", hosts: ["*"], effect: "allow", because: "it may", ...document });
}

function decide(
  documents: readonly Partial<EgressRuleDocument>[],
  asked: string,
  more: Partial<EgressFacts> & { readonly address?: string; readonly isOwnAddress?: boolean } = {},
): EgressVerdict {
  const { address, isOwnAddress, ...own } = more;
  const parsed = address === undefined ? undefined : parseAddress(address);
  return decideEgress(
    {
      destination: readDestination(asked) as Destination,
      ...(parsed && { address: parsed }),
      ...(isOwnAddress !== undefined && { isOwnAddress }),
      facts: { ...facts, ...own },
    },
    compileEgressRules(documents.map((each, at) => rule({ name: `r${at}`, ...each }))),
  );
}

test("where no rule says anything, nothing is allowed", () => {
  assert.equal(decide([], "a.example:443").kind, "deny");
  assert.equal(decide([{ hosts: ["b.example"] }], "a.example:443").kind, "deny");
});

test("a rule that denies overrides, whatever its place", () => {
  const deny: Partial<EgressRuleDocument> = { effect: "deny", hosts: ["*.example"], because: "never" };
  const verdict = decide([{}, deny], "a.example:443");
  assert.deepEqual(verdict, { kind: "deny", rule: "r1", because: "never" });
  assert.equal(decide([{}, deny], "a.other:443").kind, "allow");
});

test("what one rule allows isn't only learned by another", () => {
  const verdict = decide([{ effect: "learn" }, { hosts: ["a.example"] }], "a.example:443");
  assert.deepEqual(verdict, { kind: "allow", rule: "r1" });
  assert.equal(decide([{ effect: "learn" }, { hosts: ["a.example"] }], "b.example:443").kind, "learn");
});

const privately = ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1", "::ffff:192.168.0.1"];
for (const address of privately) {
  test(`a name that stands for ${address} is refused, unless a rule names that`, () => {
    const verdict = decide([{ hosts: ["a.example"] }], "a.example:443", { address });
    assert.match(verdict.kind === "deny" ? verdict.because : "", /private network.*addresses/);
    const networks = [address.includes("192") ? "192.168.0.1" : address];
    assert.equal(
      decide([{ hosts: ["a.example"], addresses: networks }], "a.example:443", { address }).kind,
      "allow",
    );
  });
}

test("an address that is asked for itself is reached where a rule names it, and by no star", () => {
  const asked = "10.0.0.7:80";
  assert.equal(decide([{ hosts: ["10.0.0.7:80"] }], asked, { address: "10.0.0.7" }).kind, "allow");
  assert.equal(decide([{ hosts: ["*"] }], asked, { address: "10.0.0.7" }).kind, "deny");
});

test("this machine's own public address is no stranger's", () => {
  const asked = { address: "8.8.4.4", isOwnAddress: true };
  assert.equal(decide([{ hosts: ["a.example"] }], "a.example:443", asked).kind, "deny");
  assert.equal(decide([{ hosts: ["a.example"] }], "a.example:443", { address: "8.8.4.4" }).kind, "allow");
});

test("rules by address let a name be looked up, and count when that is done", () => {
  const allow = { hosts: ["a.example"], addresses: ["10.0.0.0/8"] };
  assert.equal(decide([allow], "a.example:443").kind, "allow");
  assert.equal(decide([allow], "a.example:443", { address: "10.1.1.1" }).kind, "allow");
  assert.equal(decide([allow], "a.example:443", { address: "8.8.8.8" }).kind, "deny");
  const deny: Partial<EgressRuleDocument> = { effect: "deny", addresses: ["8.8.8.0/24"] };
  assert.equal(decide([{}, deny], "a.example:443").kind, "allow");
  assert.equal(decide([{}, deny], "a.example:443", { address: "8.8.8.8" }).kind, "deny");
});

const conditions: readonly (readonly [when: string, more: Partial<EgressFacts>, holds: boolean])[] = [
  ["time.hour == 3 && time.weekday == 0 && time.minute == 12", {}, true],
  ["time.hour >= 6", {}, false],
  ["destination.known", {}, false],
  ["destination.known", { isKnown: true }, true],
  ['destination.host == "a.example" && destination.port == 443', {}, true],
  ["bytes.sent > 100", { sentBytes: 101 }, true],
  ["bytes.sent > 4 * bytes.received", { sentBytes: 401, receivedBytes: 100 }, true],
  ['now < timestamp("2026-01-05T00:00:00Z")', {}, true],
];
for (const [when, more, holds] of conditions) {
  test(`a condition sees what there is: ${when}`, () => {
    assert.equal(decide([{ when }], "a.example:443", more).kind, holds ? "allow" : "deny");
  });
}

test("a condition that errs makes a rule that denies count, and no other", () => {
  const when = "1 / bytes.sent > 0";
  assert.equal(decide([{ when }], "a.example:443").kind, "deny");
  const verdict = decide([{}, { effect: "deny", when }], "a.example:443");
  assert.ok(verdict.kind === "deny" && verdict.erred !== undefined);
});

test("a condition on what there isn't, and two rules of one name, are refused when they are read", () => {
  assert.throws(() => compileEgressRules([rule({ when: "destination.path == 1" })]), /line 1, column \d+/);
  assert.throws(() => compileEgressRules([rule({}), rule({})]), /two egress rules named "r"/);
  assert.throws(() => rule({ hosts: ["http://a.example"] }), /expected HOST/);
  assert.throws(() => rule({ addresses: ["10.0.0.1/8"] }), /expected an address/);
});

test("it is known which rules have to be asked while bytes flow", () => {
  assert.ok(asksForBytes(compileEgressRules([rule({ when: "bytes.sent < 10" })])));
  assert.ok(!asksForBytes(compileEgressRules([rule({ when: "time.hour < 10" })])));
});
