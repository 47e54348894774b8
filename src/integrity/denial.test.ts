/** What grants nothing, and what only looks like it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { readFrame } from "../wire/frame.ts";
import { isDenial } from "./denial.ts";

const refusal = { "dev.latticegate/authorization": {} };
const answers: readonly (readonly [string, object, boolean])[] = [
  ["an error", { error: { code: 1, message: "" } }, true],
  ["a refusal", { result: { isError: true, _meta: refusal } }, true],
  ["a tool's own error", { result: { isError: true } }, false],
  ["a result that names a refusal", { result: { _meta: refusal } }, false],
  ["a result that says it is no error", { result: { isError: false, _meta: refusal } }, false],
  ["an empty result", { result: {} }, false],
];

for (const [what, answer, expected] of answers) {
  test(`${what} ${expected ? "grants nothing" : "may grant something"}`, () => {
    const frame = readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, ...answer })));
    assert.equal(frame.kind === "response" && isDenial(frame), expected);
  });
}
