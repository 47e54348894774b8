import assert from "node:assert/strict";
import { test } from "node:test";

import { mayExpandTo } from "./uri-template.ts";

const cases: readonly (readonly [string, string, boolean])[] = [
  ["file:///{path}", "file:///a/b", true],
  ["file:///{path}", "db:///a", false],
  ["a://{x}/data/{y}.json", "a://1/data/2.json", true],
  ["a://{x}/data/{y}.json", "a://1/data/2.txt", false],
  ["a://{x}/{y}", "a://1", false],
  ["a://x", "a://x", true],
  ["a://x", "a://xy", false],
  ["{+all}", "anything", true],
  ["a{x}a", "a", false],
];
for (const [template, uri, expected] of cases) {
  test(`${template} ${expected ? "may" : "can't"} expand to ${uri}`, () => {
    assert.equal(mayExpandTo(template, uri), expected);
  });
}
