import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";
import { errorAnswer, legacyAnswer, resultAnswer } from "./legacy-answer.ts";

function response(text: string): ResponseFrame {
  const frame = tryReadFrame(utf8(text));
  assert.equal(frame?.kind, "response");
  return frame;
}

for (const [said, id, told] of [
  ['{"jsonrpc":"2.0","id":1,"result":{}}', 1, '{"jsonrpc":"2.0","id":1,"result":{}}'],
  ['{"id":1,"jsonrpc":"2.0","result":{"resultType":"complete"}}', 1, '{"id":1,"jsonrpc":"2.0","result":{}}'],
  [
    '{"jsonrpc":"2.0","id":1,"result":{"ttlMs":1,"a":1.0, "cacheScope":"public","resultType":"complete"}}',
    1,
    '{"jsonrpc":"2.0","id":1,"result":{"a":1.0}}',
  ],
  [
    '{"jsonrpc":"2.0","id":1,"result":{"a":{"ttlMs":1,"resultType":"x"},"_meta":{"cacheScope":1}}}',
    1,
    '{"jsonrpc":"2.0","id":1,"result":{"a":{"ttlMs":1,"resultType":"x"},"_meta":{"cacheScope":1}}}',
  ],
  [
    '{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","b":1,"resultType":"complete"}}',
    1,
    '{"jsonrpc":"2.0","id":1,"result":{"b":1}}',
  ],
  ['{"jsonrpc":"2.0","id":"own","result":{"a":1}}', 5, '{"jsonrpc":"2.0","id":5,"result":{"a":1}}'],
  ['{"jsonrpc":"2.0","id":"5","result":{}}', 5, '{"jsonrpc":"2.0","id":5,"result":{}}'],
  [
    '{"jsonrpc":"2.0","error":{"code":-32021,"message":"m","data":{"resultType":1.0}},"id":null}',
    "x",
    '{"jsonrpc":"2.0","error":{"code":-32021,"message":"m","data":{"resultType":1.0}},"id":"x"}',
  ],
] as const) {
  test(`${said} is told as ${told}`, () => {
    const answer = legacyAnswer(response(said), id);
    assert.equal(fromUtf8(answer.bytes), told);
    assert.equal(answer.id, id);
  });
}

test("what needs no change is the same", () => {
  const said = response('{"jsonrpc":"2.0","id":1,"result":{"a":1}}');
  assert.equal(legacyAnswer(said, 1), said);
});

test("answers of a bridge's own", () => {
  assert.equal(fromUtf8(resultAnswer("a", {}).bytes), '{"jsonrpc":"2.0","id":"a","result":{}}');
  assert.deepEqual(errorAnswer(1, -32602, "m").error?.code, -32602);
});
