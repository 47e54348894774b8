import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { makeNames, marks, memberName, splitQualified } from "./names.ts";

const names = (offers: Readonly<Record<string, readonly string[]>>, mark: "_" | "+" = marks.name) =>
  makeNames(new Map(Object.entries(offers)), mark);

test("a name that one server alone has stays as it is", () => {
  const { shown, find } = names({ a: ["read"], b: ["write"] });
  assert.equal(shown({ member: "a", key: "read" }), "read");
  assert.deepEqual(find("write"), { kind: "one", offer: { member: "b", key: "write" } });
});

test("a name that two servers have bears its server's name, and says so when it doesn't", () => {
  const { shown, find } = names({ a: ["search"], b: ["search"] });
  assert.equal(shown({ member: "b", key: "search" }), "b_search");
  assert.deepEqual(find("a_search"), { kind: "one", offer: { member: "a", key: "search" } });
  assert.deepEqual(find("search"), { kind: "several", names: ["a_search", "b_search"] });
  assert.deepEqual(find("nothing"), { kind: "none" });
});

test("a tool named like another's qualified name takes nothing from it", () => {
  const { shown, find } = names({ a: ["search"], b: ["search", "a_search"] });
  assert.equal(shown({ member: "b", key: "a_search" }), "b_a_search");
  assert.deepEqual(find("a_search"), { kind: "one", offer: { member: "a", key: "search" } });
  assert.deepEqual(find("b_a_search"), { kind: "one", offer: { member: "b", key: "a_search" } });
});

test("a qualified name counts before anything clashes, so it stays right when something does", () => {
  assert.deepEqual(names({ a: ["read"], b: [] }).find("a_read"), {
    kind: "one",
    offer: { member: "a", key: "read" },
  });
});

test("an address that two servers have gets a scheme of its own", () => {
  const { shown, find } = names({ a: ["ui://app"], b: ["ui://app"] }, marks.uri);
  assert.equal(shown({ member: "a", key: "ui://app" }), "a+ui://app");
  assert.deepEqual(find("b+ui://app"), { kind: "one", offer: { member: "b", key: "ui://app" } });
});

test("only what comes first ends a member's name", () => {
  assert.deepEqual(splitQualified("a_b_c", "_"), { member: "a", key: "b_c" });
  assert.equal(splitQualified("_b", "_"), undefined);
  for (const mark of Object.values(marks)) assert.doesNotMatch(`a${mark}b`, memberName);
});

test("whatever servers call their tools, each is found under the name it is shown by, and no other", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "_"), minLength: 1, maxLength: 5 });
  const offers = fc.dictionary(fc.constantFrom("a", "b", "ab"), fc.uniqueArray(word, { maxLength: 6 }));
  fc.assert(
    fc.property(offers, (offered) => {
      const { shown, find } = names(offered);
      const all = Object.entries(offered).flatMap(([member, keys]) => keys.map((key) => ({ member, key })));
      const seen = all.map(shown);
      assert.equal(new Set(seen).size, seen.length);
      for (const offer of all) assert.deepEqual(find(shown(offer)), { kind: "one", offer });
    }),
  );
});
