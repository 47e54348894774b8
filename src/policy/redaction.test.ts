import assert from "node:assert/strict";
import { test } from "node:test";

import { isPointerPattern, readPointer, redacted } from "./redaction.ts";

const gone = (value: unknown, ...pointers: readonly string[]): unknown =>
  redacted(value, pointers.map(readPointer), "x").value;

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
    const before = structuredClone(value as object);
    assert.deepEqual(gone(value, ...pointers), expected);
    assert.deepEqual(value, before);
  });
}

test("a value in which nothing is taken out is the very same", () => {
  const value = { a: { b: 1 } };
  assert.deepEqual(redacted(value, [readPointer("/a/c")], "x"), { value, isChanged: false });
});

test("a pointer is made of steps behind slashes", () => {
  for (const text of ["/a", "/", "/*/a~0~1", "/a".repeat(64)]) assert.ok(isPointerPattern(text), text);
  for (const text of ["", "a", "a/b", "/~", "/a~2", "/a".repeat(65)])
    assert.ok(!isPointerPattern(text), text);
});
