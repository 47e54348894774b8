/** Which operations become which tools and resources, and what is said of the rest. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { apiServer, type ApiWishes } from "./api-server.ts";
import { readDocument } from "./read-document.ts";
import { securityNeeds } from "./security-needs.ts";

const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
const document = readDocument(
  JSON.stringify({
    openapi: "3.0.0",
    info: { title: "Shop", version: "2" },
    servers: [
      { url: "https://{region}.shop.test/v1", variables: { region: { default: "eu" } } },
      { url: "http://shop.test" },
      { url: "/relative" },
    ],
    security: [{ key: [] }],
    paths: {
      "/items": {
        get: {
          operationId: "list items!",
          tags: ["read"],
          summary: "All.",
          parameters: [{ name: "page", in: "query", schema: { type: "integer" } }],
        },
        post: {
          operationId: "addItem",
          tags: ["write"],
          requestBody: { required: true, content: { "text/csv": {} } },
        },
      },
      "/items/{id}": {
        get: { operationId: "list items?", tags: ["read"], parameters: [id] },
        trace: { operationId: "trace", parameters: [id] },
        delete: { tags: ["write"], parameters: [id, { name: "Host", in: "header", required: true }] },
      },
      "/upload": { put: { requestBody: { required: true, content: { "application/x-protobuf": {} } } } },
      "/v1/items": { get: { tags: ["old"], deprecated: true } },
    },
    components: { securitySchemes: { key: { type: "apiKey", in: "query", name: "k" } } },
  }),
  "api.json",
);

function namesOf(wishes: ApiWishes): readonly string[] {
  return [...apiServer(document, wishes).tools.keys()];
}

test("operations become tools with names that models take, each once; what can't be called is told with a reason", () => {
  const { tools, skipped, servers } = apiServer(document);
  assert.deepEqual([...tools.keys()], ["list_items", "addItem", "list_items_2", "get_v1_items"]);
  assert.deepEqual(servers, ["https://eu.shop.test/v1", "http://shop.test"]);
  assert.deepEqual(
    skipped.map(({ operation, because }) => `${operation}: ${because}`),
    [
      "DELETE /items/{id}: its header Host isn't for callers",
      "TRACE /items/{id}: its answer would show what the gateway sends, credentials among it",
      "PUT /upload: its body is to be application/x-protobuf",
    ],
  );
  const [list, add] = tools.values();
  assert.match(String(list?.declaration["description"]), /Answers come in pages: ask on with page/);
  assert.deepEqual(
    [list, add].map((tool) => tool?.declaration["annotations"]),
    [{ readOnlyHint: true }, { readOnlyHint: false, destructiveHint: false, idempotentHint: false }],
  );
});

describe("narrowing", () => {
  for (const [what, wishes, expected] of [
    ["by tag", { narrowing: { tags: ["write"] } }, ["addItem"]],
    ["by path", { narrowing: { paths: ["/items*"] } }, ["list_items", "addItem", "list_items_2"]],
    [
      "by method and path",
      { narrowing: { methods: ["get"], paths: ["*/items"] } },
      ["list_items", "get_v1_items"],
    ],
    [
      "by operation",
      { narrowing: { operations: ["addItem", "GET /v1/items"] } },
      ["addItem", "get_v1_items"],
    ],
    ["by name", { tools: [{ name: "stock", endpoint: "POST /items" }] }, ["stock"]],
    ["by a path with its server's", { tools: [{ name: "one", endpoint: "GET /v1/items/{id}" }] }, ["one"]],
    ["by an operationId", { tools: [{ name: "one", endpoint: "list items?" }] }, ["one"]],
    [
      "by an overlay",
      {
        narrowing: { tags: ["read"] },
        overlay: new Map([
          ["GET /items", { name: "all", title: "T" }],
          ["list_items_2", { omit: true }],
        ]),
      },
      ["all"],
    ],
  ] as const satisfies readonly (readonly [string, ApiWishes, readonly string[]])[]) {
    test(what, () => assert.deepEqual(namesOf(wishes), expected));
  }
});

describe("a wish that can't be met is a mistake of the config, which says what to write", () => {
  for (const [what, wishes, because] of [
    ["an endpoint that isn't there", { tools: [{ name: "a", endpoint: "/nothing" }] }, /isn't an operation/],
    [
      "an endpoint with several operations",
      { tools: [{ name: "a", endpoint: "/items/{id}/" }] },
      /isn't an operation/,
    ],
    [
      "a path that two operations have",
      { tools: [{ name: "a", endpoint: "/items" }] },
      /several operations; write one of "GET \/items", "POST \/items"/,
    ],
    [
      "two tools of one name",
      {
        tools: [
          { name: "a", endpoint: "POST /items" },
          { name: "a", endpoint: "list items?" },
        ],
      },
      /Two tools would be called "a"/,
    ],
    [
      "a resource that nothing is like",
      { resources: [{ uri: "mcp://shop/stock" }] },
      /stands for no GET of the document: no GET of the document ends with \/stock. Write "endpoint"/,
    ],
    [
      "a resource that several are like",
      { resources: [{ uri: "mcp://shop/items" }] },
      /several do: \/items, \/v1\/items/,
    ],
    ["a resource without a path", { resources: [{ uri: "mcp://shop" }] }, /it has no path/],
    [
      "a resource that needs an argument",
      { resources: [{ uri: "mcp://a/b", endpoint: "/items/{id}" }] },
      /needs id/,
    ],
    [
      "a resource that changes something",
      { resources: [{ uri: "mcp://a/b", endpoint: "POST /items" }] },
      /POST \/items isn't a GET/,
    ],
    [
      "words about no tool",
      { overlay: new Map([["nobody", { title: "T" }]]) },
      /words for "nobody", and there is no such tool/,
    ],
  ] as const satisfies readonly (readonly [string, ApiWishes, RegExp])[]) {
    test(what, () => {
      assert.throws(
        () => apiServer(document, wishes),
        (error: unknown) =>
          error instanceof Refusal && error.code === "bad_config" && because.test(error.message),
      );
    });
  }
});

test("a resource is mapped by its endpoint, or by the one GET that ends like it", () => {
  const resources = [{ uri: "mcp://shop/all", endpoint: "/v1/items" }];
  const [resource] = apiServer(document, { resources }).resources.values();
  assert.equal(resource?.tool.operation.path, "/v1/items");
});

test("what a tool's call becomes is part of what it is: each change of it changes its binding", () => {
  const bindingOf = (change: (text: string) => string): string => {
    const text = JSON.stringify({
      openapi: "3.1.0",
      info: {},
      paths: {
        "/a/{id}": {
          put: {
            parameters: [id, { name: "n", in: "query", schema: {} }],
            requestBody: { content: { "application/json": {} } },
          },
        },
      },
    });
    const [tool] = apiServer(readDocument(change(text), "api.json")).tools.values();
    return tool?.binding ?? assert.fail("no tool");
  };
  const changes = [
    (text: string) => text.replace("/a/", "/b/"),
    (text: string) => text.replace('"put"', '"post"'),
    (text: string) => text.replace('"in":"query"', '"in":"header"'),
    (text: string) => text.replace('"in":"query"', '"in":"query","style":"pipeDelimited"'),
    (text: string) => text.replace("application/json", "application/x-www-form-urlencoded"),
  ];
  const all = [(text: string) => text, ...changes].map(bindingOf);
  assert.equal(new Set(all).size, all.length);
});

test("what an API wants to be shown is said with the place in the config that has it", () => {
  const operations = [...apiServer(document).tools.values()].map(({ operation }) => operation);
  assert.deepEqual(securityNeeds(document, operations), ["key: the key k, under `query`"]);
});
