import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";
import { clientRequest, inputResponses, roundOf } from "./input-rounds.ts";
import { undeclared } from "../questions.ts";
import type { Json } from "../../wire/values.ts";

function round(result: string): ReturnType<typeof roundOf> {
  return roundOf(response(`{"resultType":"input_required",${result}}`));
}

function response(result: string): ResponseFrame {
  return tryReadFrame(utf8(`{"jsonrpc":"2.0","id":1,"result":${result}}`)) as ResponseFrame;
}

test("a round is its questions and its state, as the text they came as", () => {
  const { questions, requestState } = round(
    String.raw`"inputRequests":{"a\"b":{"method":"roots/list"},"c":{"params":{"n":1.0},"method":"sampling/createMessage"}},"requestState":"\u00e9"`,
  );
  assert.deepEqual(questions, [
    { key: 'a"b', method: "roots/list", needs: [["roots"]] },
    { key: "c", method: "sampling/createMessage", params: '{"n":1.0}', needs: [["sampling"]] },
  ]);
  assert.equal(requestState, String.raw`"\u00e9"`);
  assert.deepEqual(round('"requestState":""'), { questions: [], requestState: '""' });
});

for (const bad of [
  '"inputRequests":{}',
  '"inputRequests":[]',
  '"a":1',
  '"requestState":{}',
  '"inputRequests":{"a":1}',
  '"inputRequests":{"a":{}}',
  '"inputRequests":{"a":{"method":"ping","params":{}}}',
  '"inputRequests":{"a":{"method":["roots/list"]}}',
  '"inputRequests":{"a":{"method":"sampling/createMessage","params":1}}',
  `"inputRequests":{${Array.from({ length: 33 }, (_, i) => `"${i}":{"method":"roots/list"}`).join(",")}}`,
]) {
  test(`no round: ${bad.slice(0, 70)}`, () => {
    assert.throws(() => round(bad), { code: "upstream_failed" });
  });
}

const form = { key: "k", method: "elicitation/create", params: "{}", needs: [["elicitation", "form"]] };
const page = { ...form, needs: [["elicitation", "url"]] };
const withTools = { ...form, needs: [["sampling"], ["sampling", "tools"]] };
for (const [question, capabilities, missing] of [
  [form, { elicitation: {} }, undefined],
  [form, { elicitation: { form: {} } }, undefined],
  [form, { elicitation: { form: {}, url: {} } }, undefined],
  [form, { elicitation: { url: {} } }, "elicitation.form"],
  [form, {}, "elicitation.form"],
  [form, { elicitation: true }, "elicitation.form"],
  [form, { elicitation: null }, "elicitation.form"],
  [page, { elicitation: {} }, "elicitation.url"],
  [page, { elicitation: { url: {} } }, undefined],
  [withTools, { sampling: {} }, "sampling.tools"],
  [withTools, { sampling: { tools: {} } }, undefined],
  [withTools, {}, "sampling"],
  [{ ...form, needs: [["roots"]] }, Object.create({ roots: {} }) as object, "roots"],
] as const) {
  test(`a client with ${JSON.stringify(capabilities)}, asked ${JSON.stringify(question.needs)}, lacks ${missing ?? "nothing"}`, () => {
    assert.equal(undeclared(question.needs, capabilities as Json), missing);
  });
}

test("what is needed of a client follows from what is asked", () => {
  const needs = (question: string) => round(`"inputRequests":{"a":${question}}`).questions[0]?.needs;
  assert.deepEqual(needs('{"method":"elicitation/create","params":{}}'), [["elicitation", "form"]]);
  assert.deepEqual(needs('{"method":"elicitation/create","params":{"mode":"url"}}'), [
    ["elicitation", "url"],
  ]);
  assert.deepEqual(needs('{"method":"sampling/createMessage","params":{"tools":[]}}'), [
    ["sampling"],
    ["sampling", "tools"],
  ]);
});

test("a question is a request with its params as they came; a page gets an id if it has none", () => {
  const text = (params: string) => fromUtf8(clientRequest("q.1", { ...form, params }).bytes);
  const head = '{"jsonrpc":"2.0","id":"q.1","method":"elicitation/create","params":';
  assert.equal(text('{"n":1.0, "mode":"form"}'), `${head}{"n":1.0, "mode":"form"}}`);
  assert.equal(text('{"mode":"url"}'), `${head}{"elicitationId":"q.1","mode":"url"}}`);
  assert.equal(text('{"mode":"url","elicitationId":"e"}'), `${head}{"mode":"url","elicitationId":"e"}}`);
  assert.equal(
    fromUtf8(clientRequest("q.2", { key: "k", method: "roots/list", needs: [] }).bytes),
    '{"jsonrpc":"2.0","id":"q.2","method":"roots/list"}',
  );
});

test("answers are brought back under their questions' keys, as the text they came as", () => {
  const { questions } = round(
    String.raw`"inputRequests":{"a\"b":{"method":"roots/list"},"c":{"method":"roots/list"}}`,
  );
  assert.equal(
    inputResponses(questions, [response('{"n": 1.0}'), response('{"é":"\\u00e9"}')]),
    String.raw`{"a\"b":{"n": 1.0},"c":{"é":"\u00e9"}}`,
  );
  assert.equal(inputResponses([], []), undefined);
});
