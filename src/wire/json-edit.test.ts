import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { withMember, withoutMember } from "./json-edit.ts";

const path = ["result", "_meta", "k/r"];

for (const [what, before, after] of [
  ["into _meta", '{"result":{"_meta":{"a":1.0}}}', '{"result":{"_meta":{"k/r":7,"a":1.0}}}'],
  ["into an empty _meta", '{"result":{"_meta":{ }}}', '{"result":{"_meta":{"k/r":7 }}}'],
  ["without _meta", '{"id":1, "result": {"x":[1]}}', '{"id":1, "result": {"_meta":{"k/r":7},"x":[1]}}'],
  ["into an empty result", '{"result":{\n}}', '{"result":{"_meta":{"k/r":7}\n}}'],
  [
    "in the place of another",
    '{"result":{"_meta":{"k/r" : {"f":"\\""},"a":1}}}',
    '{"result":{"_meta":{"k/r" : 7,"a":1}}}',
  ],
  ["under an escaped name", '{"result":{"_meta":{"k\\u002fr":0}}}', '{"result":{"_meta":{"k\\u002fr":7}}}'],
  ["not into null", '{"result":{"_meta":null}}', '{"result":{"_meta":null}}'],
  ["not into an array", '{"result":{"_meta":[]}}', '{"result":{"_meta":[]}}'],
] as const) {
  test(`a member is put ${what}`, () => {
    assert.equal(fromUtf8(withMember(utf8(before), path, "7")), after);
  });
}

for (const [what, before, after] of [
  ["the only one", '{"result":{"_meta":{ "k/r" : {"a":[1]} }}}', '{"result":{"_meta":{  }}}'],
  ["the first", '{"result":{"_meta":{"k/r":1, "a":2}}}', '{"result":{"_meta":{ "a":2}}}'],
  ["the last", '{"result":{"_meta":{"a":2 , "k/r":"}"}}}', '{"result":{"_meta":{"a":2 }}}'],
  ["one between", '{"result":{"_meta":{"a":2,"k/r":1,"b":3}}}', '{"result":{"_meta":{"a":2,"b":3}}}'],
  ["an escaped one", '{"result":{"_meta":{"a":2,"k\\/r":1}}}', '{"result":{"_meta":{"a":2}}}'],
  ["several", '{"result":{"_meta":{"k/r":1,"a":2,"k/r":3}}}', '{"result":{"_meta":{"a":2}}}'],
  [
    "every one of many",
    `{"result":{"_meta":{"a":2${',"k/r":1'.repeat(40)}}}}`,
    '{"result":{"_meta":{"a":2}}}',
  ],
  [
    "some at the end",
    '{"result":{"_meta":{"k/r":1 , "a":2 , "k/r":1 , "k/r":3}}}',
    '{"result":{"_meta":{ "a":2 }}}',
  ],
  ["nothing but it", '{"result":{"_meta":{"k/r":1 ,"k/r":3}}}', '{"result":{"_meta":{}}}'],
  [
    "of an object that comes twice",
    '{"result":{"_meta":{"k/r":1}},"result":{"_meta":{"k/r":2},"_meta":{"b":1}},"result":7}',
    '{"result":{"_meta":{}},"result":{"_meta":{},"_meta":{"b":1}},"result":7}',
  ],
  ["of each in an array", '[1,{"result":{"_meta":{"k/r":1}}},[]]', '[1,{"result":{"_meta":{}}},[]]'],
  ["none", '{"result":{"x":{"k/r":1}}}', '{"result":{"x":{"k/r":1}}}'],
] as const) {
  test(`a member is taken out: ${what}`, () => {
    assert.equal(fromUtf8(withoutMember(utf8(before), path)), after);
  });
}

test("what is put in is there, what is taken out isn't, and nothing else changed", () => {
  const objects = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(objects, objects, fc.boolean(), (result, meta, isSpaced) => {
      const value = { ...result, _meta: meta };
      const bytes = utf8(JSON.stringify({ result: value }, null, isSpaced ? 1 : undefined));
      const put = withMember(bytes, path, '{"v":1}');
      const expected = { result: { ...value, _meta: { ...meta, "k/r": { v: 1 } } } };
      assert.deepEqual(parsed(put), parsed(utf8(JSON.stringify(expected))));
      const { "k/r": _, ...without } = meta;
      const taken = withoutMember(put, path);
      assert.deepEqual(parsed(taken), parsed(utf8(JSON.stringify({ result: { ...value, _meta: without } }))));
      if (!Object.hasOwn(meta, "k/r")) assert.deepEqual(Buffer.from(taken), Buffer.from(bytes));
    }),
  );
});

function parsed(bytes: Uint8Array): unknown {
  return JSON.parse(fromUtf8(bytes) ?? "");
}
