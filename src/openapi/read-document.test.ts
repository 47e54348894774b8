/** What a document, and the files it is split into, may be; and what it can't make us read, hold or do. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { apiServer } from "./api-server.ts";
import { documentLimits, readDocument } from "./read-document.ts";

const paths = { "/a": { get: { operationId: "a", responses: { 200: { description: "" } } } } };

function refusedWith(act: () => unknown, because: RegExp): void {
  assert.throws(
    act,
    (error: unknown) =>
      error instanceof Refusal && error.code === "bad_config" && because.test(error.message),
  );
}

for (const [what, document, version] of [
  ["2.0", { swagger: "2.0", info: { title: "t", version: "1" }, paths }, "2.0"],
  ["2.0 as a number of YAML", "swagger: 2.0\ninfo: { title: t, version: '1' }\npaths: {}", "2.0"],
  ["3.0", { openapi: "3.0.3", info: { title: "t", version: "1" }, paths }, "3.0.3"],
  ["3.1", { openapi: "3.1.0", info: { title: "t", version: "1" }, paths }, "3.1.0"],
] as const) {
  test(`a document of version ${what} is read`, () => {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    const read = readDocument(text, "api");
    assert.deepEqual([read.version, read.title, read.apiVersion], [version, "t", "1"]);
    assert.match(String(read.root["openapi"]), /^3\.1/);
  });
}

for (const [what, text, because] of [
  ["of another version", '{"openapi":"4.0.0"}', /version 2\.0, 3\.0 or 3\.1, found "4\.0\.0"/],
  ["that is none", "{}", /found none/],
  ["that is a list", "[1]", /expected an object/],
  ["that is neither JSON nor YAML", '{"openapi": ', /no JSON/],
  [
    "nested too deep",
    `{"openapi":"3.1.0","x":${"[".repeat(300)}${"]".repeat(300)}}`,
    /nested more than 200 deep/,
  ],
  ["with a key twice", "openapi: 3.1.0\nopenapi: 3.1.0", /no YAML/],
] as const) {
  test(`a document ${what} is refused with a reason`, () => {
    refusedWith(() => readDocument(text, "api.json"), because);
  });
}

test("a document of a billion laughs is refused before it is a billion", () => {
  const levels = Array.from({ length: 12 }, (_, at) => {
    const last = at === 0 ? '"lol"' : `*l${at - 1}`;
    return `l${at}: &l${at} [${Array.from({ length: 10 }, () => last).join(", ")}]`;
  });
  refusedWith(() => readDocument(`openapi: 3.1.0\n${levels.join("\n")}`, "api.yaml"), /alias|values/i);
});

test("aliases that each stay below their bound are counted together", () => {
  const list = `l: &l [${"1,".repeat(9000)}1]`;
  const uses = Array.from({ length: 600 }, (_, at) => `u${at}: *l`).join("\n");
  refusedWith(() => readDocument(`openapi: 3.1.0\n${list}\n${uses}`, "api.yaml"), /more than 4000000 values/);
});

test("a document longer than the bound isn't parsed", () => {
  refusedWith(() => readDocument(" ".repeat(documentLimits.fileBytes + 1), "api.yaml"), /longer than 32 MiB/);
});

/** A document whose one operation's answer is behind that reference. */
function referring($ref: string): string {
  return JSON.stringify({
    openapi: "3.1.0",
    info: {},
    paths: {
      "/a": { get: { responses: { 200: { content: { "application/json": { schema: { $ref } } } } } } },
    },
  });
}

for (const ref of [
  "file:///etc/passwd",
  "FILE:/etc/passwd",
  "/etc/passwd",
  "../secret.json",
  "a/../../secret.json",
  "%2e%2e/secret.json",
  "..\\secret.json",
  "https://example.test/schema.json",
  "//example.test/schema.json",
  "http://169.254.169.254/latest/meta-data/",
  "\\\\host\\share\\x.json",
]) {
  test(`a $ref to ${ref} is followed nowhere, and said`, () => {
    const asked: string[] = [];
    const read = readDocument(referring(ref), "api.json", (file) => {
      asked.push(file);
      return "{}";
    });
    assert.deepEqual(asked, []);
    assert.match(read.missing.join(), /outside of the document's folder/);
    assert.equal(apiServer(read).tools.size, 1);
  });
}

test("files that refer to each other are joined, each read once", () => {
  const asked: string[] = [];
  const files: Readonly<Record<string, string>> = {
    "parts/one.yaml": "One: { type: object, properties: { two: { $ref: 'two.yaml#/Two' } } }",
    "parts/two.yaml":
      "Two: { type: object, properties: { one: { $ref: './one.yaml#/One' }, root: { $ref: '../api.json#/components/schemas/R' } } }",
  };
  const document = JSON.parse(referring("parts/one.yaml#/One")) as object;
  const whole = { ...document, components: { schemas: { R: { type: "string", const: "root" } } } };
  const read = readDocument(JSON.stringify(whole), "api.json", (file) => {
    asked.push(file);
    return files[file] ?? assert.fail(file);
  });
  assert.deepEqual([asked.toSorted(), read.missing], [["parts/one.yaml", "parts/two.yaml"], []]);
  const [tool] = apiServer(read).tools.values();
  const said = JSON.stringify(tool?.declaration["outputSchema"]);
  assert.match(said, /"const":"root"/);
});

test("a reference that leads round, or nowhere, leaves out what needs it and no more", () => {
  const circle = { $ref: "#/components/parameters/b" };
  const document = {
    openapi: "3.1.0",
    info: {},
    paths: {
      "/round": { get: { parameters: [circle] } },
      "/nowhere": { $ref: "#/paths/nothing" },
      "/good": { get: { operationId: "good" } },
    },
    components: {
      parameters: { a: { $ref: "#/components/parameters/b" }, b: { $ref: "#/components/parameters/a" } },
    },
  };
  const { tools, skipped } = apiServer(readDocument(JSON.stringify(document), "api.json"));
  assert.deepEqual([...tools.keys()], ["good"]);
  assert.deepEqual(
    skipped.map(({ operation }) => operation),
    ["GET /round", "/nowhere"],
  );
});

test("names that JavaScript's objects know are names like any other", () => {
  const text = `{"openapi":"3.1.0","info":{},"__proto__":{"polluted":1},"paths":{"/constructor":{"get":{"operationId":"__proto__","parameters":[{"name":"__proto__","in":"query","schema":{"type":"string"}},{"name":"constructor","in":"query"}]}}}}`;
  const { tools } = apiServer(readDocument(text, "api.json"));
  assert.equal(tools.size, 1);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});
