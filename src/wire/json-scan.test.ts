/** One strict JSON reader: accepts what every parser reads alike, and nothing else. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { scanJson, textAt } from "./json-scan.ts";

function isAccepted(bytes: Uint8Array): boolean {
  try {
    scanJson(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof Refusal && error.code === "bad_json", String(error));
    return false;
  }
}

/** JSONTestSuite: `y_` must be read, `n_` must not, `i_` is each parser's choice. */
const vectors = new URL("../../../shared/vectors/json/test_parsing/", import.meta.url);
const skip = existsSync(vectors) ? false : "the JSONTestSuite vectors aren't there";

/** RFC 8259 allows these and I-JSON doesn't: each reader picks a member of its own. */
const stricterOnPurpose = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];

/** Of what is left to parsers, only numbers that every double reader sees alike, and a depth below the bound. */
const choicesAccepted = [
  "i_number_double_huge_neg_exp.json",
  "i_number_real_underflow.json",
  "i_number_too_big_neg_int.json",
  "i_number_too_big_pos_int.json",
  "i_number_very_big_negative_int.json",
];

test("JSONTestSuite: each file as the standard says, or stricter where we say so", { skip }, () => {
  const files = readdirSync(vectors).filter((name) => name.endsWith(".json"));
  assert.ok(files.length > 300);
  const accepted = files.filter((name) =>
    isAccepted(readFileSync(new URL(encodeURIComponent(name), vectors))),
  );
  const ofKind = (kind: string, names: readonly string[]) =>
    names.filter((name) => name.startsWith(kind)).toSorted();
  assert.deepEqual(ofKind("n_", accepted), []);
  const refused = files.filter((name) => !accepted.includes(name));
  assert.deepEqual(ofKind("y_", refused), stricterOnPurpose);
  assert.deepEqual(ofKind("i_", accepted), choicesAccepted);
});

const refusedTexts: readonly (readonly [string, string])[] = [
  ["a member twice", '{"a":1,"a":1}'],
  ["a member twice, once escaped", '{"a":1,"\\u0061":1}'],
  ["a member twice, far apart", `{${Array.from({ length: 40 }, (_, i) => `"k${i}":0`).join(",")},"k0":0}`],
  ["a member twice within an array within an object", '{"x":[{"a":1,"a":2}]}'],
  ["a lone high surrogate", '"\\ud800"'],
  ["a lone low surrogate", '"\\udc00"'],
  ["surrogates in the wrong order", '"\\udc00\\ud800"'],
  ["a number beyond a double", "1e999"],
  ["a very long number beyond a double", "9".repeat(400)],
  ["nothing", ""],
  ["two values", "1 2"],
  ["a byte order mark", "\uFEFF{}"],
  ["a NUL behind the value", "{}\0"],
  ["a comment", "{/**/}"],
];
for (const [what, text] of refusedTexts) {
  test(`${what} is refused`, () => assert.equal(isAccepted(utf8(text)), false));
}

test("depth and the number of members are bounded, and 100,000 brackets are no overflow", () => {
  const nested = (depth: number): Uint8Array => utf8("[".repeat(depth) + "]".repeat(depth));
  assert.equal(isAccepted(nested(64)), true);
  assert.equal(isAccepted(nested(65)), false);
  assert.equal(isAccepted(utf8("[".repeat(100_000))), false);
  assert.equal(isAccepted(utf8('{"a":'.repeat(100_000))), false);
  assert.equal(isAccepted(utf8(`[${"0,".repeat(100_001)}0]`)), false);
});

test("what is accepted means to us what it means to JSON.parse", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (value, wanted) => {
      const text = JSON.stringify({ ...value, [wanted]: wanted }, null, 1).toWellFormed();
      const bytes = utf8(text);
      const parsed = JSON.parse(text) as Readonly<Record<string, unknown>>;
      let members;
      try {
        ({ members } = scanJson(bytes, { [wanted]: true }));
      } catch (error) {
        // JSON.stringify writes lone surrogates as escapes, and other spellings of the wanted name may occur.
        assert.ok(error instanceof Refusal);
        return;
      }
      const place = members?.get(wanted);
      assert.ok(place);
      assert.equal(textAt(bytes, place), parsed[wanted]);
    }),
  );
});

test("whatever the bytes, the answer is yes or a refusal; and a yes is JSON", () => {
  const soup = fc
    .array(fc.constantFrom(...'{ } [ ] " , : \\ u 0 d 8 1 e - . t f n \u00e9'.split(" "), " "), {
      maxLength: 40,
    })
    .map((parts) => utf8(parts.join("")));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), soup), (bytes) => {
      if (isAccepted(bytes)) JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    }),
    { numRuns: 2000 },
  );
});

test("a known member in another case is refused, since some servers would take it for the known one", () => {
  for (const name of ["Method", "METHOD", "\\u004dethod"]) {
    assert.throws(
      () => scanJson(utf8(`{"${name}":1}`), { method: true }),
      (error: unknown) => error instanceof Refusal && error.code === "bad_message",
      name,
    );
  }
  assert.throws(
    () => scanJson(utf8('{"param\u017f":1}'), { params: true }),
    Refusal,
    "the long s folds to s",
  );
  scanJson(utf8('{"methods":1,"meth":2}'), { method: true });
});

test("what a refusal says never holds content", () => {
  for (const text of ['{"canary":canary}', '["canary"', '{"canary":1,"canary":2}', '"canary\\q"']) {
    assert.throws(
      () => scanJson(utf8(text)),
      (error: unknown) => error instanceof Refusal && !error.message.includes("canary"),
      text,
    );
  }
});
