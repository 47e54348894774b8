/** The control API without a server: who may, what is read, what is answered, what is recorded. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { z } from "zod";

import { loginOf } from "../../test/support/control.ts";
import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Action, controlApi } from "./api.ts";
import type { Login } from "./login.ts";
import { page, pageOf, pageQuery } from "./paging.ts";
import { download, route } from "./route.ts";

const things = Array.from({ length: 7 }, (_, i) => ({ id: `t${i}` }));
const routes = [
  route({
    method: "GET",
    path: "/things",
    summary: "All things.",
    tag: "things",
    role: "viewer",
    query: z.object(pageQuery),
    answer: pageOf(z.object({ id: z.string() })),
    handle: ({ query }) => page(things, query, ({ id }) => id),
  }),
  route({
    method: "GET",
    path: "/things/{id}",
    summary: "One thing.",
    tag: "things",
    role: "viewer",
    params: z.object({ id: z.string() }),
    answer: z.object({ id: z.string() }),
    handle: ({ params }) => params,
  }),
  route({
    method: "POST",
    path: "/things/{id}/break",
    summary: "Breaks a thing.",
    tag: "things",
    role: "operator",
    params: z.object({ id: z.string() }),
    body: z.strictObject({ because: z.string().min(1) }),
    answer: z.object({ by: z.string() }),
    touches: "tools",
    handle: ({ login, params }) => {
      if (params.id === "odd") throw new Error("secret stack");
      if (params.id === "gone") throw new Refusal("bad_state", "It is gone.");
      return { by: login.name };
    },
  }),
  download({
    method: "GET",
    path: "/things.csv",
    summary: "All things as a table.",
    tag: "things",
    role: "viewer",
    answer: "text/csv",
    handle: () => ({ name: "things.csv", body: "id\n" }),
  }),
  route({
    method: "GET",
    path: "/ways",
    summary: "How to log in.",
    tag: "session",
    role: "public",
    answer: z.object({ link: z.boolean() }),
    handle: () => ({ link: true }),
  }),
];

const viewer = loginOf("person:vera", "viewer");
const operator = loginOf("person:olga", "operator");
const approver = loginOf("person:anna", "approver");
const admin = loginOf("operator:local", "admin");

function scene() {
  const acted: Action[] = [];
  const changed: string[] = [];
  const logged: string[] = [];
  const log = {
    info: () => undefined,
    warn: () => undefined,
    debug: () => undefined,
    error: (name: string) => void logged.push(name),
  };
  const api = controlApi({
    routes,
    version: "1",
    log,
    acted: (action) => void acted.push(action),
    changed: (what) => void changed.push(what),
  });
  const ask = async (name: string, login?: Login, body?: string, ifNoneMatch?: string) => {
    const [method = "", path = ""] = name.split(" ");
    const {
      status,
      headers,
      body: text,
    } = await api.answer({
      method,
      url: `/api/v1${path}`,
      ifNoneMatch,
      login,
      from: { address: "local", agent: "" },
      body: () => Promise.resolve(utf8(body ?? "")),
    });
    return {
      status,
      headers,
      text: String(text),
      json: () => JSON.parse(String(text)) as Record<string, unknown>,
    };
  };
  return { ask, acted, changed, logged };
}

test("a stranger is told to log in, and not which routes there are", async () => {
  const { ask, acted } = scene();
  const asked = [
    "GET /things",
    "GET /nothing",
    "POST /things/a/break",
    "DELETE /things",
    "GET /openapi.json",
  ];
  for (const name of asked) {
    const answer = await ask(name);
    assert.equal(answer.status, 401, name);
    assert.equal(answer.headers["content-type"], "application/problem+json");
  }
  assert.equal((await ask("GET /ways")).status, 200);
  assert.deepEqual(acted, []);
});

test("a viewer reads and can't act, an approver doesn't even read; what is refused is recorded, too", async () => {
  const { ask, acted, changed } = scene();
  const body = JSON.stringify({ because: "x" });
  const statuses = async (name: string) =>
    await Promise.all(
      [viewer, operator, approver, admin].map(async (login) => (await ask(name, login, body)).status),
    );
  assert.deepEqual(await statuses("GET /things"), [200, 200, 403, 200]);
  assert.deepEqual(await statuses("POST /things/a/break"), [403, 200, 403, 200]);
  assert.deepEqual(
    new Map(acted.map(({ login, refused }) => [login.name, refused])),
    new Map([
      ["operator:local", undefined],
      ["person:anna", "denied"],
      ["person:olga", undefined],
      ["person:vera", "denied"],
    ]),
  );
  assert.deepEqual(changed, ["tools", "tools"]);
});

test("what is wrong with a request is said in its place, faults aren't", async () => {
  const { ask, logged } = scene();
  const rows: readonly (readonly [string, string | undefined, number, RegExp])[] = [
    ["POST /things/a/break", "{", 400, /Expected JSON/],
    ["POST /things/a/break", "{}", 400, /body, because: /],
    ["POST /things/a/break", '{"because":"x","more":1}', 400, /more/],
    ["POST /things/gone/break", '{"because":"x"}', 409, /It is gone/],
    ["POST /things/odd/break", '{"because":"x"}', 500, /^(?!.*secret)/],
    ["POST /things", "{}", 405, /Expected GET/],
    ["GET /things?limit=0", undefined, 400, /query, limit/],
    ["GET /things?limit=1&limit=2", undefined, 400, /twice/],
    ["GET /things?cursor=x", undefined, 400, /begin anew/],
    ["GET /things/%ff", undefined, 404, /There is no/],
    ["GET /things//", undefined, 404, /There is no/],
    ["GET /constructor", undefined, 404, /There is no/],
  ];
  for (const [name, body, status, text] of rows) {
    const answer = await ask(name, admin, body);
    assert.equal(answer.status, status, `${name}: ${answer.text}`);
    assert.match(String(answer.json()["detail"]), text, name);
  }
  assert.deepEqual(logged, ["control.fault"]);
});

test("pages follow each other to the end, each once; what is known already isn't sent again", async () => {
  const { ask } = scene();
  const seen: string[] = [];
  let cursor = "";
  do {
    const answer = await ask(`GET /things?limit=3${cursor}`, viewer);
    const { items, next } = answer.json() as { items: { id: string }[]; next: string | null };
    seen.push(...items.map(({ id }) => id));
    cursor = next === null ? "" : `&cursor=${next}`;
  } while (cursor !== "");
  assert.deepEqual(
    seen,
    things.map(({ id }) => id),
  );
  const first = await ask("GET /things", viewer);
  const again = await ask("GET /things", viewer, undefined, `"x", W/${first.headers["etag"]}`);
  assert.deepEqual([again.status, again.text], [304, ""]);
  assert.equal((await ask("GET /things/a", viewer, undefined, first.headers["etag"])).status, 200);
});

test("files are downloads with a name", async () => {
  const { ask } = scene();
  const { headers, text } = await ask("GET /things.csv", viewer);
  assert.equal(text, "id\n");
  assert.equal(headers["content-disposition"], 'attachment; filename="things.csv"');
});

test("the document names each route with what it takes, answers and needs", async () => {
  const { ask } = scene();
  const document = (await ask("GET /openapi.json", viewer)).json() as {
    paths: Record<string, Record<string, Record<string, unknown>>>;
  };
  const paths = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  assert.deepEqual(paths.toSorted(), [
    "get /openapi.json",
    "get /things",
    "get /things.csv",
    "get /things/{id}",
    "get /ways",
    "post /things/{id}/break",
  ]);
  const breaking = document.paths["/things/{id}/break"]?.["post"];
  assert.equal(breaking?.["operationId"], "postThingsByIdBreak");
  assert.deepEqual(breaking["x-latticegate-roles"], ["operator"]);
  assert.match(JSON.stringify(breaking["requestBody"]), /"required":\["because"\]/);
  assert.deepEqual(document.paths["/ways"]?.["get"]?.["security"], []);
});
