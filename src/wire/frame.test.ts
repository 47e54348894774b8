/** MCP messages: what each kind and era is read as, and what is no message. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Frame, readFrame } from "./frame.ts";

const read = (text: string): Frame => readFrame(utf8(text));
const textOf = (frame: Frame, span: { readonly start: number; readonly end: number } | undefined): string =>
  span === undefined ? "" : new TextDecoder().decode(frame.bytes.subarray(span.start, span.end));

test("a legacy request: its id, method, name and the place of its arguments", () => {
  const frame = read(
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments": {"to":"x"} }}',
  );
  assert.ok(frame.kind === "request");
  assert.deepEqual(
    [frame.id, frame.method, frame.era, frame.params?.name],
    [1, "tools/call", "legacy", "pay"],
  );
  assert.equal(textOf(frame, frame.params?.arguments), '{"to":"x"}');
});

test("a request is modern when its _meta names the protocol's version", () => {
  const frame = read(
    '{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":7}}}',
  );
  assert.ok(frame.kind === "request");
  assert.deepEqual(
    [frame.era, frame.params?.meta?.protocolVersion, frame.params?.meta?.progressToken],
    ["modern", "2026-07-28", 7],
  );
});

test("a notification has no id, and a cancellation names the request it is about", () => {
  const frame = read('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"r1"}}');
  assert.equal(frame.kind, "notification");
  assert.ok(frame.kind === "notification");
  assert.equal(frame.params?.requestId, "r1");
});

test("an answer: its result says whether the tool failed, its error has a code", () => {
  const failed = read('{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}');
  assert.ok(failed.kind === "response");
  assert.equal(failed.result?.isError, true);
  const error = read('{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}}');
  assert.ok(error.kind === "response");
  assert.deepEqual([error.id, error.error?.code], [null, -32601]);
});

test("an escaped name is read as the server will read it", () => {
  const frame = read('{"jsonrpc":"2.0","id":1,"method":"tools\\/call","params":{"name":"p\\u0061y"}}');
  assert.ok(frame.kind === "request");
  assert.deepEqual([frame.method, frame.params?.name], ["tools/call", "pay"]);
});

const noMessages: readonly (readonly [string, string])[] = [
  ["a batch", '[{"jsonrpc":"2.0","id":1,"method":"ping"}]'],
  ["text", '"ping"'],
  ["null", "null"],
  ["no version", '{"id":1,"method":"ping"}'],
  ["another version", '{"jsonrpc":"1.0","id":1,"method":"ping"}'],
  ["the version as a number", '{"jsonrpc":2.0,"id":1,"method":"ping"}'],
  ["neither method nor result", '{"jsonrpc":"2.0","id":1}'],
  ["a method and a result", '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}'],
  ["a result and an error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}'],
  ["a null id in a request", '{"jsonrpc":"2.0","id":null,"method":"ping"}'],
  ["a fraction as id", '{"jsonrpc":"2.0","id":1.5,"method":"ping"}'],
  ["an id beyond what doubles hold exactly", '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}'],
  ["an object as id", '{"jsonrpc":"2.0","id":{},"method":"ping"}'],
  ["params that are a list", '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}'],
  ["a result that is text", '{"jsonrpc":"2.0","id":1,"result":"ok"}'],
  ["an error without a code", '{"jsonrpc":"2.0","id":1,"error":{"message":"no"}}'],
  ["a method as long as a book", `{"jsonrpc":"2.0","id":1,"method":"${"x".repeat(300)}"}`],
  [
    "a name as long as a book",
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${"x".repeat(9000)}"}}`,
  ],
  ["a second method in another case", '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}'],
  [
    "a second name in another case",
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}',
  ],
];
for (const [what, text] of noMessages) {
  test(`${what} is refused as no message`, () => {
    assert.throws(
      () => read(text),
      (error: unknown) => error instanceof Refusal && error.code === "bad_message",
    );
  });
}

test("whatever the bytes, the answer is a frame or a refusal", () => {
  const words = [
    '{"jsonrpc":"2.0"',
    ',"id":1',
    ',"method":"a"',
    ',"params":{',
    '"name":"x"',
    "}",
    ',"result":{}',
    ',"error":{"code":1}',
  ];
  const soup = fc.array(fc.constantFrom(...words), { maxLength: 10 }).map((parts) => utf8(parts.join("")));
  fc.assert(
    fc.property(fc.oneof(soup, fc.uint8Array()), (bytes) => {
      try {
        assert.equal(readFrame(bytes).bytes, bytes);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
