/** What a message's digest covers: everything but what hops may change. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { bodyDigest } from "./message-digest.ts";

const digest = (text: string): string | undefined => bodyDigest(utf8(text));
const call =
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"to":"x"},"_meta":{"a":1}}}';

test("the digest is SHA-256 over the canonical form", () => {
  assert.equal(
    digest('{"id":1,"method":"ping","jsonrpc":"2.0"}'),
    // printf '{"jsonrpc":"2.0","method":"ping"}' | openssl sha256 -binary | basenc --base64url
    "sha-256:hUZWCKM6Wm_OXaTAHYIE2KwDiV9c974THa00JFoBNlc",
  );
});

for (const [what, other] of [
  ["its id", call.replace('"id":1', '"id":"another"')],
  [
    "the order of its members",
    `{"params":{"arguments":{"to":"x"},"_meta":{"a":1},"name":"pay"},"method":"tools/call","jsonrpc":"2.0","id":1}`,
  ],
  ["a progress token", call.replace('"a":1', '"a":1,"progressToken":"p"')],
  ["a trace", call.replace('"a":1', '"traceparent":"00-1-2-01","tracestate":"a=b","baggage":"c=d","a":1')],
  ["a subscription's id", call.replace('"a":1', '"io.modelcontextprotocol/subscriptionId":7,"a":1')],
  ["a wish for a receipt", call.replace('"a":1', '"dev.latticegate/receipt":{},"a":1')],
  ["what its client is told", call.replace('"a":1', '"dev.latticegate/answer":{},"a":1')],
  ["a signature", call.replace('"a":1', '"dev.latticegate/sig":{"v":1},"a":1')],
] as const) {
  test(`hops may change ${what}`, () => assert.equal(digest(other), digest(call)));
}

for (const [what, other] of [
  ["its method", call.replace("tools/call", "tools/get")],
  ["a name", call.replace("pay", "pax")],
  ["an argument", call.replace('"x"', '"y"')],
  ["a member of _meta", call.replace('"a":1', '"a":2')],
  ["one more member of _meta", call.replace('"a":1', '"a":1,"b":1')],
  ["a token among the arguments", call.replace('"to":"x"', '"to":"x","progressToken":1')],
  ["an id among the arguments", call.replace('"to":"x"', '"to":"x","id":1')],
  ["its version", call.replace("2.0", "2.1")],
] as const) {
  test(`hops may not change ${what}`, () => assert.notEqual(digest(other), digest(call)));
}

for (const [what, a, b] of [
  ["an answer's id", '{"id":1,"result":{"content":[]}}', '{"id":"x","result":{"content":[]}}'],
  ["an answer's receipt", '{"result":{"_meta":{"dev.latticegate/receipt":{"index":1}}}}', '{"result":{}}'],
  ["an empty _meta, empty params", '{"method":"m"}', '{"method":"m","params":{"_meta":{}}}'],
  [
    "an offer",
    '{"params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"extensions":{"dev.latticegate/message-signature":{"v":1}}}}}}',
    '{"params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}}',
  ],
  [
    "an announcement",
    '{"result":{"capabilities":{"extensions":{"dev.latticegate/message-signature":{}},"tools":{}}}}',
    '{"result":{"capabilities":{"tools":{}}}}',
  ],
  [
    "an error's signature",
    '{"error":{"code":1,"message":"m","data":{"dev.latticegate/sig":{"v":1}}}}',
    '{"error":{"code":1,"message":"m"}}',
  ],
] as const) {
  test(`the digest is without ${what}`, () => assert.equal(digest(a), digest(b)));
}

for (const [what, a, b] of [
  ["a result's content", '{"result":{"content":[1]}}', '{"result":{"content":[2]}}'],
  ["an error's code", '{"error":{"code":1,"message":"m"}}', '{"error":{"code":2,"message":"m"}}'],
  ["an error's data", '{"error":{"code":1,"data":{"a":1}}}', '{"error":{"code":1,"data":{"a":2}}}'],
  [
    "other extensions",
    '{"result":{"capabilities":{"extensions":{"a/b":{}}}}}',
    '{"result":{"capabilities":{}}}',
  ],
  ["integers beyond a double", '{"result":{"a":9007199254740993}}', '{"result":{"a":9007199254740992}}'],
  ["the sign of zero", '{"result":{"a":-0}}', '{"result":{"a":0}}'],
  ["lone surrogates", '{"result":{"a":"\\ud800"}}', '{"result":{"a":"\\ud801"}}'],
] as const) {
  test(`the digest tells ${what} apart`, () => assert.notEqual(digest(a), digest(b)));
}

test("a member that comes twice can't be signed, wherever", () => {
  assert.equal(digest('{"result":{"a":1,"a":1}}'), undefined);
  assert.equal(digest('{"result":{"_meta":{"dev.latticegate/sig":1,"dev.latticegate/sig":1}}}'), undefined);
  assert.equal(digest('{"result":{},"result":{"a":1}}'), undefined);
});
