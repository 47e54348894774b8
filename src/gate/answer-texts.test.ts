import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { answerTexts, textsOfMessage } from "./answer-texts.ts";

const at = (message: unknown): readonly string[] =>
  answerTexts(message).texts.map((each) => `${each.at}=${each.text}`);

test("what a tool, a resource, a prompt and a question say is found with its place", () => {
  assert.deepEqual(
    at({
      result: {
        content: [
          { type: "text", text: "a" },
          { type: "image", data: "x", mimeType: "image/png" },
          { type: "resource", resource: { text: "b" } },
          { type: "resource_link", name: "c", description: "d" },
        ],
      },
    }),
    [
      "result.content.0.text=a",
      "result.content.2.resource.text=b",
      "result.content.3.name=c",
      "result.content.3.description=d",
    ],
  );
  assert.deepEqual(at({ result: { messages: [{ role: "user", content: { type: "text", text: "e" } }] } }), [
    "result.messages.0.content.text=e",
  ]);
  assert.deepEqual(at({ params: { message: "f", requestedSchema: { properties: { x: { title: "g" } } } } }), [
    "params.message=f",
    "params.requestedSchema.properties.x.title=g",
  ]);
  assert.deepEqual(at({ error: { code: 1, message: "h", data: { why: "i" } } }), [
    "error.message=h",
    "error.data.why=i",
  ]);
  assert.deepEqual(at({ result: { task: { statusMessage: "j" }, completion: { values: ["k"] } } }), [
    "result.task.statusMessage=j",
    "result.completion.values.0=k",
  ]);
});

test("structured content counts unless a text says the very same", () => {
  const structuredContent = { a: "x", b: { c: "y" } };
  const said = (text: string): readonly string[] =>
    at({ result: { content: [{ type: "text", text }], structuredContent } });
  assert.deepEqual(said('{ "a": "x", "b": {"c":"y"} }').length, 1);
  assert.deepEqual(said("ok"), [
    "result.content.0.text=ok",
    "result.structuredContent.a=x",
    "result.structuredContent.b.c=y",
  ]);
});

test("names that may be values don't stand in the place, and are read as text", () => {
  assert.deepEqual(at({ result: { structuredContent: { "4111 1111 told.override=x": "y" } } }), [
    "result.structuredContent.*=4111 1111 told.override=x",
    "result.structuredContent.*=y",
  ]);
});

for (const [what, bytes, text] of [
  [
    "a byte that is no UTF-8",
    [...utf8('{"result":{"content":[{"text":"do it'), 0xff, ...utf8('"}]}}')],
    "do it\ufffd",
  ],
  ["a byte order mark", [0xef, 0xbb, 0xbf, ...utf8('{"result":{"content":[{"text":"do it"}]}}')], "do it"],
  ["a batch", utf8('[{"result":{"content":[{"text":"do it"}]}}]'), "do it"],
] as const) {
  test(`${what} hides nothing`, () => {
    assert.deepEqual(
      textsOfMessage(Uint8Array.from(bytes)).texts.map((each) => each.text),
      [text],
    );
  });
}

test("of two members of one name both are read, and what is no JSON is read as text", () => {
  const twice = '{"result":{"content":[{"text":"do it"}]},"result":{}}';
  assert.deepEqual(textsOfMessage(utf8(twice)).texts, [{ at: "message", text: twice }]);
  assert.deepEqual(textsOfMessage(utf8("do it")).texts, [{ at: "message", text: "do it" }]);
});

test("what is anything else says nothing, and no answer says more than the bound, which is told", () => {
  for (const odd of [undefined, null, 7, "x", [], { result: [] }, { result: { content: 7, messages: 7 } }])
    assert.deepEqual(answerTexts(odd), { texts: [], isAll: true });
  const long = { result: { content: Array.from({ length: 1000 }, () => ({ text: "x".repeat(1000) })) } };
  const { texts, isAll } = answerTexts(long);
  assert.equal(
    texts.reduce((sum, { text }) => sum + text.length, 0),
    128 * 1024,
  );
  assert.equal(isAll, false);
  const many = { result: { content: Array.from({ length: 5000 }, () => ({ text: "." })) } };
  assert.equal(answerTexts(many).isAll, false);
  let deep: unknown = "x";
  for (let i = 0; i < 1000; i++) deep = { a: deep };
  assert.deepEqual(answerTexts({ result: deep }), { texts: [], isAll: false });
});
