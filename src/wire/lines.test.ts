/** The stdio transport's framing, in any pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { asLine, lineReader } from "./lines.ts";

const decoder = new TextDecoder();
const pieces = fc.array(fc.constantFrom("a", "bc", "é", "\u2028", "\n", "\r\n", "{}"), { maxLength: 60 });

test("the pieces a text comes in don't change its lines", () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 7 }), (parts, size) => {
      const bytes = utf8(`${parts.join("")}\n`);
      const reader = lineReader(1000);
      const lines: string[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        lines.push(...reader.push(bytes.subarray(at, at + size)).map((line) => decoder.decode(line)));
      }
      const expected = decoder
        .decode(bytes)
        .split(/\r?\n/)
        .filter((line) => line !== "");
      assert.deepEqual(lines, expected);
    }),
  );
});

test("only a line feed ends a line; the other separators of Unicode are content", () => {
  const [line] = lineReader(100).push(utf8("a\u2028b\u2029c\u0085d\n"));
  assert.equal(line && decoder.decode(line), "a\u2028b\u2029c\u0085d");
});

test("a line without an end is refused at the limit, not kept", () => {
  const reader = lineReader(64);
  reader.push(utf8("x".repeat(64)));
  assert.throws(
    () => reader.push(utf8("x")),
    (error: unknown) => error instanceof Refusal && error.code === "too_large",
  );
  assert.throws(() => lineReader(4).push(utf8("12345\n")), Refusal);
});

test("the limit is one line's, whole or in pieces, and what meets it passes", () => {
  const isTooLarge = (error: unknown): boolean => error instanceof Refusal && error.code === "too_large";
  const reader = lineReader(4);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(reader.push(utf8("ab")), []);
    assert.equal(reader.push(utf8("cd\nabcd\n")).length, 2);
  }
  reader.push(utf8("abc"));
  assert.throws(() => reader.push(utf8("de\n")), isTooLarge);
  assert.throws(() => lineReader(4).push(utf8("abcde\n")), isTooLarge);
});

test("empty lines and empty pieces say nothing, and a CR within a line is content", () => {
  const reader = lineReader(100);
  assert.deepEqual(reader.push(utf8("")), []);
  assert.deepEqual(
    reader.push(utf8("\n\r\n\na\rb\r\n")).map((line) => decoder.decode(line)),
    ["a\rb"],
  );
});

test("what was refused is no beginning of the next line", () => {
  const reader = lineReader(10);
  reader.push(utf8("abc"));
  assert.throws(() => reader.push(utf8("defghijklmnop\n")), Refusal);
  assert.deepEqual(
    reader.push(utf8("x\n")).map((line) => decoder.decode(line)),
    ["x"],
  );
});

test("line breaks between tokens become spaces, each of them, and one ends the line", () => {
  const message = Buffer.from('\r\n{"a":\r1,\n\n"b\\n":2}\r\n');
  const line = asLine(message);
  assert.equal(Buffer.from(line).toString(), '  {"a": 1,  "b\\n":2}  \n');
  assert.equal(message[0], 0x0d, "the message itself stays as it was");
});
