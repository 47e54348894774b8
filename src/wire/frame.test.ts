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

test("a handshake's version is read, and no other method's", () => {
  const params = '"params":{"protocolVersion":"2025\\u002d11-25"}';
  const versions = ["initialize", "tools/call"].map((method) => {
    const frame = read(`{"jsonrpc":"2.0","id":1,"method":"${method}",${params}}`);
    return frame.kind === "request" ? frame.params?.protocolVersion : "no request";
  });
  assert.deepEqual(versions, ["2025-11-25", undefined]);
});

test("all members of _meta are noted, each at its place", () => {
  const meta = '{"a":1, "x/b" :{"c":[2]},"\\u0063":"d","progressToken":7}';
  for (const text of [
    `{"jsonrpc":"2.0","method":"m","params":{"_meta": ${meta}}}`,
    `{"jsonrpc":"2.0","id":1,"result":{"_meta":${meta}}}`,
  ]) {
    const frame = read(text);
    const found = frame.kind === "response" ? frame.result?.meta : frame.params?.meta;
    const members = [...(found?.members ?? [])].map(([name, place]) => [name, textOf(frame, place)]);
    assert.deepEqual(members, [
      ["a", "1"],
      ["x/b", '{"c":[2]}'],
      ["c", '"d"'],
      ["progressToken", "7"],
    ]);
  }
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
  ["a method that isn't text", '{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"pay"}}'],
  ["a method that is a number", '{"jsonrpc":"2.0","id":1,"method":5}'],
  ["an empty method", '{"jsonrpc":"2.0","id":1,"method":""}'],
  ["a method with a line break", '{"jsonrpc":"2.0","id":1,"method":"a\\r\\nx-evil: 1"}'],
  ["a tool's name in a list", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["delete"]}}'],
  [
    "a resource's address in an object",
    '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":{}}}',
  ],
  [
    "a version that isn't text",
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":20260728}}}',
  ],
  ["an id that rounds to a whole number", '{"jsonrpc":"2.0","id":1.00000000000000000001,"method":"ping"}'],
  ["an id just below what is exact", '{"jsonrpc":"2.0","id":9007199254740991.4,"method":"ping"}'],
  ["an id too small to be anything but zero", '{"jsonrpc":"2.0","id":1e-400,"method":"ping"}'],
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

const isBadMessage = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_message";

test("a batch is told to be one", () => {
  assert.throws(() => read('[{"jsonrpc":"2.0","id":1,"method":"ping"}]'), /batches/);
  assert.throws(() => read(" 5"), /expected a JSON object/);
});

const ids: readonly (readonly [string, string | number | undefined])[] = [
  ['"a"', "a"],
  ['""', ""],
  ['"\\u0061"', "a"],
  ["0", 0],
  ["-7", -7],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["9007199254740992", undefined],
  ["-9007199254740992", undefined],
  ["1.5", undefined],
  ["1e300", undefined],
  ["true", undefined],
  ["[]", undefined],
  ["{}", undefined],
  [`"${"x".repeat(8192)}"`, "x".repeat(8192)],
  [`"${"x".repeat(8193)}"`, undefined],
];
for (const [written, id] of ids) {
  test(`the id ${written.slice(0, 20)} is ${id === undefined ? "refused" : "taken"} in a request and in an answer`, () => {
    for (const rest of ['"method":"ping"', '"result":{}', '"error":{"code":1}']) {
      const text = `{"jsonrpc":"2.0","id":${written},${rest}}`;
      if (id === undefined) assert.throws(() => read(text), isBadMessage, rest);
      else {
        const frame = read(text);
        assert.equal(frame.kind === "notification" ? undefined : frame.id, id);
      }
    }
  });
}

test("an answer may say null as its id, or nothing", () => {
  for (const id of ['"id":null,', ""]) {
    const frame = read(`{"jsonrpc":"2.0",${id}"error":{"code":-32700}}`);
    assert.ok(frame.kind === "response");
    assert.equal(frame.id, null);
  }
});

test("every member that decisions need is read, and its place is that of its value", () => {
  const meta =
    '{"io.modelcontextprotocol/protocolVersion":"v", "progressToken":"t","io.modelcontextprotocol/subscriptionId":5}';
  const params = `{"name":"n","uri":"u:1","taskId":"k","requestId":3,"progressToken":4,"arguments":[1, 2],"_meta":${meta}}`;
  const frame = read(`{"jsonrpc":"2.0","method":"notifications/x","params": ${params} }`);
  assert.ok(frame.kind === "notification");
  const { name, uri, taskId, requestId, progressToken, meta: found } = frame.params ?? {};
  assert.deepEqual([name, uri, taskId, requestId, progressToken], ["n", "u:1", "k", 3, 4]);
  assert.deepEqual([found?.protocolVersion, found?.progressToken, found?.subscriptionId], ["v", "t", 5]);
  assert.equal(frame.era, "modern");
  assert.equal(textOf(frame, frame.params?.span), params);
  assert.equal(textOf(frame, frame.params?.arguments), "[1, 2]");
  assert.equal(textOf(frame, found?.span), meta);
});

test("a result's type, version, subscription and place are read", () => {
  const result =
    '{"resultType":"complete","protocolVersion":"2025-11-25","_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}';
  const frame = read(`{"jsonrpc":"2.0","id":1,"result": ${result} }`);
  assert.ok(frame.kind === "response" && frame.result !== undefined);
  const { resultType, protocolVersion, isError, meta, span } = frame.result;
  assert.deepEqual(
    [resultType, protocolVersion, isError, meta?.subscriptionId],
    ["complete", "2025-11-25", false, "s"],
  );
  assert.equal(textOf(frame, span), result);
});

test("only true makes a result a failure", () => {
  for (const [written, isError] of [
    ["true", true],
    ["false", false],
    ["null", false],
    ['"true"', false],
    ["1", false],
    ["{}", false],
  ] as const) {
    const frame = read(`{"jsonrpc":"2.0","id":1,"result":{"isError":${written}}}`);
    assert.ok(frame.kind === "response");
    assert.equal(frame.result?.isError, isError, written);
  }
});

test("a message without a version is legacy", () => {
  for (const meta of ["[]", "null", "{}"]) {
    const frame = read(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":${meta}}}`);
    assert.ok(frame.kind === "request");
    assert.equal(frame.era, "legacy", meta);
  }
});

test("a method with an error is no message, and neither is an error whose code is no number", () => {
  assert.throws(() => read('{"jsonrpc":"2.0","id":1,"method":"ping","error":{"code":1}}'), isBadMessage);
  for (const error of ['{"code":"1"}', '{"code":null}', "[]", "null"])
    assert.throws(() => read(`{"jsonrpc":"2.0","id":1,"error":${error}}`), isBadMessage, error);
});

test("a method of 256 bytes and a name of 8,192 pass, one more doesn't", () => {
  const call = (method: number, name: number): Frame =>
    read(`{"jsonrpc":"2.0","id":1,"method":"${"m".repeat(method)}","params":{"name":"${"n".repeat(name)}"}}`);
  assert.equal(call(256, 8192).kind, "request");
  assert.throws(() => call(257, 1), isBadMessage);
  assert.throws(() => call(1, 8193), isBadMessage);
});

test("a caller's own bounds are those that count", () => {
  const bytes = utf8('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[]}}');
  assert.equal(readFrame(bytes, { depth: 3, members: 10 }).kind, "request");
  const isBadJson = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_json";
  assert.throws(() => readFrame(bytes, { depth: 2, members: 10 }), isBadJson);
  assert.throws(() => readFrame(bytes, { depth: 3, members: 4 }), isBadJson);
});
