/** One strict JSON reader: accepts what every parser reads alike, and nothing else. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { everyMember, scanJson, textAt } from "./json-scan.ts";

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

test("a shape may ask for every member, and for the known ones in their spelling still", () => {
  const shape = { known: true, [everyMember]: true } as const;
  const { members } = scanJson(utf8('{"known":1,"other":{"inner":2},"known ":3}'), shape);
  assert.deepEqual([...(members?.keys() ?? [])], ["known", "other", "known "]);
  assert.equal(members?.get("other")?.members, undefined, "one level and no further");
  assert.throws(() => scanJson(utf8('{"Known":1}'), shape), Refusal);
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

const surrogates: readonly (readonly [string, boolean])[] = [
  ["\\ud7ff", true],
  ["\\ue000", true],
  ["\\ud800\\udc00", true],
  ["\\uDBFF\\uDFFF", true],
  ["\\udfff", false],
  ["\\udbff", false],
  ["\\ud800\\ue000", false],
  ["\\ud800\\udbff", false],
  ["\\udc00\\udc00", false],
  ["\\ud800x", false],
  ["\\ud800\\n", false],
  ["\\u00g0", false],
  ["\\u00G0", false],
  ["\\u00`0", false],
];
for (const [escapes, isTaken] of surrogates) {
  test(`the string "${escapes}" is ${isTaken ? "taken" : "refused"}`, () => {
    assert.equal(isAccepted(utf8(`"${escapes}"`)), isTaken);
  });
}

test("a control character stands in a string only as an escape", () => {
  for (let code = 0; code < 0x20; code++) {
    assert.equal(isAccepted(utf8(`"${String.fromCharCode(code)}"`)), false, `U+${code.toString(16)}`);
    assert.equal(isAccepted(utf8(`"\\u00${code.toString(16).padStart(2, "0")}"`)), true);
  }
  assert.equal(isAccepted(utf8('"\u007f\u0080\u2028"')), true);
});

test("the bounds are those that were asked for: what meets them passes, one more doesn't", () => {
  const isWithin = (text: string): boolean => {
    try {
      scanJson(utf8(text), undefined, { depth: 2, members: 3 });
      return true;
    } catch (error) {
      assert.ok(error instanceof Refusal && error.code === "bad_json", String(error));
      return false;
    }
  };
  assert.deepEqual(['[{"a":1}]', "[[[]]]", '{"a":{"b":{}}}'].map(isWithin), [true, false, false]);
  assert.deepEqual(["[1,2,3]", "[1,2,3,4]"].map(isWithin), [true, false]);
  assert.deepEqual(['{"a":[1],"b":1}', '{"a":[1],"b":[1]}'].map(isWithin), [true, false], "counted in all");
});

const offsets: readonly (readonly [string, number])[] = [
  ['{"a" 1}', 5],
  ["[1 2]", 3],
  ['{"a":1 "b":2}', 7],
  ["{a:1}", 1],
  ["1x", 1],
  [' "é', 4],
  ['"\\q"', 1],
  ['"\\u00', 5],
];
for (const [text, offset] of offsets) {
  test(`what is wrong with ${text} is said to be at byte ${offset}`, () => {
    assert.throws(
      () => scanJson(utf8(text)),
      (error: unknown) => error instanceof Refusal && error.message.endsWith(` at byte ${offset}.`),
    );
  });
}

test("a noted member's place is that of its value, without the white space around it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("", " ", "\n\t"), (value, space) => {
      const bytes = utf8(
        `${space}{"before":0,"outer":${space}{"inner"${space}:${space}${JSON.stringify(value)}${space}}}`,
      );
      const outer = scanJson(bytes, { outer: { inner: true } }).members?.get("outer");
      const inner = outer?.members?.get("inner");
      assert.ok(inner);
      const text = new TextDecoder().decode(bytes.subarray(inner.start, inner.end));
      assert.equal(text, JSON.stringify(value));
    }),
  );
});

test("what JSON.stringify writes is accepted", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.ok(isAccepted(utf8(JSON.stringify(value))))));
});

test("a message is read alike as text and, where it has a line break, byte by byte", () => {
  const message = utf8('{"a":"x\\n\\"y","b":{"a":[1,"",true]},"":"\\\\","c d":"}"}');
  const shape = { [everyMember]: true, b: { [everyMember]: true } } as const;
  const found = (bytes: Uint8Array, from: number): string => {
    try {
      const place = scanJson(bytes, shape);
      return JSON.stringify(place, (_, value: unknown) =>
        value instanceof Map ? [...value] : typeof value === "number" ? value - from : value,
      );
    } catch (error) {
      assert.ok(error instanceof Refusal);
      return error.message.replace(/\d+/, (at) => String(Number(at) - from));
    }
  };
  fc.assert(
    fc.property(fc.nat(message.length), fc.integer({ min: 0x20, max: 0x7e }), (at, byte) => {
      const changed = Uint8Array.from(message, (each, i) => (i === at ? byte : each));
      assert.equal(found(changed, 0), found(Buffer.concat([utf8("\n"), changed]), 1));
    }),
    { numRuns: 2000 },
  );
});

test("only members that were asked for are noted, whatever objects inherit", () => {
  const text = '{"toString":{"a":1},"constructor":1,"__proto__":{"method":1},"methods":1,"method":2}';
  const { members } = scanJson(utf8(text), { method: true });
  assert.deepEqual([...(members?.keys() ?? [])], ["method"]);
});

test("the Kelvin sign folds to k", () => {
  assert.throws(() => scanJson(utf8('{"to\u212aen":1}'), { token: true }), Refusal);
});

test("a damaged message is refused without a word of its content", () => {
  const message = utf8('{"canary":["canary",{"canary\\n":-12345e6}],"k":"canary"}');
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(), (at, by, cut) => {
      const damaged = Uint8Array.from(message);
      damaged[at] = (damaged[at] ?? 0) ^ by;
      for (const bytes of [damaged, message.subarray(0, cut % message.length)]) {
        try {
          scanJson(bytes);
        } catch (error) {
          assert.ok(error instanceof Refusal && error.code === "bad_json", String(error));
          assert.doesNotMatch(error.message, /canary|12345/);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
