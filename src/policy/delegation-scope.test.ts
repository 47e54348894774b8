/** What a delegation covers, and that narrowing never widens: by table and by property. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import type { Scope } from "../model/caller.ts";
import { isWithin, targetMatcher } from "./patterns.ts";
import { covers, firstBeyond, whyNoScope } from "./delegation-scope.ts";

const scope = (part: Partial<Scope>): Scope => ({ tools: [], resources: [], prompts: [], ...part });
const ofTools = (...tools: readonly string[]): Scope => scope({ tools });

const within: readonly (readonly [string, string, boolean])[] = [
  ["files/read", "files/read", true],
  ["files/read", "files/*", true],
  ["files/read", "*", true],
  ["files/read_*", "files/re*", true],
  ["files/*a*b*", "files/*b*", true],
  ["files/**", "files/*", true],
  ["*", "*", true],
  ["*/read", "*", true],
  ["*", "*/*", true],
  ["files/*", "files/read", false],
  ["files/re*", "files/read_*", false],
  ["files/*b*", "files/*a*b*", false],
  ["*/read", "files/*", false],
  ["f*/read", "files/*", false],
  ["*", "files/*", false],
  ["files/a/b", "files/a", false],
  ["files2/read", "files/*", false],
  ["files/read", "*/write", false],
  ["files/", "files/*", true],
  ["files/*", "files/**x", false],
];
for (const [inner, outer, expected] of within) {
  test(`"${inner}" is ${expected ? "" : "not "}within "${outer}"`, () => {
    assert.equal(isWithin(inner, outer), expected);
  });
}

/** Few letters, many stars: what random texts seldom hit. */
const piece = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 5 });
const server = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 3 });
const pattern = fc.oneof(
  { weight: 1, arbitrary: fc.constant("*") },
  { weight: 6, arbitrary: fc.tuple(server, piece).map(([at, name]) => `${at}/${name}`) },
);
const name = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 5 });
const serverName = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 3 });
const target = fc.tuple(serverName, name);

test("whatever a pattern within another matches, the other matches", () => {
  fc.assert(
    fc.property(pattern, pattern, target, (inner, outer, [at, tool]) => {
      fc.pre(isWithin(inner, outer));
      if (targetMatcher([inner])(at, tool)) assert.ok(targetMatcher([outer])(at, tool));
    }),
    { numRuns: 20_000 },
  );
});

test("a chain of scopes, each within the one before, covers less and less", () => {
  const scopes = fc.array(fc.array(pattern, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 5 });
  const kind = fc.constantFrom("tools" as const, "resources" as const, "prompts" as const);
  let covered = 0;
  fc.assert(
    fc.property(scopes, kind, target, (lists, kind, [at, tool]) => {
      const chain: Scope[] = [];
      for (const list of lists) {
        const next = scope({ [kind]: list });
        const before = chain.at(-1);
        if (before === undefined || firstBeyond(next, before) === undefined) chain.push(next);
      }
      const last = chain.at(-1);
      assert.ok(last);
      if (!covers(last, at, { kind, name: tool })) return;
      covered += 1;
      for (const wider of chain) {
        assert.ok(covers(wider, at, { kind, name: tool }));
        assert.ok(covers(wider, at), "and its server");
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(covered > 100, "the property was about something");
});

test("a kind is never taken for another", () => {
  assert.equal(covers(ofTools("files/x"), "files", { kind: "resources", name: "x" }), false);
  assert.equal(firstBeyond(scope({ prompts: ["files/x"] }), ofTools("files/x")), "prompts files/x");
});

test("what only two patterns together cover isn't shown to be covered", () => {
  assert.equal(firstBeyond(ofTools("files/*"), ofTools("files/a*", "files/*")), undefined);
  assert.equal(firstBeyond(ofTools("*/x"), ofTools("a*/x", "b*/x")), "tools */x");
});

const noScopes: readonly (readonly [string, Scope, RegExp])[] = [
  ["nothing", ofTools(), /covers nothing/],
  ["no target", ofTools("read"), /isn't "server\/name"/],
  ["a space", ofTools("files/a b"), /without spaces/],
  ["a quote", ofTools('files/"'), /without spaces/],
  ["another script", ofTools("files/é"), /without spaces/],
  ["too long", ofTools(`files/${"x".repeat(512)}`), /isn't/],
  ["too many", ofTools(...Array<string>(65).fill("files/x")), /more than 64/],
];
for (const [what, given, reason] of noScopes) {
  test(`${what} is no scope`, () => assert.match(whyNoScope(given) ?? "", reason));
}
