/** What goes to a legacy server of a modern request, and what comes back of its answer. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { readFrame, type RequestFrame, type ResponseFrame } from "../../wire/frame.ts";
import { legacyRequest, modernAnswer, progressFor } from "./to-legacy.ts";

const envelope = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`;

const requests = [
  [
    "the envelope goes, and the rest stays as it was written",
    `{"jsonrpc":"2.0", "id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":1.0},"_meta":{${envelope},"acme/k":1}}}`,
    `{"jsonrpc":"2.0", "id":7,"method":"tools/call","params":{"name":"x","arguments":{"n":1.0},"_meta":{"acme/k":1}}}`,
  ],
  [
    "nothing is left of a _meta that was all envelope",
    `{"id":1,"method":"tools/list","params":{"_meta":{${envelope},"io.modelcontextprotocol/logLevel":"info"}},"jsonrpc":"2.0"}`,
    `{"id":7,"method":"tools/list","params":{},"jsonrpc":"2.0"}`,
  ],
  [
    "the progress token is another",
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":"p",${envelope}},"name":"x"}}`,
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"progressToken":8},"name":"x"}}`,
  ],
  [
    "what belongs to earlier rounds goes",
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"inputResponses":{"a":{}},"name":"x","requestState":"s","_meta":{${envelope}}}}`,
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}`,
  ],
] as const;

for (const [what, given, expected] of requests) {
  test(what, () => {
    const sent = legacyRequest(request(given), { id: 7, progressToken: 8 });
    assert.equal(Buffer.from(sent).toString(), expected);
  });
}

const answers = [
  [
    "a result gets its type, and who said it",
    "tools/call",
    `{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`,
    `{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}},"content":[]}}`,
  ],
  [
    "what may be kept says for how long: not at all",
    "tools/list",
    `{"id":7,"result":{"_meta":{"k":1}, "tools":[]},"jsonrpc":"2.0"}`,
    `{"id":"a","result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"},"k":1}, "tools":[]},"jsonrpc":"2.0"}`,
  ],
  [
    "an empty result is an object still",
    "acme/empty",
    `{"jsonrpc":"2.0","id":7,"result":{}}`,
    `{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}}`,
  ],
  [
    "what isn't there has another code now",
    "resources/read",
    `{"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"no"}}`,
    `{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"no"}}`,
  ],
  [
    "other errors have theirs, under the client's id",
    "tools/call",
    `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}`,
    `{"jsonrpc":"2.0","id":"a","error":{"code":-32000,"message":"no"}}`,
  ],
] as const;

for (const [what, method, given, expected] of answers) {
  test(what, () => {
    const told = modernAnswer(response(given), { method, id: "a", serverInfo: '{"name":"s"}' });
    assert.equal(Buffer.from(told).toString(), expected);
  });
}

test("progress is told with the client's own token", () => {
  const given = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":8,"progress":1}}`;
  assert.equal(Buffer.from(progressFor(utf8(given), "mine")).toString(), given.replace(":8", ':"mine"'));
});

function request(text: string): RequestFrame {
  const frame = readFrame(utf8(text));
  return frame.kind === "request" ? frame : assert.fail("no request");
}

function response(text: string): ResponseFrame {
  const frame = readFrame(utf8(text));
  return frame.kind === "response" ? frame : assert.fail("no answer");
}
