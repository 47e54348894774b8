/** Rules that speak of the link: an allow counts where all it says is true, and a deny too. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { classicalLink, hybridLink } from "../../test/support/links.ts";
import type { LinkPosture } from "../model/channel.ts";
import { decide } from "./decide.ts";
import { compileRules, type RuleDocument, ruleSchema } from "./rules.ts";

type Conditions = NonNullable<RuleDocument["link"]>;

const level5: LinkPosture = {
  ...hybridLink,
  group: "SecP384r1MLKEM1024",
  level: 5,
  certificate: "ML-DSA-87",
};
const withToken: LinkPosture = { ...hybridLink, certificate: undefined };

function rule(part: Partial<RuleDocument>): RuleDocument {
  return ruleSchema.parse({
    name: "r",
    callers: ["*"],
    effect: "allow",
    because: "A test says so.",
    tools: ["files/*"],
    resources: ["files/*"],
    prompts: ["files/*"],
    ...part,
  });
}

function verdict(
  rules: readonly RuleDocument[],
  link: LinkPosture,
  name: string | undefined = "read",
): string {
  const proof = { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 } as const;
  const question = {
    caller: { id: "spiffe://acme.test/agent/a", chain: [], proof },
    link,
    server: "files",
    ...(name !== "" && { target: { kind: "tools", name } as const }),
  };
  const decided = decide(question, compileRules(rules));
  return decided.kind === "permit" ? `permit by ${decided.rule}` : `denial by ${decided.rule ?? "nothing"}`;
}

const table: readonly (readonly [Conditions, readonly LinkPosture[], readonly LinkPosture[]])[] = [
  [{ pq: true }, [hybridLink, level5, withToken], [classicalLink]],
  [{ pq: false }, [classicalLink], [hybridLink, level5]],
  [{ min_level: 0 }, [classicalLink, hybridLink, level5], []],
  [{ min_level: 1 }, [hybridLink, level5], [classicalLink]],
  [{ min_level: 3 }, [hybridLink, level5], [classicalLink]],
  [{ min_level: 5 }, [level5], [hybridLink, classicalLink]],
  [{ max_level: 3 }, [hybridLink, classicalLink], [level5]],
  [{ min_level: 3, max_level: 3 }, [hybridLink], [level5, classicalLink]],
  [{ groups: ["X25519MLKEM768"] }, [hybridLink], [level5, classicalLink]],
  [{ groups: ["X25519", "SecP384r1MLKEM1024"] }, [level5, classicalLink], [hybridLink]],
  [{ cert: ["ML-DSA-65"] }, [hybridLink, classicalLink], [level5, withToken]],
  [{ cert: ["none"] }, [withToken], [hybridLink, level5, classicalLink]],
  [{ cert: ["ML-DSA-65"], pq: true }, [hybridLink], [classicalLink, level5, withToken]],
];

for (const [link, matching, others] of table) {
  const said = JSON.stringify(link);
  test(`a rule that allows on links with ${said} allows on those, and on no other`, () => {
    const rules = [rule({ link })];
    for (const each of matching) assert.equal(verdict(rules, each), "permit by r");
    for (const each of others) assert.equal(verdict(rules, each), "denial by nothing");
    for (const each of others)
      assert.equal(verdict(rules, each, ""), "denial by nothing", "nor housekeeping");
  });
  test(`a rule that denies on links with ${said} denies on those, and on no other`, () => {
    const rules = [rule({ name: "all" }), rule({ name: "no", effect: "deny", link })];
    for (const each of matching) assert.equal(verdict(rules, each), "denial by no");
    for (const each of others) assert.equal(verdict(rules, each), "permit by all");
  });
}

test("what a rule allows on some links only, another may allow on all", () => {
  const rules = [rule({ name: "narrow", link: { pq: true } }), rule({ name: "wide", tools: ["files/read"] })];
  assert.equal(verdict(rules, classicalLink, "read"), "permit by wide");
  assert.equal(verdict(rules, classicalLink, "write"), "denial by nothing");
  assert.equal(verdict(rules, hybridLink, "write"), "permit by narrow");
});

test("a denial says that it is for the link, where another link would do", () => {
  const proof = { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 } as const;
  const caller = { id: "spiffe://acme.test/agent/a", chain: [], proof };
  const target = { kind: "tools", name: "read" } as const;
  const because = (rules: readonly RuleDocument[]): string => {
    const decided = decide({ caller, link: classicalLink, server: "files", target }, compileRules(rules));
    return decided.kind === "denial" ? decided.because : "";
  };
  assert.equal(
    because([rule({ link: { pq: true } })]),
    'No policy allows this caller "read" on "files" on a link of X25519 (level 0) and ML-DSA-65.',
  );
  assert.equal(
    because([rule({ link: { pq: true }, tools: ["other/*"] })]),
    'No policy allows this caller "read" on "files".',
  );
});

test("every party of a chain is judged on the link of the call", () => {
  const proof = { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 } as const;
  const everything = { tools: ["*"], resources: ["*"], prompts: ["*"] };
  const delegation = { id: "d", scope: everything, depth: 0, notAfterUnixMs: 1, serials: [], issuers: [] };
  const caller = { id: "b", chain: ["a"], proof, delegation };
  const rules = compileRules([
    rule({ name: "for-a", callers: ["a"], link: { pq: true } }),
    rule({ name: "for-b", callers: ["b"] }),
  ]);
  const target = { kind: "tools", name: "read" } as const;
  const on = (link: LinkPosture): string => decide({ caller, link, server: "files", target }, rules).kind;
  assert.equal(on(hybridLink), "permit");
  assert.equal(on(classicalLink), "denial");
});

test("a condition never makes a rule count for more links than without it", () => {
  const level = fc.constantFrom(0, 1, 3, 5);
  const conditions = fc.record(
    {
      min_level: level,
      max_level: level,
      pq: fc.boolean(),
      groups: fc.constantFrom(["X25519"], ["X25519MLKEM768", "P-256"]),
      cert: fc.constantFrom(["ML-DSA-65"], ["none"]),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      conditions,
      fc.constantFrom(hybridLink, classicalLink, level5, withToken),
      (link, posture) => {
        const read = ruleSchema.safeParse({ ...rule({}), link });
        fc.pre(read.success);
        if (!read.success) return;
        const narrowed = verdict([read.data], posture);
        assert.ok(narrowed === "permit by r" || narrowed === "denial by nothing");
        const { min_level: min = 0, max_level: max = 5 } = link;
        if (posture.level < min || posture.level > max) assert.equal(narrowed, "denial by nothing");
      },
    ),
  );
});

const wrong: readonly (readonly [string, object, RegExp])[] = [
  ["a misspelt group", { groups: ["X25519MLKEM-768"] }, /link\.groups\.0/],
  ["a misspelt algorithm", { cert: ["MLDSA65"] }, /link\.cert\.0/],
  ["a level there is none of", { min_level: 4 }, /link\.min_level/],
  ["nothing", {}, /link .*at least one/],
  ["a key nobody knows", { minLevel: 3 }, /link/],
  ["no link at all", { min_level: 5, max_level: 3 }, /link\.max_level/],
  ["no group", { groups: [] }, /link\.groups/],
  ["pq in a string", { pq: "true" }, /link\.pq/],
];
for (const [what, link, place] of wrong) {
  test(`a rule whose link condition has ${what} is none`, () => {
    const read = ruleSchema.safeParse({ ...rule({}), link });
    const said = read.error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join("\n");
    assert.match(said ?? "", place);
  });
}
