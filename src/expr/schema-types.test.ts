/** A tool's schema as types: what servers really write, and what strangers might. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { compileCondition } from "./condition.ts";
import { typeOfSchema } from "./schema-types.ts";

const unsaid = "unsaid" as const;
const object = (members: object): object => ({ kind: "object", members, others: unsaid });

const tables: readonly (readonly [string, unknown, unknown])[] = [
  ["a string", { type: "string" }, "string"],
  ["true or false", { type: "boolean" }, "bool"],
  ["whole numbers", { type: "integer" }, "int"],
  ["numbers", { type: "number" }, "double"],
  ["null", { type: "null" }, "null"],
  ["no type", { description: "?" }, "dyn"],
  ["a type nobody knows", { type: "date" }, "dyn"],
  ["true", true, "dyn"],
  ["nothing", undefined, "dyn"],
  ["a nullable type (OpenAPI)", { type: "string", nullable: true }, { kind: "nullable", of: "string" }],
  ["a type or null", { type: ["integer", "null"] }, { kind: "nullable", of: "int" }],
  ["only null", { type: ["null"] }, "null"],
  ["two types", { type: ["string", "integer"] }, "dyn"],
  ["two types of numbers", { type: ["integer", "number"] }, "double"],
  [
    "anyOf with null (FastMCP)",
    { anyOf: [{ type: "string" }, { type: "null" }] },
    { kind: "nullable", of: "string" },
  ],
  ["anyOf of two", { anyOf: [{ type: "string" }, { type: "integer" }] }, "dyn"],
  ["oneOf of two and null", { oneOf: [{ type: "string" }, { type: "integer" }, { type: "null" }] }, "dyn"],
  ["oneOf of one", { oneOf: [{ type: "string" }] }, "string"],
  ["an empty anyOf", { anyOf: [] }, "dyn"],
  ["allOf", { allOf: [{ type: "string" }], type: "string" }, "dyn"],
  ["a choice of strings", { type: "string", enum: ["a", "b"] }, { kind: "enum", values: ["a", "b"] }],
  ["a constant", { const: "a" }, { kind: "enum", values: ["a"] }],
  ["a choice with null", { enum: ["a", null] }, { kind: "nullable", of: { kind: "enum", values: ["a"] } }],
  ["a choice of numbers", { enum: [1, 2.5] }, "double"],
  ["a choice of kinds", { enum: ["a", 1] }, "dyn"],
  ["a long choice", { enum: Array.from({ length: 101 }, (_, at) => `v${at}`) }, "string"],
  ["a list", { type: "array", items: { type: "integer" } }, { kind: "list", of: "int" }],
  ["a list of anything", { type: "array" }, { kind: "list", of: "dyn" }],
  ["a tuple (draft-07)", { type: "array", items: [{ type: "integer" }] }, { kind: "list", of: "dyn" }],
  [
    "a tuple (2020-12)",
    { type: "array", prefixItems: [{ type: "string" }], items: { type: "integer" } },
    { kind: "list", of: "dyn" },
  ],
  ["an object without members", { type: "object" }, { kind: "map", of: "dyn" }],
  [
    "an object of numbers",
    { type: "object", additionalProperties: { type: "number" } },
    { kind: "map", of: "double" },
  ],
  [
    "an object that takes nothing",
    { type: "object", properties: {}, additionalProperties: false },
    { kind: "object", members: {}, others: "none" },
  ],
  ["members without a type", { properties: { a: { type: "string" } } }, object({ a: "string" })],
  [
    "closed members",
    { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
    { kind: "object", members: { a: "string" }, others: "none" },
  ],
  [
    "open members",
    { type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "integer" } },
    { kind: "object", members: { a: "string" }, others: { of: "int" } },
  ],
  [
    "members by pattern",
    { type: "object", properties: { a: {} }, patternProperties: { "^x": {} }, additionalProperties: false },
    { kind: "object", members: { a: "dyn" }, others: { of: "dyn" } },
  ],
  [
    "a local reference (2020-12)",
    { type: "object", properties: { a: { $ref: "#/$defs/A" } }, $defs: { A: { type: "integer" } } },
    object({ a: "int" }),
  ],
  [
    "a local reference (draft-07) with escapes",
    { properties: { a: { $ref: "#/definitions/x~1y%20z" } }, definitions: { "x/y z": { type: "boolean" } } },
    object({ a: "bool" }),
  ],
  [
    "a reference with a description",
    { properties: { a: { $ref: "#/$defs/A", description: "…" } }, $defs: { A: { type: "integer" } } },
    object({ a: "int" }),
  ],
  [
    "a reference with more beside it",
    { properties: { a: { $ref: "#/$defs/A", minimum: 3 } }, $defs: { A: { type: "integer" } } },
    object({ a: "dyn" }),
  ],
  [
    "a reference to elsewhere",
    { properties: { a: { $ref: "https://x.test/s.json" } } },
    object({ a: "dyn" }),
  ],
  ["a reference to nothing", { properties: { a: { $ref: "#/$defs/A" } } }, object({ a: "dyn" })],
  [
    "a reference to what objects inherit",
    { properties: { a: { $ref: "#/constructor" } } },
    object({ a: "dyn" }),
  ],
  ["a reference to itself", { $ref: "#" }, "dyn"],
];

for (const [what, schema, type] of tables) {
  test(`a schema with ${what} has its type`, () => assert.deepEqual(typeOfSchema(schema), type));
}

test("a schema that holds itself ends, and what repeats is of any type", () => {
  const tree = {
    properties: { name: { type: "string" }, children: { type: "array", items: { $ref: "#" } } },
  };
  const inner = object({ name: "string", children: { kind: "list", of: "dyn" } });
  assert.deepEqual(typeOfSchema(tree), object({ name: "string", children: { kind: "list", of: inner } }));
});

test("a schema that doubles with every reference is read up to a bound", () => {
  const definitions = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => [
      `d${at}`,
      {
        type: "object",
        properties: { l: { $ref: `#/$defs/d${at + 1}` }, r: { $ref: `#/$defs/d${at + 1}` } },
      },
    ]),
  );
  const parts =
    JSON.stringify(typeOfSchema({ $ref: "#/$defs/d0", $defs: definitions })).match(/"kind"/g) ?? [];
  assert.ok(parts.length > 10 && parts.length <= 2000, String(parts.length));
});

test("no schema makes it throw", () => {
  const keyword = fc.constantFrom(
    "type",
    "properties",
    "items",
    "anyOf",
    "$ref",
    "enum",
    "const",
    "additionalProperties",
  );
  const { schema } = fc.letrec((tie) => ({
    schema: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>("string", "object", "array", "#", "#/properties/a", null, true, 1, []),
      fc.dictionary(keyword, tie("schema"), { maxKeys: 4 }),
      fc.array(tie("schema"), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(schema, (each) => {
      const compiled = compileCondition('args == "x"', { args: typeOfSchema(each) });
      assert.ok(["condition", "mistake"].includes(compiled.kind));
    }),
    { numRuns: 500 },
  );
});
