/** The Mcp-* headers: what a client must send, and that they say what the body says. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Frame, readFrame } from "./frame.ts";
import {
  checkHeaders,
  decodeHeaderValue,
  encodeHeaderValue,
  parameterHeaders,
  standardHeaders,
  toolParameterHeaders,
} from "./mcp-headers.ts";

const version = "2026-07-28";
const modern = (method: string, params: object = {}): Frame => {
  const _meta = { "io.modelcontextprotocol/protocolVersion": version };
  return readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } })));
};
const reader = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name];
const good = { "mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": "pay" };
const call = modern("tools/call", { name: "pay", arguments: {} });

test("headers that say what the body says pass, with white space around them too", () => {
  checkHeaders(call, reader(good));
  checkHeaders(call, reader({ ...good, "mcp-name": " pay " }));
  checkHeaders(modern("tools/list"), reader({ "mcp-protocol-version": version, "mcp-method": "tools/list" }));
});

const mismatches: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["another version", { ...good, "mcp-protocol-version": "2025-11-25" }],
  ["no version", { "mcp-method": "tools/call", "mcp-name": "pay" }],
  ["another method", { ...good, "mcp-method": "tools/list" }],
  ["the method in another case", { ...good, "mcp-method": "Tools/Call" }],
  ["another name", { ...good, "mcp-name": "read" }],
  ["no name", { "mcp-protocol-version": version, "mcp-method": "tools/call" }],
  ["a wrapped name that isn't base64", { ...good, "mcp-name": "=?base64?%%%?=" }],
];
for (const [what, headers] of mismatches) {
  test(`${what} in the headers of a modern request is a mismatch`, () => {
    assert.throws(
      () => checkHeaders(call, reader(headers)),
      (error: unknown) => error instanceof Refusal && error.code === "header_mismatch",
    );
  });
}

test("legacy messages and answers have no such headers, whatever else is sent", () => {
  const legacy = readFrame(utf8('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay"}}'));
  checkHeaders(legacy, reader({ "mcp-method": "other" }));
  checkHeaders(readFrame(utf8('{"jsonrpc":"2.0","id":1,"result":{}}')), reader({ "mcp-method": "other" }));
});

test("what standardHeaders writes, checkHeaders accepts, whatever the name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (name) => {
      const frame = modern("tools/call", { name, arguments: {} });
      assert.ok(frame.kind === "request");
      checkHeaders(frame, reader(Object.fromEntries(standardHeaders(frame))));
    }),
  );
});

test("a header value is plain ASCII, and stands for the text it was made of", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "grapheme" }), fc.constant("=?base64?YQ==?="), fc.constant(" a ")),
      (text) => {
        const value = encodeHeaderValue(text);
        assert.match(value, /^[\x20-\x7e]*$/);
        assert.equal(decodeHeaderValue(value), text);
      },
    ),
  );
});

test("arguments that a tool's schema marks travel as headers, with their values", () => {
  const inputSchema = {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      deep: { type: "object", properties: { size: { type: "integer", "x-mcp-header": "Size" } } },
      plain: { type: "string" },
    },
  };
  const marked = toolParameterHeaders({ tools: [{ name: "pay", inputSchema }] }).get("pay");
  assert.deepEqual(marked, [
    { header: "Region", path: ["region"] },
    { header: "Size", path: ["deep", "size"] },
  ]);
  const frame = modern("tools/call", {
    name: "pay",
    arguments: { region: "é", deep: { size: 3 }, plain: "x" },
  });
  assert.ok(frame.kind === "request");
  const sent = Object.fromEntries(standardHeaders(frame, marked));
  assert.equal(decodeHeaderValue(sent["mcp-param-Region"] ?? ""), "é");
  assert.equal(sent["mcp-param-Size"], "3");
});

const badMarks: readonly (readonly [string, object])[] = [
  ["on a number", { a: { type: "number", "x-mcp-header": "A" } }],
  ["on an object", { a: { type: "object", "x-mcp-header": "A" } }],
  ["that is no header name", { a: { type: "string", "x-mcp-header": "A b" } }],
  ["that is empty", { a: { type: "string", "x-mcp-header": "" } }],
  [
    "twice but for case",
    { a: { type: "string", "x-mcp-header": "A" }, b: { type: "string", "x-mcp-header": "a" } },
  ],
];
for (const [what, properties] of badMarks) {
  test(`a mark ${what} makes the schema invalid`, () => {
    assert.equal(parameterHeaders({ type: "object", properties }), "invalid");
  });
}

const named: readonly (readonly [string, object, string | undefined])[] = [
  ["tools/call", { name: "x" }, "x"],
  ["prompts/get", { name: "x" }, "x"],
  ["resources/read", { uri: "file:///x" }, "file:///x"],
  ["tasks/get", { taskId: "t" }, "t"],
  ["tasks/update", { taskId: "t" }, "t"],
  ["tasks/cancel", { taskId: "t" }, "t"],
  ["tools/list", { name: "x", uri: "y", taskId: "z" }, undefined],
];
for (const [method, params, name] of named) {
  test(`the name of ${method} is ${name ?? "none"}, as written and as checked`, () => {
    const frame = modern(method, params);
    assert.ok(frame.kind === "request");
    const written = Object.fromEntries(standardHeaders(frame));
    assert.deepEqual(written, {
      "mcp-protocol-version": version,
      "mcp-method": method,
      ...(name !== undefined && { "mcp-name": name }),
    });
    checkHeaders(frame, reader(written));
    if (name === undefined) return;
    assert.throws(() => checkHeaders(frame, reader({ ...written, "mcp-name": "other" })), Refusal);
  });
}

test("white space around any header is the transport's, within a wrapped name it is the name's", () => {
  const spaced = Object.fromEntries(Object.entries(good).map(([name, value]) => [name, ` ${value}\t`]));
  checkHeaders(call, reader(spaced));
  const wrapped = encodeHeaderValue(" pay ");
  assert.throws(() => checkHeaders(call, reader({ ...good, "mcp-name": wrapped })), Refusal);
  checkHeaders(modern("tools/call", { name: " pay " }), reader({ ...good, "mcp-name": ` ${wrapped} ` }));
});

test("a legacy message has no headers to send, and a notification's are never checked", () => {
  const legacy = readFrame(utf8('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay"}}'));
  assert.ok(legacy.kind === "request");
  assert.deepEqual(standardHeaders(legacy), []);
  const told = readFrame(
    utf8(
      '{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v"}}}',
    ),
  );
  checkHeaders(told, () => undefined);
  assert.ok(told.kind === "notification");
  assert.deepEqual(standardHeaders(told), [
    ["mcp-protocol-version", "v"],
    ["mcp-method", "notifications/x"],
  ]);
});

test("a mismatch doesn't repeat what was found or expected", () => {
  assert.throws(
    () => checkHeaders(modern("tools/call", { name: "canary1" }), reader({ ...good, "mcp-name": "canary2" })),
    (error: unknown) => error instanceof Refusal && !error.message.includes("canary"),
  );
});

const wrappings: readonly (readonly [string, string | undefined])[] = [
  ["plain", "plain"],
  ["=?base64?YQ==?=", "a"],
  ["=?base64??=", ""],
  ["=?base64?=", "=?base64?="],
  ["=?base64?YQ?=", undefined],
  ["=?base64?YR==?=", undefined],
  ["=?base64?Y Q==?=", undefined],
  ["=?base64?_-8=?=", undefined],
  ["=?base64?/w==?=", undefined],
  ["=?base64?77u/YQ==?=", "\uFEFFa"],
];
for (const [value, text] of wrappings) {
  test(`the header value ${value} stands for ${JSON.stringify(text) ?? "nothing"}`, () => {
    assert.equal(decodeHeaderValue(value), text);
  });
}

test("a value is wrapped only where a header can't hold it as it is", () => {
  for (const plain of ["", "a", "a b", "~!", "=?base64?"]) assert.equal(encodeHeaderValue(plain), plain);
  for (const text of [" a", "a ", "a\n", "\t", "é", "=?base64?YQ==?=", "\u007f"])
    assert.match(encodeHeaderValue(text), /^=\?base64\?.*\?=$/, JSON.stringify(text));
});

test("arguments travel as headers if they are scalars that the message itself holds", () => {
  const marks = ["yes", "no", "gone", "list", "toString"].map((name) => ({ header: name, path: [name] }));
  const deep = { header: "deep", path: ["yes", "deep"] };
  const frame = modern("tools/call", { name: "pay", arguments: { yes: true, no: false, list: [1] } });
  assert.ok(frame.kind === "request");
  assert.deepEqual(standardHeaders(frame, [...marks, deep]).slice(3), [
    ["mcp-param-yes", "true"],
    ["mcp-param-no", "false"],
  ]);
});

test("a tool marked wrongly has no headers, and spoils no other; what is no list of tools has none", () => {
  const inputSchema = { properties: { a: { type: "boolean", "x-mcp-header": "A" } } };
  const wrong = { properties: { a: { type: "number", "x-mcp-header": "A" } } };
  const tools = [{ name: "wrong", inputSchema: wrong }, { name: "bare" }, { name: "right", inputSchema }, 5];
  assert.deepEqual(
    [...toolParameterHeaders({ tools })],
    [
      ["bare", []],
      ["right", [{ header: "A", path: ["a"] }]],
    ],
  );
  for (const none of [undefined, null, 5, {}, { tools: {} }, []])
    assert.equal(toolParameterHeaders(none).size, 0);
});

test("a schema nested without end is read only so deep", () => {
  let schema: object = { type: "string", "x-mcp-header": "Deep" };
  for (let i = 0; i < 100_000; i++) schema = { properties: { a: schema } };
  assert.deepEqual(parameterHeaders(schema), []);
});
