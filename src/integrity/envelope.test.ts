/** Signatures and offers on the wire: put in and taken out again, to the byte. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { frameOf } from "../../test/support/message-ends.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { edited, removals } from "../wire/json-edit.ts";
import { type Envelope, envelopeEdits, envelopePlace, envelopeRemovals, readEnvelope } from "./envelope.ts";
import { offerEdits, offerIn } from "./extension-offer.ts";
import { bodyDigest } from "./message-digest.ts";

const direct: Envelope = {
  kind: "direct",
  jws: { protected: "aGVhZA", payload: "cGF5bG9hZA", signature: "c2lnbmF0dXJl" },
};
const promise: Envelope = {
  kind: "promise",
  payload: "cGF5bG9hZA",
  batch: "AAAAAAAAAAAAAAAAAAAAAA",
  seq: 17,
};

function put(message: Uint8Array, envelope: Envelope): Uint8Array {
  const frame = frameOf(message);
  const edits = envelopeEdits(frame, envelope);
  assert.ok(edits);
  return edited(message, [...offerEdits(frame), ...edits]);
}

function takenOut(message: Uint8Array): Uint8Array {
  const frame = frameOf(message);
  return edited(message, removals(message, [...envelopeRemovals(frame), ...offerIn(frame).removals]));
}

const sig = '"dev.latticegate/sig":{"v":1,"payload":"cGF5bG9hZA","batch":"AAAAAAAAAAAAAAAAAAAAAA","seq":17';
for (const [what, before, after] of [
  [
    "in front of the others of _meta",
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ "a":1.0}}}',
    `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{${sig}}, "a":1.0}}}`,
  ],
  [
    "into an empty _meta",
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ }}}',
    `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{${sig}} }}}`,
  ],
  [
    "into params without _meta, which it says",
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{ "a":1}}',
    `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{${sig},"own":true}}, "a":1}}`,
  ],
  [
    "into a request without params, which it says",
    ' {"jsonrpc":"2.0","id":1,"method":"m"}',
    ` {"params":{"_meta":{${sig},"own":"params"}}},"jsonrpc":"2.0","id":1,"method":"m"}`,
  ],
  [
    "into a result without _meta",
    '{"jsonrpc":"2.0","id":1,"result":{}}',
    `{"jsonrpc":"2.0","id":1,"result":{"_meta":{${sig},"own":true}}}}`,
  ],
  [
    "into an error's data",
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"a":[]}}}',
    `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{${sig}},"a":[]}}}`,
  ],
  [
    "into an error without data, which it says",
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}',
    `{"jsonrpc":"2.0","id":1,"error":{"data":{${sig},"own":true}},"code":1,"message":"m"}}`,
  ],
] as const) {
  test(`a signature is put ${what}, and taken out`, () => {
    const signed = put(utf8(before), promise);
    assert.equal(fromUtf8(signed), after);
    assert.equal(fromUtf8(takenOut(signed)), before);
    assert.equal(bodyDigest(signed), bodyDigest(utf8(before)));
  });
}

for (const [what, text] of [
  ["_meta is no object", '{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":null}}'],
  ["a result's _meta is no object", '{"jsonrpc":"2.0","id":1,"result":{"_meta":[]}}'],
  ["there is one", '{"jsonrpc":"2.0","id":1,"result":{"_meta":{"dev.latticegate/sig":7}}}'],
  ["an error's data is no object", '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":"d"}}'],
  [
    "an error's data is MCP's own",
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"m","data":{}}}',
  ],
] as const) {
  test(`there is no place for a signature where ${what}`, () => {
    assert.equal(envelopeEdits(frameOf(text), direct), undefined);
  });
}

for (const envelope of [direct, promise]) {
  test(`what is put in is read again: ${envelope.kind}`, () => {
    const frame = frameOf(put(utf8('{"jsonrpc":"2.0","id":1,"method":"m"}'), envelope));
    const place = envelopePlace(frame);
    assert.deepEqual(place && readEnvelope(frame.bytes, place), envelope);
  });
}

for (const [what, value] of [
  ["another version", '{"v":2,"payload":"cA","batch":"AAAAAAAAAAAAAAAAAAAAAA","seq":1}'],
  ["no version", '{"payload":"cA","batch":"AAAAAAAAAAAAAAAAAAAAAA","seq":1}'],
  ["a number that is none", '{"v":1,"payload":"cA","batch":"AAAAAAAAAAAAAAAAAAAAAA","seq":-1}'],
  ["a batch of another length", '{"v":1,"payload":"cA","batch":"AAAA","seq":1}'],
  ["a signature that is no text", '{"v":1,"jws":{"protected":"a","payload":"b","signature":1}}'],
  [
    "a payload beyond all bounds",
    `{"v":1,"payload":"${"A".repeat(60_000)}","batch":"AAAAAAAAAAAAAAAAAAAAAA","seq":1}`,
  ],
  ["no object", "[1]"],
  ["a text", '"sig"'],
] as const) {
  test(`a signature isn't read if it has ${what}`, () => {
    const frame = frameOf(`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"dev.latticegate/sig":${value}}}}`);
    const place = envelopePlace(frame);
    assert.ok(place);
    assert.equal(readEnvelope(frame.bytes, place), undefined);
  });
}

test("what came into a _meta that was made for the signature stays", () => {
  const signed = fromUtf8(put(utf8('{"jsonrpc":"2.0","id":1,"result":{}}'), promise)) ?? "";
  for (const [before, after] of [
    ['"_meta":{', '"_meta":{"r":1,'],
    ['"own":true}', '"own":true},"r":1'],
  ] as const) {
    const added = signed.replace(before, after);
    assert.equal(fromUtf8(takenOut(utf8(added))), '{"jsonrpc":"2.0","id":1,"result":{"_meta":{"r":1}}}');
  }
});

test("a signature that comes twice goes twice", () => {
  const twice =
    '{"jsonrpc":"2.0","id":1,"result":{"_meta":{"dev.latticegate/sig":1,"a":2,"dev.latticegate/sig":{}}}}';
  assert.equal(fromUtf8(takenOut(utf8(twice))), '{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":2}}}');
});

/** Objects as texts, with space between. */
const space = fc.constantFrom("", " ", "\n", "\t ");
const scalar = fc.constantFrom("1", "1.0", "null", '"x"', '"\\u0041"', "{}", '{"b":[1, 2]}', "[]");
const some = (texts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<readonly string[]> =>
  fc
    .tuple(...texts.map((text) => fc.option(text, { nil: "" })))
    .map((all) => all.filter((one) => one !== ""));
const object = (...members: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc
    .tuple(some(members), space, space, fc.boolean())
    .map(([all, a, b, isTurned]) => `{${a}${(isTurned ? all.toReversed() : all).join(`${b},${a}`)}${b}}`);
const member = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(space, value).map(([a, text]) => `"${name}"${a}:${a}${text}`);

const extensions = object(member("x/y", scalar), member("z", scalar));
const capabilities = object(
  member("roots", scalar),
  member("extensions", fc.oneof({ weight: 4, arbitrary: extensions }, scalar)),
  member("experimental", extensions),
);
const meta = object(
  member("a", scalar),
  member("progressToken", fc.constantFrom("1", '"t"')),
  member("io.modelcontextprotocol/protocolVersion", fc.constant('"2026-07-28"')),
  member("io.modelcontextprotocol/clientCapabilities", capabilities),
);
const params = object(
  member("_meta", meta),
  member("arguments", scalar),
  member("capabilities", capabilities),
);
const request = fc
  .tuple(
    fc.constantFrom("initialize", "tools/call", "server/discover"),
    fc.option(params, { nil: "" }),
    space,
  )
  .map(([method, text, a]) => {
    const rest = text === "" ? "" : `,${a}"params":${text}`;
    return `${a}{${a}"jsonrpc":"2.0","id":1,"method":"${method}"${rest}}${a}`;
  });
const answer = fc
  .tuple(
    object(member("_meta", meta), member("content", scalar), member("capabilities", capabilities)),
    space,
  )
  .map(([result, a]) => `{"jsonrpc":"2.0",${a}"id":1,"result":${a}${result}}`);

test("putting a signature and an offer in and taking them out is the identity, and the digest never sees them", () => {
  fc.assert(
    fc.property(fc.oneof(request, answer), fc.constantFrom(direct, promise), (text, envelope) => {
      const before = utf8(text);
      const signed = put(before, envelope);
      assert.ok(envelopePlace(frameOf(signed)));
      assert.equal(fromUtf8(takenOut(signed)), text);
      if (!text.includes('"initialize"')) assert.equal(bodyDigest(signed), bodyDigest(before));
      assert.ok(bodyDigest(before));
    }),
    { numRuns: 1000 },
  );
});
