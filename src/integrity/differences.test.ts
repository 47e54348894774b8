import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { differences } from "./differences.ts";

const pointers = (before: object, after: object): readonly string[] =>
  differences(utf8(JSON.stringify({ result: before })), utf8(JSON.stringify({ result: after }, null, 2)));

test("what differs is named by its pointer, however it is written and wherever it stands", () => {
  assert.deepEqual(pointers({ a: 1, b: [1, 2] }, { b: [1, 3], a: 1 }), ["/result/b"]);
  assert.deepEqual(pointers({ a: 1 }, { c: 1 }), ["/result/a", "/result/c"]);
  assert.deepEqual(pointers({ "a/b~c": 1 }, { "a/b~c": 2 }), ["/result/a~1b~0c"]);
});

test("where nothing can be named, the whole result is", () => {
  assert.deepEqual(pointers({ a: 1 }, { a: 1 }), ["/result"]);
  assert.deepEqual(pointers({ _meta: { a: 1 } }, { _meta: {} }), ["/result"]);
});
