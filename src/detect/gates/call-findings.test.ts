import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { findingsInCall } from "./findings.ts";
import { type Annotations, isDestructive, lookalikesOf } from "./names.ts";
import { checkSchema } from "./schema.ts";

const schema = {
  type: "object",
  required: ["to", "amount"],
  additionalProperties: false,
  properties: {
    to: { type: "string", minLength: 2, maxLength: 10 },
    amount: { type: "number", minimum: 0, exclusiveMaximum: 1000 },
    kind: { enum: ["a", "b"] },
    tags: { type: "array", maxItems: 2, items: { $ref: "#/$defs/tag" } },
    when: { anyOf: [{ type: "integer" }, { type: "null" }] },
    fixed: { const: 1 },
    nested: { allOf: [{ type: "object", required: ["x"] }] },
  },
  $defs: { tag: { type: "string" } },
};

const differing: readonly (readonly [args: unknown, at: string, what: string])[] = [
  [{ to: "ab" }, "arguments", "required"],
  [{ to: 1, amount: 1 }, "arguments.to", "type"],
  [{ to: "a", amount: 1 }, "arguments.to", "minLength"],
  [{ to: "a".repeat(21), amount: 1 }, "arguments.to", "maxLength"],
  [{ to: "ab", amount: -1 }, "arguments.amount", "minimum"],
  [{ to: "ab", amount: 1000 }, "arguments.amount", "exclusiveMaximum"],
  [{ to: "ab", amount: 1, kind: "c" }, "arguments.kind", "enum"],
  [{ to: "ab", amount: 1, tags: ["x", 2] }, "arguments.tags.1", "type"],
  [{ to: "ab", amount: 1, tags: ["x", "y", "z"] }, "arguments.tags", "maxItems"],
  [{ to: "ab", amount: 1, when: 1.5 }, "arguments.when", "anyOf"],
  [{ to: "ab", amount: 1, fixed: 2 }, "arguments.fixed", "const"],
  [{ to: "ab", amount: 1, nested: {} }, "arguments.nested", "required"],
  [{ to: "ab", amount: 1, more: 1 }, "arguments.more", "additionalProperties"],
  [[], "arguments", "type"],
];

for (const [args, at, what] of differing) {
  test(`${JSON.stringify(args)} differs from its schema: ${what}`, () => {
    assert.deepEqual(checkSchema(args, schema, "arguments"), { kind: "differs", at, what });
    const call = { server: "bank", tool: "note", args, inputSchema: schema };
    assert.deepEqual(
      findingsInCall(call).map(({ kind }) => kind),
      ["schema"],
    );
  });
}

test("arguments that a schema allows are nothing, nor are those of a tool without one", () => {
  const args = { to: "ab", amount: 1, kind: "a", tags: ["x"], when: null, fixed: 1, nested: { x: 1 } };
  assert.deepEqual(findingsInCall({ server: "bank", tool: "note", args, inputSchema: schema }), []);
  assert.deepEqual(findingsInCall({ server: "bank", tool: "note", args }), []);
});

test("a schema that refers to itself, is deep, or has a pattern that is a bomb, doesn't hold a call up", () => {
  const loop = { $ref: "#" };
  assert.equal(checkSchema({}, loop, "a").kind, "unread");
  const twice = { anyOf: [{ $ref: "#" }, { $ref: "#" }] };
  assert.equal(checkSchema({}, twice, "a").kind, "unread");
  const bomb = { type: "string", pattern: "^(a+)+$" };
  assert.equal(checkSchema(`${"a".repeat(100)}!`, bomb, "a").kind, "fits");
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`p${i}`, 1]));
  assert.equal(checkSchema(many, { type: "object" }, "a").kind, "unread");
  assert.deepEqual(
    findingsInCall({ server: "s", tool: "note", args: {}, inputSchema: loop }).map(({ kind }) => kind),
    ["unread"],
  );
});

test("whatever the schema is, there is an answer", () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (args, inputSchema) => {
      assert.ok(Array.isArray(findingsInCall({ server: "s", tool: "note", args, inputSchema })));
    }),
  );
});

const tools: readonly (readonly [
  name: string,
  annotations: Annotations | undefined,
  isDestroying: boolean,
])[] = [
  ["delete_file", undefined, true],
  ["deleteFile", undefined, true],
  ["github-remove-repository", undefined, true],
  ["send_money", { destructiveHint: true }, true],
  ["read_file", undefined, false],
  ["get_deleted_files", undefined, false],
  ["list_delete_requests", undefined, false],
  ["delete_draft", { destructiveHint: false }, false],
  ["delete_file", { readOnlyHint: true }, true],
  ["delete_file", { readOnlyHint: true, destructiveHint: false }, true],
  ["search", { readOnlyHint: true, destructiveHint: true }, false],
  ["deletion_report", undefined, false],
];

for (const [name, annotations, isDestroying] of tools) {
  test(`${name} with ${JSON.stringify(annotations)} ${isDestroying ? "can't" : "can"} be undone`, () => {
    assert.equal(isDestructive(name, annotations), isDestroying);
  });
}

test("a destructive call is told until somebody confirmed it", () => {
  const call = { server: "files", tool: "delete_file", args: { path: "a" } };
  assert.deepEqual(
    findingsInCall(call).map(({ kind }) => kind),
    ["destructive"],
  );
  assert.deepEqual(findingsInCall({ ...call, isConfirmed: true }), []);
});

test("a tool that has, or looks like it has, the name of another server's is told", () => {
  const known = lookalikesOf([
    { server: "mail", name: "send_mail" },
    { server: "evil", name: "send-m\u0430il" },
    { server: "files", name: "read_file" },
  ]);
  const kinds = (server: string, tool: string): readonly string[] =>
    findingsInCall({ server, tool, args: {}, tools: known }).map(({ kind }) => kind);
  assert.deepEqual(kinds("evil", "send-m\u0430il"), ["shadowed"]);
  assert.deepEqual(
    kinds("mail", "send_mail"),
    ["shadowed"],
    "one of the two is the other's victim; which, isn't known here",
  );
  assert.deepEqual(kinds("files", "read_file"), []);
});
