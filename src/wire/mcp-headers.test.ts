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
