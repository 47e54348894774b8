/** Schemas of OpenAPI as strict JSON Schema 2020-12: each compiles, says the same, and stays within its bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import * as fc from "fast-check";

import { convertSchema } from "./json-schema.ts";

function compiled(schema: object): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: true, allErrors: false });
  addFormats.default(ajv);
  return ajv.compile(schema) as (value: unknown) => boolean;
}

const root = {
  components: {
    schemas: {
      Node: {
        type: "object",
        required: ["id"],
        properties: { id: { type: "integer" }, next: { $ref: "#/components/schemas/Node" } },
      },
      "A/b c": { type: "string", maxLength: 3 },
    },
  },
};

const cases: readonly (readonly [string, object, readonly unknown[], readonly unknown[]])[] = [
  [
    "an enum without null beside a type with it",
    { type: ["string", "null"], enum: ["a"] },
    ["a"],
    [null, "b"],
  ],
  [
    "a union of types",
    { type: ["string", "integer", "null"], minLength: 2, minimum: 5 },
    ["ab", 7, null],
    ["a", 3, true],
  ],
  [
    "null beside a type",
    { type: ["object", "null"], properties: { a: { type: "string" } } },
    [null, { a: "x" }],
    [{ a: 1 }, 3],
  ],
  ["formats nobody knows", { type: "integer", format: "int32" }, [1], ["1"]],
  ["a pattern that isn't one", { type: "string", pattern: "(?<broken" }, ["anything"], [1]],
  ["a circle", { $ref: "#/components/schemas/Node" }, [{ id: 1, next: { id: 2 } }], [{ id: 1, next: {} }]],
  ["a name that needs escapes", { $ref: "#/components/schemas/A~1b%20c" }, ["abc"], ["abcd"]],
  ["required, and no property", { type: "object", required: ["x"] }, [{ x: 1 }], [{}]],
  [
    "what is read-only isn't asked for",
    {
      type: "object",
      required: ["id", "n"],
      properties: { id: { readOnly: true, type: "string" }, n: { type: "string" } },
    },
    [{ n: "a" }],
    [{}],
  ],
  ["keywords of nobody", { type: "string", "x-a": 1, example: "e", nullable: "maybe" }, ["a"], [1]],
  ["no type, and its keywords say it", { properties: { a: { type: "integer" } } }, [{ a: 1 }], [{ a: "x" }]],
  [
    "parts that contradict their type",
    { type: "object", anyOf: [{ type: "string" }, { type: "integer" }] },
    ["a", 1],
    [true],
  ],
  [
    "a list of places",
    { type: "array", items: [{ type: "string" }, { type: "integer" }] },
    [["a", 1]],
    [[true]],
  ],
  ["the schema false", { type: "object", properties: { a: false } }, [{}], [{ a: 1 }]],
];

for (const [what, schema, good, bad] of cases) {
  test(`a schema with ${what} compiles in strict mode and means what it said`, () => {
    const { schema: converted } = convertSchema(root, schema, "request");
    const isValid = compiled(converted);
    for (const value of good) assert.equal(isValid(value), true, JSON.stringify([value, converted]));
    for (const value of bad) assert.equal(isValid(value), false, JSON.stringify([value, converted]));
  });
}

test("a schema that grows without end is cut where the bound is, and says so", () => {
  const wide = Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`p${at}`, { type: "string" }]));
  const broad = { type: "object", properties: wide, additionalProperties: false };
  const cut = convertSchema({}, broad, "request");
  assert.match(cut.notes.join(), /of 600 properties not all are said/);
  assert.equal(compiled(cut.schema)({ p1: "said", p599: 3 }), true);
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`m${at}`, broad]));
  const { schema, notes } = convertSchema({}, { type: "object", properties: many }, "request");
  assert.match(notes.join(), /larger than what is said of it/);
  compiled(schema);
});

/** What people and programs write into schemas, right and wrong. */
const anySchema = fc.letrec((tie) => ({
  value: fc.oneof(fc.boolean(), fc.integer(), fc.string({ maxLength: 5 }), fc.constant(null)),
  schema: fc.oneof(
    { maxDepth: 4 },
    fc.boolean(),
    fc.record(
      {
        type: fc.constantFrom(
          "string",
          "number",
          "integer",
          "boolean",
          "object",
          "array",
          "null",
          "file",
          "any",
          ["string", "null"],
          ["integer", "object"],
        ),
        format: fc.constantFrom("int32", "date-time", "byte", "uuid", "x"),
        enum: fc.array(tie("value"), { maxLength: 3 }),
        const: tie("value"),
        default: tie("value"),
        minimum: tie("value"),
        maxLength: tie("value"),
        minItems: tie("value"),
        pattern: fc.string({ maxLength: 6 }),
        required: fc.oneof(fc.boolean(), fc.array(fc.string({ maxLength: 3 }), { maxLength: 3 })),
        properties: fc.dictionary(fc.string({ maxLength: 4 }), tie("schema"), { maxKeys: 3 }),
        additionalProperties: tie("schema"),
        items: fc.oneof(tie("schema"), fc.array(tie("schema"), { maxLength: 2 })),
        allOf: fc.array(tie("schema"), { maxLength: 2 }),
        anyOf: fc.array(tie("schema"), { maxLength: 2 }),
        oneOf: fc.array(tie("schema"), { maxLength: 2 }),
        not: tie("schema"),
        readOnly: fc.boolean(),
        $ref: fc.constantFrom(
          "#/components/schemas/Node",
          "#/nowhere",
          "other.json#/x",
          "#/components/schemas/A~1b%20c",
        ),
      },
      { requiredKeys: [] },
    ),
  ),
})).schema;

test("whatever stands where a schema should, what becomes of it compiles in strict mode", () => {
  fc.assert(
    fc.property(anySchema, fc.constantFrom("request" as const, "answer" as const), (schema, direction) => {
      compiled(convertSchema(root, schema, direction).schema);
    }),
    { numRuns: 200 },
  );
});
