import assert from "node:assert/strict";
import { test } from "node:test";

import { answerTexts } from "./answer-texts.ts";

const at = (message: unknown): readonly string[] =>
  answerTexts(message).map((each) => `${each.at}=${each.text}`);

test("what a tool, a resource, a prompt and a question say is found with its place", () => {
  assert.deepEqual(
    at({
      result: {
        content: [
          { type: "text", text: "a" },
          { type: "image", data: "x" },
          { type: "resource", resource: { uri: "u", text: "b" } },
          { type: "resource_link", uri: "u", description: "c" },
        ],
        structuredContent: { twice: "a" },
      },
    }),
    ["result.content.0.text=a", "result.content.2.resource.text=b", "result.content.3.description=c"],
  );
  assert.deepEqual(at({ result: { contents: [{ uri: "u", text: "d" }] } }), ["result.contents.0.text=d"]);
  assert.deepEqual(at({ result: { messages: [{ role: "user", content: { type: "text", text: "e" } }] } }), [
    "result.messages.0.content.text=e",
  ]);
  assert.deepEqual(
    at({ result: { inputRequests: { k: { method: "elicitation/create", params: { message: "f" } } } } }),
    ["result.inputRequests.k.params.message=f"],
  );
  assert.deepEqual(at({ params: { systemPrompt: "g", messages: [{ content: [{ text: "h" }] }] } }), [
    "params.systemPrompt=g",
    "params.messages.0.content.0.text=h",
  ]);
  assert.deepEqual(at({ error: { message: "i" } }), ["error.message=i"]);
});

test("structured content counts where nothing else says it", () => {
  assert.deepEqual(at({ result: { content: [], structuredContent: { a: 1 } } }), [
    'result.structuredContent={"a":1}',
  ]);
});

test("what is anything else says nothing, and no answer says more than the bound", () => {
  for (const odd of [undefined, null, 7, "x", [], { result: [] }, { result: { content: "x", messages: 7 } }])
    assert.deepEqual(at(odd), []);
  const long = { result: { content: Array.from({ length: 1000 }, () => ({ text: "x".repeat(1000) })) } };
  const said = answerTexts(long);
  assert.equal(
    said.reduce((sum, { text }) => sum + text.length, 0),
    128 * 1024,
  );
  assert.ok(said.length <= 256);
});
