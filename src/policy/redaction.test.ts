import assert from "node:assert/strict";
import { test } from "node:test";

import { isPointerPattern, readPointer, redactedJson } from "./redaction.ts";

const taking = (...pointers: readonly string[]) => [{ pointers: pointers.map(readPointer), replaceBy: "x" }];
const text = (json: string, ...pointers: readonly string[]): string =>
  Buffer.from(redactedJson(Buffer.from(json), taking(...pointers))).toString();
const gone = (value: unknown, ...pointers: readonly string[]): unknown =>
  JSON.parse(text(JSON.stringify(value), ...pointers));

for (const [what, value, pointers, expected] of [
  ["a member", { a: 1, b: 2 }, ["/a"], { a: "x", b: 2 }],
  ["a member of each element", [{ a: 1 }, { b: 1 }], ["/*/a"], [{ a: "x" }, { b: 1 }]],
  ["every member", { p: { a: [1], b: null } }, ["/p/*"], { p: { a: "x", b: "x" } }],
  ["an element by its number", { a: [1, 2] }, ["/a/1"], { a: [1, "x"] }],
  ["names that have to be escaped", { "a/b": 1, "~": 2 }, ["/a~1b", "/~0"], { "a/b": "x", "~": "x" }],
  ["the member of no name", { "": 1 }, ["/"], { "": "x" }],
  [
    "a name of objects of all kinds",
    JSON.parse('{"__proto__":{"a":1}}'),
    ["/__proto__/a"],
    JSON.parse('{"__proto__":{"a":"x"}}'),
  ],
  ["nothing where the pointer leads nowhere", { a: { b: 1 } }, ["/a/c", "/x/y", "/a/b/c"], { a: { b: 1 } }],
  ["no length of a list", { a: [1] }, ["/a/length"], { a: [1] }],
] as const) {
  test(`what is taken out: ${what}`, () => {
    assert.deepEqual(gone(value, ...pointers), expected);
  });
}

test("a value in which nothing is taken out is the very same", () => {
  const json = Buffer.from('{"a":{"b":1}}');
  assert.equal(redactedJson(json, taking("/a/c")), json);
});

test("what isn't taken out stays as it was written", () => {
  const json = '{ "n": 12345678901234567890, "a": 1.10, "b" : [1E2, {"c":"\\u0041"}] }';
  assert.equal(text(json, "/a"), json.replace("1.10", '"x"'));
});

test("of places within each other the outer one goes, and of a member that comes twice both", () => {
  assert.equal(text('{"a":{"b":1},"c":2}', "/a/b", "/a", "/*"), '{"a":"x","c":"x"}');
  assert.equal(text('{"a":1,"a":{"a":2}}', "/a"), '{"a":"x","a":"x"}');
});

test("a pointer is made of steps behind slashes", () => {
  for (const text of ["/a", "/", "/*/a~0~1", "/a".repeat(64)]) assert.ok(isPointerPattern(text), text);
  for (const text of ["", "a", "a/b", "/~", "/a~2", "/a".repeat(65)])
    assert.ok(!isPointerPattern(text), text);
});
