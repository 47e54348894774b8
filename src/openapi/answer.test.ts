/** What became of an answer: its content, its structure, and errors an agent can act on. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { problemText, resourceContents, toolResult } from "./answer.ts";
import { apiServer } from "./api-server.ts";
import { readDocument } from "./read-document.ts";
import type { ApiTool } from "./tools-from-openapi.ts";

function toolWith(schema?: object): ApiTool {
  const content = schema && { content: { "application/json": { schema } } };
  const document = {
    openapi: "3.1.0",
    info: {},
    paths: { "/a": { get: { responses: { 200: { ...content } } } } },
  };
  const [tool] = apiServer(readDocument(JSON.stringify(document), "api.json")).tools.values();
  return tool ?? assert.fail("no tool");
}

const answer = (status: number, contentType: string, body: string) => ({
  status,
  contentType,
  body: utf8(body),
});
const undeclared = toolWith();
const object = toolWith({ type: "object" });
const list = toolWith({ type: "array" });

for (const [what, tool, given, expected] of [
  [
    "an object",
    object,
    answer(200, "application/json; charset=utf-8", '{"a":1}'),
    { content: [{ type: "text", text: '{"a":1}' }], structuredContent: { a: 1 } },
  ],
  [
    "a list where one is declared",
    list,
    answer(200, "application/json", "[1]"),
    { content: [{ type: "text", text: "[1]" }], structuredContent: { answer: [1] } },
  ],
  [
    "a list where nothing is declared",
    undeclared,
    answer(200, "application/json", "[1]"),
    { content: [{ type: "text", text: "[1]" }] },
  ],
  ["nothing", undeclared, answer(204, "", ""), { content: [{ type: "text", text: "Done (status 204)." }] }],
  ["a text", undeclared, answer(200, "text/html", "<p>"), { content: [{ type: "text", text: "<p>" }] }],
  [
    "a picture",
    undeclared,
    answer(200, "image/png", "P"),
    { content: [{ type: "image", data: "UA==", mimeType: "image/png" }] },
  ],
  [
    "a file",
    undeclared,
    answer(200, "application/zip", "P"),
    { content: [{ type: "resource", resource: { uri: "u", mimeType: "application/zip", blob: "UA==" } }] },
  ],
] as const) {
  test(`${what} is given as what it is`, () => assert.deepEqual(toolResult(tool, given, "u"), expected));
}

for (const [what, tool, given, expected] of [
  [
    "nothing where JSON is declared",
    object,
    answer(204, "", ""),
    /carried it out \(status 204\), and answered with nothing/,
  ],
  [
    "a list where an object is declared",
    object,
    answer(200, "application/json", "[1]"),
    /JSON that isn't an object/,
  ],
  ["a redirect", undeclared, answer(302, "", ""), /status 302, which leads elsewhere; it wasn't followed/],
  [
    "a problem",
    undeclared,
    answer(422, "application/problem+json", '{"title":"No","detail":"n is 3"}'),
    /^The API answered with status 422 \(invalid arguments\): No: n is 3$/,
  ],
  [
    "an error of a usual form",
    undeclared,
    answer(400, "application/json", '{"error":{"code":"E1","message":"bad n"}}'),
    /: E1: bad n$/,
  ],
  [
    "a page of HTML",
    undeclared,
    answer(500, "text/html", "<h1>stack trace</h1>"),
    /^The API answered with status 500 \(an error of the API's own\)\.$/,
  ],
] as const) {
  test(`${what} is an error that says what happened`, () => {
    const result = toolResult(tool, given, "u");
    assert.equal(result["isError"], true);
    assert.match(
      JSON.stringify((result["content"] as readonly { text: string }[])[0]?.text).slice(1, -1),
      expected,
    );
  });
}

test("what an API says of an error is bounded", () => {
  const said = problemText(
    answer(400, "application/json", JSON.stringify({ title: "t".repeat(1e6), detail: "d".repeat(1e6) })),
  );
  assert.ok(said.length < 1500, String(said.length));
});

test("bytes that are no text are given as base64, whatever their type says", () => {
  const given = { status: 200, contentType: "text/plain", body: new Uint8Array([0xff]) };
  assert.deepEqual(resourceContents("u", given), { uri: "u", mimeType: "text/plain", blob: "/w==" });
});
