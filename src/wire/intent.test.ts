import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { declaredIntent, declaring, withIntent } from "./intent.ts";

const params = { name: "book", arguments: { flight: "LG 7" }, _meta: { progressToken: 7 } };
const intent = {
  purpose: "Book the flight that Ada chose",
  turn: "t-17",
  effect: "changes",
  tools: ["search", "book"],
} as const;

test("an intent stands in _meta beside what was there, and is read back", () => {
  const declared = withIntent(params, intent);
  assert.deepEqual(declared, {
    ...params,
    _meta: { progressToken: 7, "dev.latticegate/intent": { v: 1, ...intent } },
  });
  assert.deepEqual(declaredIntent(declared), intent);
  assert.deepEqual(params._meta, { progressToken: 7 });
  assert.deepEqual(declaredIntent(withIntent({}, { purpose: "Look around" })), { purpose: "Look around" });
});

test("an intent that its format doesn't take is refused where it is made", () => {
  for (const wrong of [
    { purpose: "" },
    { purpose: "p".repeat(1001) },
    { purpose: "p", turn: "two words" },
    { purpose: "p", tools: Array.from({ length: 33 }, (_, i) => `t${i}`) },
  ])
    assert.throws(() => withIntent({}, wrong), RangeError);
});

test("what is no intent is none", () => {
  const saying = (value: unknown): unknown => ({ _meta: { "dev.latticegate/intent": value } });
  for (const none of [
    undefined,
    null,
    "text",
    {},
    { _meta: [] },
    saying(null),
    saying([]),
    saying("book"),
    saying({ purpose: "without a version" }),
    saying({ v: 2, purpose: "of another version" }),
    saying({ v: 1 }),
    saying({ v: 1, purpose: 7 }),
    saying({ v: 1, purpose: "p", effect: "none" }),
  ])
    assert.equal(declaredIntent(none), undefined);
});

test("members that are added later don't make an intent unreadable", () => {
  const later = { _meta: { "dev.latticegate/intent": { v: 1, purpose: "p", model: "m" } } };
  assert.deepEqual(declaredIntent(later), { purpose: "p" });
});

const calling = (params: unknown, method = "tools/call"): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const declaredBy = (message: string): unknown => {
  const { params } = JSON.parse(fromUtf8(declaring(utf8(message), { purpose: "p" })) ?? "") as {
    readonly params: unknown;
  };
  return declaredIntent(params)?.purpose;
};

test("calls that don't say what they are for say what their sidecar was told", () => {
  assert.equal(declaredBy(calling(params)), "p");
  assert.equal(declaredBy(calling({ name: "book" })), "p");
  assert.equal(declaredBy(calling(withIntent(params, { purpose: "own" }))), "own");
});

test("what names nothing, and what is no message, stays as it came", () => {
  const invalid = calling({ name: "x", _meta: 7 });
  for (const message of [
    calling({}, "tools/list"),
    "[]",
    "{",
    '{"jsonrpc":"2.0","id":1,"result":{}}',
    invalid,
  ])
    assert.equal(fromUtf8(declaring(utf8(message), { purpose: "p" })), message);
});
