/** Calls on behalf of others: the scope, and what every party of the chain may do itself. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import type { Caller } from "../model/caller.ts";
import { decide, type Question } from "./decide.ts";
import { hybridLink } from "../../test/support/links.ts";
import { compileRules, type RuleDocument, ruleSchema } from "./rules.ts";

const rule = (part: Partial<RuleDocument>): RuleDocument => ({
  name: "r",
  callers: ["*"],
  effect: "allow",
  because: "A test says so.",
  mode: "enforce",
  tools: ["files/*"],
  ...part,
});
const everything = { tools: ["*"], resources: ["*"], prompts: ["*"] };
const delegation = { id: "d", scope: everything, depth: 0, notAfterUnixMs: 1, serials: [], issuers: [] };
const caller = (id: string, chain: readonly string[], part: Partial<Caller> = {}): Caller => ({
  id,
  chain,
  proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 },
  ...(chain.length > 0 && { delegation }),
  ...part,
});
const ask = (who: Caller, name = "read", server = "files"): Question => ({
  caller: who,
  link: hybridLink,
  server,
  target: { kind: "tools", name },
});
const verdict = (rules: readonly RuleDocument[], question: Question): string => {
  const decided = decide(question, compileRules(rules));
  if (decided.kind === "permit") return `permit by ${decided.rule}`;
  const by = decided.outOfScope ? "scope" : (decided.rule ?? "nothing");
  return `denial by ${by}${decided.party === undefined ? "" : ` for ${decided.party}`}`;
};
const allow = (...callers: readonly string[]): RuleDocument => rule({ name: "allow", callers: [...callers] });

test("every party must be allowed; the denial names the first that isn't", () => {
  assert.equal(verdict([allow("a", "b", "c")], ask(caller("c", ["a", "b"]))), "permit by allow");
  assert.equal(verdict([allow("b", "c")], ask(caller("c", ["a", "b"]))), "denial by nothing for a");
  assert.equal(verdict([allow("a", "c")], ask(caller("c", ["a", "b"]))), "denial by nothing for b");
  assert.equal(verdict([allow("a", "b")], ask(caller("c", ["a", "b"]))), "denial by nothing for c");
});

test("the rule that permits is the acting caller's own", () => {
  const rules = [allow("a"), rule({ name: "own", callers: ["b"] })];
  assert.equal(verdict(rules, ask(caller("b", ["a"]))), "permit by own");
});

test("one denied party denies, and its rule and its name are told", () => {
  const deny = rule({ name: "no", effect: "deny", callers: ["a"] });
  assert.equal(verdict([allow("*"), deny], ask(caller("c", ["a", "b"]))), "denial by no for a");
  assert.equal(verdict([allow("*"), deny], ask(caller("c", ["b"]))), "permit by allow");
});

test("a rule that allows on behalf of somebody counts for who began, and for no direct call", () => {
  const rules = [allow("a", "x"), rule({ name: "for-a", callers: ["b", "c"], on_behalf_of: ["a"] })];
  assert.equal(verdict(rules, ask(caller("b", ["a"]))), "permit by for-a");
  assert.equal(verdict(rules, ask(caller("c", ["a", "b"]))), "permit by for-a", "all the way");
  assert.equal(verdict(rules, ask(caller("b", []))), "denial by nothing");
  assert.equal(verdict(rules, ask(caller("b", ["x"]))), "denial by nothing for b");
  assert.equal(
    verdict(rules, ask(caller("c", ["x", "a"]))),
    "denial by nothing for c",
    "not by who came later",
  );
});

test("a rule that denies on behalf of somebody counts wherever they stand in the chain", () => {
  const rules = [allow("*"), rule({ name: "no", effect: "deny", on_behalf_of: ["b"] })];
  assert.equal(verdict(rules, ask(caller("c", ["a", "b"]))), "denial by no for c");
  assert.equal(verdict(rules, ask(caller("c", ["b", "a"]))), "denial by no for a");
  assert.equal(verdict(rules, ask(caller("b", ["a"]))), "permit by allow", "b itself isn't meant");
  assert.equal(verdict(rules, ask(caller("b", []))), "permit by allow");
});

test("what is never delegated is allowed directly alone, whoever of the chain it names", () => {
  const rules = [rule({ name: "never", delegated: "never" }), rule({ callers: ["b"] })];
  assert.equal(verdict(rules, ask(caller("a", []))), "permit by never");
  assert.equal(verdict(rules, ask(caller("b", ["a"]))), "denial by nothing for a");
  assert.equal(verdict([...rules, allow("a")], ask(caller("b", ["a"]))), "permit by r");
});

test("nothing but what the scope covers is permitted, and a rule's denial is told before", () => {
  const scope = { tools: ["files/re*"], resources: [], prompts: [] };
  const who = caller("b", ["a"], { delegation: { ...delegation, scope } });
  assert.equal(verdict([allow("*")], ask(who, "read")), "permit by allow");
  assert.equal(verdict([allow("*")], ask(who, "write")), "denial by scope");
  assert.equal(verdict([rule({ name: "no", effect: "deny" })], ask(who, "write")), "denial by no for a");
  const housekeeping = (server: string): Question => ({ caller: who, link: hybridLink, server });
  assert.equal(verdict([rule({ tools: ["*"] })], housekeeping("files")), "permit by r");
  assert.equal(verdict([rule({ tools: ["*"] })], housekeeping("mail")), "denial by scope");
});

const alice = "oauth:corp/user/alice";
const client = (chain: readonly string[]): Caller => {
  const { delegation: _, ...who } = caller("oauth:corp/client/x", chain);
  return who;
};

test("a token's user needs no rule of its own, but rules may speak of it", () => {
  const rules = [allow("oauth:corp/client/*")];
  assert.equal(verdict(rules, ask(client([alice]))), "permit by allow");
  assert.equal(verdict([], ask(client([alice]))), "denial by nothing for oauth:corp/client/x");
  const deny = rule({ name: "no", effect: "deny", callers: ["oauth:corp/user/al*"] });
  assert.equal(verdict([...rules, deny], ask(client([alice]))), `denial by no for ${alice}`);
  assert.equal(verdict([...rules, deny], ask(client(["oauth:corp/user/bob"]))), "permit by allow");
  const forAlice = [rule({ callers: ["oauth:corp/client/*"], on_behalf_of: [alice] })];
  assert.equal(verdict(forAlice, ask(client([alice]))), "permit by r");
  assert.equal(
    verdict(forAlice, ask(client(["oauth:corp/user/bob"]))),
    "denial by nothing for oauth:corp/client/x",
  );
  assert.equal(verdict(forAlice, ask(client([]))), "denial by nothing");
});

test("a client is no user, whatever it is called", () => {
  for (const name of ["oauth:corp/client/x/user/y", "spiffe://t/oauth:corp/user/x", "oauth:corp/x/user/y"]) {
    assert.equal(verdict([allow("b")], ask(caller("b", [name]))), `denial by nothing for ${name}`);
  }
});

test("whoever acts for others may do no more than each of them, and no more with a longer chain", () => {
  const who = fc.constantFrom("a", "b", "c");
  const targets = fc.constantFrom("files/*", "files/read", "*", "mail/*", "files/w*");
  const documents = fc.array(
    fc.record({
      effect: fc.constantFrom("allow" as const, "allow" as const, "deny" as const),
      callers: fc.array(fc.constantFrom("a", "b", "c", "*"), { minLength: 1, maxLength: 2 }),
      tools: fc.array(targets, { minLength: 1, maxLength: 2 }),
    }),
    { minLength: 2, maxLength: 8 },
  );
  let permitted = 0;
  fc.assert(
    fc.property(
      documents,
      fc.array(who, { minLength: 1, maxLength: 4 }),
      fc.array(targets, { minLength: 1, maxLength: 2 }),
      fc.constantFrom("read", "write", ""),
      (parts, parties, tools, name) => {
        const rules = compileRules(parts.map((part, at) => rule({ ...part, name: `r${at}` })));
        const scope = { tools, resources: [], prompts: [] };
        const through = (chain: readonly string[], id: string): boolean =>
          decide(ask(caller(id, chain, { delegation: { ...delegation, scope } }), name), rules).kind ===
          "permit";
        const [chain, id] = [parties.slice(0, -1), parties.at(-1) ?? ""];
        if (!through(chain, id)) return;
        permitted += 1;
        for (const party of parties) assert.equal(decide(ask(caller(party, []), name), rules).kind, "permit");
        for (let from = 1; from < parties.length; from++) assert.ok(through(chain.slice(from), id));
      },
    ),
    { numRuns: 5000 },
  );
  assert.ok(permitted > 100, "the property was about something");
});

test("`never` with a denial, or beside on_behalf_of, is no rule", () => {
  const parsed = (part: object): boolean =>
    ruleSchema.safeParse({ ...rule({}), delegated: "never", ...part }).success;
  assert.equal(parsed({}), true);
  assert.equal(parsed({ effect: "deny" }), false);
  assert.equal(parsed({ on_behalf_of: ["a"] }), false);
});
