/** The canonical form of JSON: RFC 8785 where that is exact, and one form for one meaning everywhere. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { canonicalJson, ifEmpty } from "./canonical-json.ts";

const form = (text: string): string | undefined => canonicalJson(utf8(text));

/** RFC 8785 over a parsed value, as its §3.2 can be had from any ECMAScript engine. */
function strictForm(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(strictForm).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const names = Object.keys(value).toSorted();
  const members = value as Readonly<Record<string, unknown>>;
  return `{${names.map((name) => `${JSON.stringify(name)}:${strictForm(members[name])}`).join(",")}}`;
}

test("RFC 8785 §3.2.4: sorted, without space, strings and numbers as ECMAScript writes them", () => {
  const text = `{
    "numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
    "literals": [null, true, false]
  }`;
  assert.equal(
    form(text),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

for (const [inner, canonical] of [
  ['{"c":1,"b":2}', '{"b":2,"c":1}'],
  ['"\\u0041"', '"A"'],
  ["1e2", "100"],
  ['{ "b":1}', '{"b":1}'],
  ["[1 ,2]", "[1,2]"],
  ['{"b":[{"d":1,"c":"\\/"}]}', '{"b":[{"c":"/","d":1}]}'],
] as const) {
  test(`one value to be rewritten among others that stand as they must: ${inner}`, () => {
    assert.equal(form(`{"a":${inner},"z":[${inner}]}`), `{"a":${canonical},"z":[${canonical}]}`);
  });
}

test("RFC 8785 §3.2.3: names are sorted by their code units, however they are spelled", () => {
  const text =
    '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7,"__proto__":8}';
  assert.equal(form(text), '{"\\r":2,"1":4,"__proto__":8,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}');
});

for (const [what, literal, expected] of [
  ["a whole number", "12", "12"],
  ["a negative one", "-12", "-12"],
  ["a fraction of zeroes", "1.0", "1"],
  ["zeroes at the end", "4.50", "4.5"],
  ["an exponent", "1e2", "100"],
  ["an exponent with a sign, in upper case", "1.5E+3", "1500"],
  ["a small number", "0.0000001", "1e-7"],
  ["a large number", "1000000000000000000000", "1e+21"],
  ["zero, at length", "0.000e17", "0"],
  ["the largest exact integer", "9007199254740991", "9007199254740991"],
  ["one that a double has exactly", "9007199254740994", "9007199254740994"],
  ["one that a double hasn't", "9007199254740993", "9007199254740993"],
  ["the same, written otherwise", "9007199254740993.0", "9007199254740993.0"],
  ["an identifier of 19 digits", "1234567890123456789", "1234567890123456789"],
  ["minus zero", "-0", "-0"],
  ["minus zero, at length", "-0.0", "-0.0"],
  ["more digits than a double has", "0.10000000000000000001", "0.10000000000000000001"],
  ["what a double can't tell from zero", "1e-400", "1e-400"],
  ["what a double takes for infinite", "-1e400", "-1e400"],
  ["the smallest double", "5e-324", "5e-324"],
  ["an exponent no reader holds", "1e999999999999999999999", "1e999999999999999999999"],
] as const) {
  test(`a number stands as JCS says, or as it was written if that would change it: ${what}`, () => {
    assert.equal(form(`[${literal}]`), `[${expected}]`);
  });
}

for (const [what, text, expected] of [
  ["a lone surrogate stands as its escape", '"\\uD800x"', '"\\ud800x"'],
  ["a pair stands as its character", '"\\uD83D\\uDE00"', '"😀"'],
  ["DEL and line separators stand as they are", '"\\u007f\\u2028"', '"\u007f\u2028"'],
  ["a scalar may be all there is", " true ", "true"],
  ["empty values", '{"a":[ ],"b":{ }}', '{"a":[],"b":{}}'],
] as const) {
  test(what, () => assert.equal(form(text), expected));
}

for (const [what, text] of [
  ["a member twice", '{"a":1,"a":1}'],
  ["a member twice, once escaped, far apart", '{"a":1,"c":0,"b":2,"\\u0061":1}'],
  ["a member twice in an array", '[{"x":{"a":1,"b":0,"a":2}}]'],
  ["nothing", ""],
  ["two values", "1 2"],
  ["a byte order mark", "\uFEFF{}"],
  ["a control character in a string", '"\u0001"'],
  ["an unknown escape", '"\\x"'],
  ["half an escape", '"\\u12"'],
  ["a string without end", '"abc'],
  ["a string that ends with a backslash", '"abc\\'],
  ["a number with a leading zero", "[01]"],
  ["half a number", "[1.]"],
  ["a name that is no string", "{1:2}"],
  ["a comma too many", "[1,]"],
  ["a word", "[nul]"],
] as const) {
  test(`there is no form of ${what}`, () => assert.equal(form(text), undefined));
}

test("there is no form of what isn't UTF-8", () => {
  assert.equal(canonicalJson(Uint8Array.of(0x22, 0xff, 0x22)), undefined);
  assert.equal(canonicalJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)), undefined);
});

test("there is a form of a thousand levels, of no more, and a million brackets are no overflow", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.equal(form(nested(1000)), nested(1000));
  assert.equal(form(nested(1001)), undefined);
  assert.equal(form("[".repeat(1_000_000)), undefined);
  assert.equal(form('{"a":'.repeat(1_000_000)), undefined);
});

const without = {
  id: true,
  params: { _meta: { hop: true, inner: { x: true, [ifEmpty]: true }, [ifEmpty]: true }, [ifEmpty]: true },
} as const;
for (const [what, text, expected] of [
  ["what is named goes", '{"id":1,"a":2}', '{"a":2}'],
  ["in objects that are named too", '{"params":{"_meta":{"hop":1,"b":2}}}', '{"params":{"_meta":{"b":2}}}'],
  [
    "an object that is left empty goes",
    '{"a":1,"params":{"b":1,"_meta":{"hop":1}}}',
    '{"a":1,"params":{"b":1}}',
  ],
  ["and the one around it", '{"params":{"_meta":{"inner":{"x":{"y":1}}}},"id":[]}', "{}"],
  ["and one that was empty", '{"a":1,"params":{}}', '{"a":1}'],
  [
    "nowhere else",
    '{"a":{"id":1},"params":[{"_meta":{"hop":1}}]}',
    '{"a":{"id":1},"params":[{"_meta":{"hop":1}}]}',
  ],
  ["nor what is no object", '{"params":{"_meta":"{}"}}', '{"params":{"_meta":"{}"}}'],
  ["and sorted all the same", '{"z":1,"id":1,"a":2}', '{"a":2,"z":1}'],
] as const) {
  test(`members are left out: ${what}`, () => assert.equal(canonicalJson(utf8(text), without), expected));
}

test("what is left out must be JSON too, and there once", () => {
  assert.equal(canonicalJson(utf8('{"id":01}'), without), undefined);
  assert.equal(canonicalJson(utf8('{"id":1,"id":1}'), without), undefined);
  assert.equal(canonicalJson(utf8('{"id":{"a":1,"a":1}}'), without), undefined);
});

/** JSON text of a value with its members in another order, and with space and escapes that change nothing. */
function oddly(value: unknown, chance: () => number): string {
  const space = (): string => ["", " ", "\n\t", "\r\n"][chance() % 4] ?? "";
  const string = (text: string): string =>
    JSON.stringify(text).replaceAll(/[a-z/](?![^\\]*\\u)/g, (char) =>
      chance() % 5 === 0 ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : char,
    );
  const plain = (text: string): string =>
    /\\/.test(JSON.stringify(text)) ? JSON.stringify(text) : string(text);
  if (typeof value === "string") return space() + plain(value) + space();
  if (Array.isArray(value))
    return `${space()}[${value.map((one) => oddly(one, chance)).join(",")}${space()}]`;
  if (typeof value !== "object" || value === null) return space() + JSON.stringify(value) + space();
  const members = Object.entries(value).map(
    ([name, one]) => `${space()}${plain(name)}${space()}:${oddly(one, chance)}`,
  );
  return `${space()}{${members.toSorted(() => (chance() % 2) - 0.5).join(",")}${space()}}${space()}`;
}

test("however a value is written, its form is that of RFC 8785", () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ stringUnit: "binary" }),
      fc.infiniteStream(fc.nat({ max: 1000 })),
      (value, stream) => {
        const text = oddly(value, () => stream.next().value ?? 0);
        // JSON.stringify writes -0 as 0.
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
        assert.equal(form(text), strictForm(value));
      },
    ),
  );
});

/** The number as a fraction over a power of ten that all in the test fit in. */
function scaled(literal: string): bigint {
  const [mantissa = "", power = "0"] = literal.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = BigInt(whole + fraction) * 10n ** BigInt(100 + Number(power) - fraction.length);
  return mantissa.startsWith("-") ? -digits : digits;
}

test("a number's form is never another number", () => {
  const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,20})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,2})?$/);
  fc.assert(
    fc.property(fc.constantFrom("", "-"), digits, (sign, text) => {
      fc.pre(!/e[+-]?(?:[4-9]\d)$/i.test(text));
      const literal = sign + text;
      const written = form(literal) ?? "";
      assert.equal(scaled(written), scaled(literal));
      const shortest = String(Number(literal));
      const isExact = !literal.startsWith("-") && scaled(shortest) === scaled(literal);
      if (isExact) assert.equal(written, shortest);
    }),
    { numRuns: 500 },
  );
});

/** JSONTestSuite: `y_` must be read, `n_` must not. */
const vectors = new URL("../../../shared/vectors/json/test_parsing/", import.meta.url);
const skip = existsSync(vectors) ? false : "the JSONTestSuite vectors aren't there";

test(
  "JSONTestSuite: there is a form of what is JSON with no member twice, and of nothing else",
  { skip },
  () => {
    const files = readdirSync(vectors).filter((name) => /^[yn]_.*\.json$/.test(name));
    assert.ok(files.length > 250);
    const hasForm = (name: string): boolean =>
      canonicalJson(readFileSync(new URL(encodeURIComponent(name), vectors))) !== undefined;
    assert.deepEqual(
      files.filter((name) => hasForm(name) !== name.startsWith("y_")),
      ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"],
    );
  },
);
