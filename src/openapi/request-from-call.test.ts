/** Where arguments go in a request; and that none gets out of its place. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { fromUtf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { apiServer } from "./api-server.ts";
import { readDocument } from "./read-document.ts";
import { type ApiRequest, requestFromCall } from "./request-from-call.ts";
import type { ApiTool } from "./tools-from-openapi.ts";

function toolOf(path: string, operation: object): ApiTool {
  const document = { openapi: "3.1.0", info: {}, paths: { [path]: { post: operation } } };
  const [tool] = apiServer(readDocument(JSON.stringify(document), "api.json")).tools.values();
  return tool ?? assert.fail("no tool");
}

function asked(tool: ApiTool, args: Readonly<Record<string, unknown>>): ApiRequest {
  return requestFromCall(tool, { args, boundary: "b0" });
}

const color = { blue: "black", list: ["blue", "black", "brown"], object: { R: 100, G: 200, B: 150 } };

/** OpenAPI 3.1 §4.8.12.4, style examples. */
const styles: readonly (readonly [string, string, boolean, keyof typeof color, string])[] = [
  ["path", "matrix", false, "blue", "/x/;color=black"],
  ["path", "matrix", false, "list", "/x/;color=blue,black,brown"],
  ["path", "matrix", false, "object", "/x/;color=R,100,G,200,B,150"],
  ["path", "matrix", true, "list", "/x/;color=blue;color=black;color=brown"],
  ["path", "matrix", true, "object", "/x/;R=100;G=200;B=150"],
  ["path", "label", false, "blue", "/x/.black"],
  ["path", "label", true, "list", "/x/.blue.black.brown"],
  ["path", "label", true, "object", "/x/.R=100.G=200.B=150"],
  ["path", "simple", false, "list", "/x/blue,black,brown"],
  ["path", "simple", false, "object", "/x/R,100,G,200,B,150"],
  ["path", "simple", true, "object", "/x/R=100,G=200,B=150"],
  ["query", "form", false, "blue", "/x?color=black"],
  ["query", "form", false, "list", "/x?color=blue,black,brown"],
  ["query", "form", false, "object", "/x?color=R,100,G,200,B,150"],
  ["query", "form", true, "list", "/x?color=blue&color=black&color=brown"],
  ["query", "form", true, "object", "/x?R=100&G=200&B=150"],
  ["query", "spaceDelimited", false, "list", "/x?color=blue%20black%20brown"],
  ["query", "pipeDelimited", false, "list", "/x?color=blue%7Cblack%7Cbrown"],
  ["query", "deepObject", true, "object", "/x?color[R]=100&color[G]=200&color[B]=150"],
];

for (const [place, style, explode, value, expected] of styles) {
  test(`a parameter in the ${place}, ${style}${explode ? ", exploded" : ""}: ${value}`, () => {
    const parameter = { name: "color", in: place, required: true, style, explode, schema: {} };
    const tool = toolOf(place === "path" ? "/x/{color}" : "/x", { parameters: [parameter] });
    const { target } = asked(tool, { color: color[value] });
    assert.equal(target.replaceAll("%5B", "[").replaceAll("%5D", "]"), expected);
  });
}

const everywhere = toolOf("/v1/{id}/end", {
  parameters: [
    { name: "id", in: "path", required: true, schema: { type: "string" } },
    { name: "q", in: "query", schema: {} },
    { name: "free", in: "query", allowReserved: true, schema: {} },
    { name: "X-Note", in: "header", schema: {} },
    { name: "sid", in: "cookie", schema: {} },
  ],
});

test("whatever an argument says, it stays in its place", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.stringMatching(/^[./\\%&=?#;:@ \r\n-]{1,12}$/),
  );
  fc.assert(
    fc.property(text, text, text, text, (id, q, free, sid) => {
      fc.pre([id, q, free, sid].every((each) => each.isWellFormed()));
      let request: ApiRequest;
      try {
        request = asked(everywhere, { id, q, free, sid, "X-Note": "n" });
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
        return;
      }
      const url = new URL(`https://api.test${request.target}`);
      assert.equal(url.origin, "https://api.test");
      assert.deepEqual(url.pathname.split("/").length, 4, request.target);
      assert.equal(decodeURIComponent(url.pathname.split("/")[2] ?? ""), id);
      assert.equal(url.hash, "");
      assert.deepEqual([...url.searchParams.keys()].toSorted(), ["free", "q"]);
      assert.equal(url.searchParams.get("q"), q);
      const cookie = request.headers.find(([name]) => name === "cookie")?.[1] ?? "";
      assert.match(cookie, /^sid=[^;,\s"\\]*$/);
    }),
  );
});

describe("what can't stand where it would", () => {
  for (const [what, args, because] of [
    ["a path that leads up", { id: ".." }, /argument id can't stand in a path/],
    ["a path that is nothing", { id: "" }, /argument id can't stand in a path/],
    [
      "a header with another in it",
      { id: "a", "X-Note": "a\r\nauthorization: b" },
      /argument X-Note can't stand in a header/,
    ],
    ["a header of 9,000 characters", { id: "a", "X-Note": "x".repeat(9000) }, /argument X-Note/],
    ["a path and query beyond their bound", { id: "a", q: "x".repeat(20_000) }, /longer than 16384/],
    ["no argument where one is needed", {}, /argument id is missing/],
    ["an argument nobody knows", { id: "a", other: "SECRET" }, /an argument that the tool doesn't have/],
  ] as const) {
    test(`${what} is refused, and its value isn't told`, () => {
      assert.throws(
        () => asked(everywhere, args),
        (error: unknown) =>
          error instanceof Refusal &&
          because.test(error.message) &&
          !/SECRET|authorization/.test(error.message),
      );
    });
  }
});

function bodyTool(contentType: string, schema: object, more: object = {}): ApiTool {
  return toolOf("/x", { requestBody: { required: true, content: { [contentType]: { schema, ...more } } } });
}

test("a body of JSON is what its caller wrote, byte for byte", () => {
  const rawBody = new TextEncoder().encode('{"n": 12345678901234567890.10}');
  const tool = bodyTool("application/json", { type: "object" });
  const request = requestFromCall(tool, { args: { body: { n: 1 } }, rawBody, boundary: "b" });
  assert.equal(fromUtf8(request.body ?? new Uint8Array()), '{"n": 12345678901234567890.10}');
});

for (const [what, tool, body, type, expected] of [
  [
    "a form",
    bodyTool("application/x-www-form-urlencoded", { type: "object" }),
    { a: "b c&d", list: [1, 2], none: null },
    "application/x-www-form-urlencoded",
    "a=b+c%26d&list=1&list=2",
  ],
  ["a text", bodyTool("text/plain", { type: "string" }), "hello", "text/plain", "hello"],
  ["bytes", bodyTool("application/octet-stream", {}), "aGVsbG8", "application/octet-stream", "hello"],
  [
    "a form with a file",
    bodyTool("multipart/form-data", {
      type: "object",
      properties: { 'f"\r\n': { type: "string", format: "binary" }, n: { type: "integer" } },
    }),
    { 'f"\r\n': "aGVsbG8=", n: 3 },
    "multipart/form-data; boundary=b0",
    '--b0\r\ncontent-disposition: form-data; name="f%22%0D%0A"; filename="f%22%0D%0A"\r\ncontent-type: application/octet-stream\r\n\r\nhello\r\n--b0\r\ncontent-disposition: form-data; name="n"\r\n\r\n3\r\n--b0--\r\n',
  ],
] as const) {
  test(`a body that is ${what}`, () => {
    const request = asked(tool, { body });
    assert.equal(fromUtf8(request.body ?? new Uint8Array()), expected);
    assert.deepEqual(request.headers, [["content-type", type]]);
  });
}

test("bytes that aren't base64 are refused", () => {
  const tool = bodyTool("application/octet-stream", {});
  for (const body of ["not base64!", "abcde"])
    assert.throws(() => asked(tool, { body }), /body is to be base64/, body);
});
