import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame, type RequestFrame } from "../../wire/frame.ts";
import { modernRequest, retryOf, withId } from "./modern-request.ts";
import { envelopeOf } from "../requests.ts";

const envelope = envelopeOf({ capabilities: { roots: {} } }, "info");
const E = JSON.stringify(envelope).slice(1, -1);

function request(text: string): RequestFrame {
  const frame = readFrame(utf8(text));
  assert.equal(frame.kind, "request");
  return frame;
}

const head = '"jsonrpc":"2.0","id":1,"method":"m"';

for (const [what, before, after] of [
  ["without params", `{${head}}`, `{"params":{"_meta":{${E}}},${head}}`],
  ["with empty params", `{${head},"params":{ }}`, `{${head},"params":{"_meta":{${E}} }}`],
  ["with params", `{${head},"params":{"a":1.0}}`, `{${head},"params":{"_meta":{${E}},"a":1.0}}`],
  ["with an empty `_meta`", `{${head},"params":{"_meta":{}}}`, `{${head},"params":{"_meta":{${E}}}}`],
  [
    "with a `_meta` of its own",
    `{${head},"params":{"_meta":{"progressToken":"t","traceparent":"x"},"z":[1e2]}}`,
    `{${head},"params":{"_meta":{${E},"progressToken":"t","traceparent":"x"},"z":[1e2]}}`,
  ],
  [
    "that says the envelope's members itself",
    `{${head},"params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"liar"},"b":2,"io.modelcontextprotocol/logLevel":"debug"}}}`,
    `{${head},"params":{"_meta":{${E},"b":2}}}`,
  ],
  [
    "that says nothing but those",
    `{${head},"params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"liar"}}}}`,
    `{${head},"params":{"_meta":{${E}}}}`,
  ],
] as const) {
  test(`a request ${what} gets the envelope, and stays as it was otherwise`, () => {
    const modern = modernRequest(request(before), envelope);
    assert.equal(fromUtf8(modern.bytes), after);
    assert.equal(modern.era, "modern");
    assert.equal(modern.id, 1);
  });
}

test("a `_meta` that is no object is refused", () => {
  for (const odd of ["1", "null", "[]", '"x"']) {
    const frame = request(`{${head},"params":{"_meta":${odd}}}`);
    assert.throws(() => modernRequest(frame, envelope), { name: Refusal.name, code: "bad_message" });
  }
});

const first = modernRequest(
  request(`{${head},"params":{"requestState":"mine","inputResponses":{"x":1}}}`),
  envelope,
);

test("a retry brings the answers and the state as text, in the place of any that were there", () => {
  const retry = retryOf(first, {
    id: "own",
    inputResponses: '{"a":{"n":1.0}}',
    requestState: String.raw`"\u00e9"`,
  });
  assert.equal(
    fromUtf8(retry.bytes),
    `{"jsonrpc":"2.0","id":"own","method":"m","params":{"_meta":{${E}},"requestState":${String.raw`"\u00e9"`},"inputResponses":{"a":{"n":1.0}}}}`,
  );
});

test("a retry without them has none", () => {
  const retry = retryOf(first, { id: 7 });
  assert.equal(fromUtf8(retry.bytes), `{"jsonrpc":"2.0","id":7,"method":"m","params":{"_meta":{${E}}}}`);
});

test("another id changes nothing else", () => {
  assert.equal(withId(first, "n").id, "n");
  assert.equal(fromUtf8(withId(first, 1).bytes), fromUtf8(first.bytes));
});
