/** Legacy clients at modern servers, message by message: what each era's end sees of the other, and what hostile ends get. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test } from "node:test";

import { eventually } from "../support/gateway.ts";
import {
  acknowledge,
  discovery,
  events,
  initialize,
  json,
  legacySession,
  messageIn,
  modernServer,
  protocolVersionKey,
  setUp,
} from "../support/modern-scene.ts";

const input = (inputRequests: object, requestState?: string): object => ({
  resultType: "input_required",
  inputRequests,
  ...(requestState !== undefined && { requestState }),
});
const form = {
  method: "elicitation/create",
  params: { message: "Name?", requestedSchema: { type: "object" } },
};

test("initialize is answered with what the server says of itself, in the client's version if that is one", async (t) => {
  const server = await modernServer(t, {});
  const { client } = await setUp(t, server);
  for (const [asked, expected] of [
    ["2024-11-05", "2024-11-05"],
    ["2025-03-26", "2025-03-26"],
    ["2025-06-18", "2025-06-18"],
    ["2025-11-25", "2025-11-25"],
    ["1999-01-01", "2025-11-25"],
    ["2026-07-28", "2025-11-25"],
  ]) {
    const opened = await client.post("new", initialize({ protocolVersion: asked }));
    assert.equal(opened.status, 200, opened.text);
    assert.ok(opened.headers["mcp-session-id"]);
    assert.deepEqual(messageIn(opened.text), {
      jsonrpc: "2.0",
      id: 0,
      result: {
        protocolVersion: expected,
        capabilities: {
          tools: { listChanged: true },
          resources: { subscribe: true },
          logging: {},
          extensions: { "com.example/kept": { a: 1 } },
        },
        serverInfo: { name: "stub", version: "7" },
        instructions: "Be kind.",
      },
    });
  }
  const asked = server.requests[0];
  assert.equal(asked?.method, "server/discover");
  assert.deepEqual(asked.params["_meta"], {
    [protocolVersionKey]: "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "old", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
  });
});

const noSessions: readonly (readonly [
  string,
  (response: http.ServerResponse, id: unknown) => void,
  RegExp,
])[] = [
  [
    "an error",
    (response, id) => json(response, { id, error: { code: -32601, message: "none" } }, 404),
    /none/,
  ],
  ["no message", (response) => void response.writeHead(500).end("secret words"), /500/],
  ["credentials", (response) => void response.writeHead(401).end(), /credentials/],
  ["a broken connection", (response) => void response.destroy(), /./],
  [
    "other versions",
    (response, id) => json(response, { id, result: { ...discovery, supportedVersions: ["2031-01-01"] } }),
    /2026-07-28/,
  ],
  ["no answer of its own", (response) => json(response, { id: "other", result: discovery }), /no answer/],
];
for (const [what, refuse, why] of noSessions) {
  test(`a server that answers discovery with ${what} opens no session, and the client learns why`, async (t) => {
    const server = await modernServer(t, { "server/discover": (response, { id }) => refuse(response, id) });
    const { client } = await setUp(t, server);
    const opened = await client.post("new", initialize());
    assert.equal(opened.status, 502, opened.text);
    assert.equal(opened.headers["mcp-session-id"], undefined);
    assert.match(opened.text, why);
    assert.match(opened.text, /"id":0/);
    assert.doesNotMatch(opened.text, /secret words/);
  });
}

const envelope = (extra = "") =>
  `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"old","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/logLevel":"info"${extra}`;

test("a request reaches the server with its session's envelope, and otherwise as the bytes it was", async (t) => {
  const server = await modernServer(t, {});
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  for (const [sent, arrived] of [
    [
      '{"params": {"uri":"a:b" ,"_meta":{ "x.y/z":1.0,"progressToken":7}},\n"method":"resources/read","id":1,"jsonrpc":"2.0"}',
      `{"params": {"uri":"a:b" ,"_meta":{${envelope()}, "x.y/z":1.0,"progressToken":7}},\n"method":"resources/read","id":1,"jsonrpc":"2.0"}`,
    ],
    [
      '{"jsonrpc":"2.0","id":"1","method":"prompts/get","params":{"name":"é","arguments":{"n":1e2}}}',
      `{"jsonrpc":"2.0","id":"1","method":"prompts/get","params":{"_meta":{${envelope()}},"name":"é","arguments":{"n":1e2}}}`,
    ],
    [
      '{"jsonrpc":"2.0","id":2,"method":"com.example/any"}',
      `{"params":{"_meta":{${envelope()}}},"jsonrpc":"2.0","id":2,"method":"com.example/any"}`,
    ],
    [
      '{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}},"a":1,"io.modelcontextprotocol/logLevel":"debug"}}}',
      `{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{${envelope()},"a":1}}}`,
    ],
  ] as const) {
    const answered = await client.request("new", { headers, body: sent });
    assert.equal(answered.status, 200, answered.text);
    assert.equal(server.seen.at(-1)?.body, arrived);
  }
  const { headers: read = {} } = server.seen.find(({ body }) => body.includes("resources/read")) ?? {};
  assert.equal(read["mcp-protocol-version"], "2026-07-28");
  assert.equal(read["mcp-method"], "resources/read");
  assert.equal(read["mcp-name"], "a:b");
  assert.equal(read["mcp-session-id"], undefined);
  const { headers: got = {} } = server.seen.find(({ body }) => body.includes("prompts/get")) ?? {};
  assert.equal(got["mcp-name"], "=?base64?w6k=?=");
});

test("an answer reaches the client without what only modern results have, and otherwise as the bytes it was", async (t) => {
  const said =
    '{"result":{"resultType" : "complete","n":1.0,"ttlMs":5,"deep":{"resultType":"x"},"cacheScope":"public"} , "id":1,"jsonrpc":"2.0"}';
  const server = await modernServer(t, {
    "tools/list": (response) =>
      void response.writeHead(200, { "content-type": "application/json" }).end(said),
  });
  const { client } = await setUp(t, server);
  const answered = await client.post(
    "new",
    { jsonrpc: "2.0", id: 1, method: "tools/list" },
    await legacySession(client),
  );
  assert.equal(
    events(answered.text)[0],
    '{"result":{"n":1.0,"deep":{"resultType":"x"}} , "id":1,"jsonrpc":"2.0"}',
  );
});

test("what is about the session is answered here: ping, the log level, subscriptions, tasks", async (t) => {
  const server = await modernServer(t, {});
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const ask = async (method: string, params: object = {}) =>
    events((await client.post("new", { jsonrpc: "2.0", id: 1, method, params }, headers)).text).at(-1);
  const empty = '{"jsonrpc":"2.0","id":1,"result":{}}';
  assert.equal(await ask("ping"), empty);
  assert.equal(await ask("logging/setLevel", { level: "error" }), empty);
  for (const level of ["loud", 5, null])
    assert.match(String(await ask("logging/setLevel", { level })), /-32602/);
  assert.equal(await ask("resources/subscribe", { uri: "a:b" }), empty);
  assert.equal(await ask("resources/unsubscribe", { uri: "a:b" }), empty);
  assert.equal(await ask("resources/unsubscribe", { uri: "never:there" }), empty);
  assert.match(String(await ask("resources/subscribe")), /-32602/);
  for (const method of ["tasks/list", "tasks/result", "tasks/get", "subscriptions/listen", "server/discover"])
    assert.match(String(await ask(method, { taskId: "t" })), /-32601|-32602/, method);
  await ask("prompts/list");
  assert.equal(server.requests.at(-1)?.params._meta["io.modelcontextprotocol/logLevel"], "error");
  assert.deepEqual(
    new Set(server.requests.map(({ method }) => method)),
    new Set(["server/discover", "subscriptions/listen", "prompts/list"]),
  );
});

test("a server without logging and subscriptions has neither for legacy clients", async (t) => {
  const server = await modernServer(t, {
    "server/discover": (response, { id }) =>
      json(response, { id, result: { ...discovery, capabilities: {} } }),
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  for (const [method, params] of [
    ["logging/setLevel", { level: "info" }],
    ["resources/subscribe", { uri: "a:b" }],
  ] as const) {
    const answered = await client.post("new", { jsonrpc: "2.0", id: 1, method, params }, headers);
    assert.match(answered.text, /-32601/, method);
  }
  await client.post("new", { jsonrpc: "2.0", id: 2, method: "prompts/list" }, headers);
  assert.equal("io.modelcontextprotocol/logLevel" in (server.requests.at(-1)?.params._meta ?? {}), false);
});

const regional = (header: string) => ({
  name: "regional",
  inputSchema: { type: "object", properties: { region: { type: "string", "x-mcp-header": header } } },
});
const callRegional = {
  jsonrpc: "2.0",
  id: 5,
  method: "tools/call",
  params: { name: "regional", arguments: { region: "eu" } },
};

test("arguments travel as headers as the lists say, of tools that nobody listed too, and anew when the server doesn't agree", async (t) => {
  let header = "Region";
  const server = await modernServer(t, {
    "tools/list": (response, { id, params }) => {
      const page = Number(params["cursor"] ?? 0);
      const result = page < 3 ? { tools: [], nextCursor: String(page + 1) } : { tools: [regional(header)] };
      json(response, { id, result });
    },
    "tools/call": (response, { id }, request) => {
      const value = request.headers[`mcp-param-${header.toLowerCase()}`];
      const mismatch = { id, error: { code: -32020, message: "HeaderMismatch" } };
      if (value === "eu") json(response, { id, result: { resultType: "complete", content: [] } });
      else json(response, mismatch, 400);
    },
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const ok = '{"jsonrpc":"2.0","id":5,"result":{"content":[]}}';
  assert.equal(events((await client.post("new", callRegional, headers)).text)[0], ok);
  const lists = () => server.requests.filter(({ method }) => method === "tools/list").length;
  assert.equal(lists(), 4, "all pages");
  await client.post("new", callRegional, headers);
  await client.post("new", { ...callRegional, params: { name: "none" } }, headers);
  assert.equal(lists(), 4 + 4, "what is known isn't asked for; once more since the server said no");
  header = "Place";
  assert.equal(
    events((await client.post("new", callRegional, headers)).text)[0],
    ok,
    "under the client's own id",
  );
  assert.equal(lists(), 12);
  header = "Never Valid";
  const refused = await client.post("new", callRegional, headers);
  assert.equal(refused.status, 200);
  assert.match(refused.text, /"id":5.*-32020|-32020.*"id":5/);
  assert.equal(lists(), 16, "refreshed once, not again and again");
});

test("tools that the client has listed aren't asked for again, until they change", async (t) => {
  let tell: ((method: string) => void) | undefined;
  const server = await modernServer(t, {
    "tools/list": (response, { id }) => json(response, { id, result: { tools: [regional("Region")] } }),
    "subscriptions/listen": (response, message) => (tell = acknowledge(response, message)),
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const lists = () => server.requests.filter(({ method }) => method === "tools/list").length;
  await client.post("new", { jsonrpc: "2.0", id: 1, method: "tools/list" }, headers);
  await client.post("new", callRegional, headers);
  assert.equal(lists(), 1);
  assert.equal(server.seen.at(-1)?.headers["mcp-param-region"], "eu");
  const unasked = await client.stream("new", { method: "GET", headers });
  await eventually("it listens", () => tell !== undefined);
  tell?.("notifications/tools/list_changed");
  for await (const { data } of unasked.events) if (data?.length) break;
  await client.post("new", callRegional, headers);
  assert.equal(lists(), 2);
});

test("a list of tools without an end is given up, and the call goes on", async (t) => {
  let pages = 0;
  const server = await modernServer(t, {
    "tools/list": (response, { id }) =>
      json(response, { id, result: { tools: [], nextCursor: String(pages++) } }),
  });
  const { client } = await setUp(t, server);
  const answered = await client.post("new", callRegional, await legacySession(client));
  assert.equal(answered.status, 200, answered.text);
  assert.ok(pages <= 101, String(pages));
});

test("what the server needs is asked of the client, all at once, and brought back with the state as it was", async (t) => {
  const state = String.raw`"a\u00e9\/ b"`;
  const round = `{"resultType":"input_required","requestState":${state},"inputRequests":{"q 1":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","n":1.0}}},"q2":{"params":{"messages":[],"maxTokens":1e2},"method":"sampling/createMessage"},"q3":{"method":"roots/list"},"q4":{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://a.example/"}}}}`;
  const server = await modernServer(t, {
    "tools/call": (response, { id, params }) => {
      const answer =
        params["inputResponses"] === undefined ? round : '{"resultType":"complete","content":[]}';
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${answer}}`);
    },
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client, {
    elicitation: { form: {}, url: {} },
    sampling: {},
    roots: {},
  });
  const call =
    '{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"ask","requestState":"forged","arguments":{"n":1.0}}}';
  const stream = await client.stream("new", { headers, body: call });
  const heard = stream.events[Symbol.asyncIterator]();
  const questions: { id: string; method: string; params?: Record<string, unknown> }[] = [];
  while (questions.length < 4) {
    const { value } = await heard.next();
    if (value?.data?.length) questions.push(JSON.parse(value.data.toString()) as (typeof questions)[number]);
  }
  assert.deepEqual(
    questions.map(({ method }) => method),
    ["elicitation/create", "sampling/createMessage", "roots/list", "elicitation/create"],
  );
  assert.equal(new Set(questions.map(({ id }) => id)).size, 4);
  assert.equal(typeof questions[3]?.params?.["elicitationId"], "string", "as the legacy era has it");
  for (const { id } of questions.toReversed()) {
    const body = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"n":1.0,"id":${JSON.stringify(id)}}}`;
    assert.equal((await client.request("new", { headers, body })).status, 202);
  }
  let last = "";
  for (let next = await heard.next(); next.done !== true; next = await heard.next())
    last = next.value.data?.toString() ?? "";
  assert.equal(last, '{"jsonrpc":"2.0","id":"c","result":{"content":[]}}');
  const [, retry] = server.seen.filter(({ body }) => body.includes('"tools/call"'));
  const said = (i: number) => `{"n":1.0,"id":${JSON.stringify(questions[i]?.id)}}`;
  assert.ok(retry);
  assert.ok(retry.body.includes(`"requestState":${state}`), retry.body);
  assert.ok(
    retry.body.includes(
      `"inputResponses":{"q 1":${said(0)},"q2":${said(1)},"q3":${said(2)},"q4":${said(3)}}`,
    ),
    retry.body,
  );
  assert.ok(!retry.body.includes("forged"));
  assert.ok(retry.body.includes('"arguments":{"n":1.0}'));
  assert.notEqual((JSON.parse(retry.body) as { id: unknown }).id, "c", "a request of its own");
});

/** What a server answers a call with, and what its client is told. */
const badAnswers: readonly (readonly [string, object, RegExp])[] = [
  [
    "asks what the client hasn't declared",
    input({ a: { method: "sampling/createMessage", params: {} } }),
    /sampling/,
  ],
  [
    "asks for a page of a client that takes forms",
    input({ a: { method: "elicitation/create", params: { mode: "url" } } }),
    /elicitation\.url/,
  ],
  ["asks what no client is asked", input({ a: { method: "tools/call", params: {} } }), /aren't asked/],
  ["asks without params", input({ a: { method: "elicitation/create" } }), /without params/],
  ["asks for nothing", input({}), /for none/],
  [
    "asks for a crowd",
    input(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, form]))),
    /33 things/,
  ],
  ["gives a state that is no text", { ...input({ a: form }), requestState: 5 }, /no text/],
  ["answers with a task", { resultType: "task", taskId: "t" }, /task/],
  ["answers with what nobody knows", { resultType: "com.example/other" }, /com\.example\/other/],
];
for (const [what, result, why] of badAnswers) {
  test(`a server that ${what} gets nothing, and its client an error that says so`, async (t) => {
    const server = await modernServer(t, {
      "tools/call": (response, { id }) => json(response, { id, result }),
    });
    const { client } = await setUp(t, server);
    const answered = await client.post("new", callRegional, await legacySession(client));
    assert.equal(answered.status, 200, answered.text);
    const all = events(answered.text).map(
      (each) => JSON.parse(each) as { id?: unknown; error?: { message: string } },
    );
    assert.equal(all.length, 1, answered.text);
    assert.equal(all[0]?.id, 5);
    assert.match(all[0].error?.message ?? "", why);
  });
}

test("a call's stream has what is said of the call: no requests of the server's, nor what ends them", async (t) => {
  const log = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}';
  const server = await modernServer(t, {
    "tools/call": (response, { id }) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const said of [
        '{"jsonrpc":"2.0","id":1,"method":"roots/list"}',
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}',
        '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}',
        "no message",
        log,
        JSON.stringify({ jsonrpc: "2.0", id, result: {} }),
      ])
        response.write(`data: ${said}\n\n`);
      response.end();
    },
  });
  const { client } = await setUp(t, server);
  const answered = await client.post("new", callRegional, await legacySession(client));
  assert.deepEqual(events(answered.text), [log, '{"jsonrpc":"2.0","id":5,"result":{}}']);
});

test("input is asked for in what may need it alone", async (t) => {
  const server = await modernServer(t, {
    "prompts/list": (response, { id }) => json(response, { id, result: input({ a: form }) }),
  });
  const { client } = await setUp(t, server);
  const answered = await client.post(
    "new",
    { jsonrpc: "2.0", id: 1, method: "prompts/list" },
    await legacySession(client),
  );
  assert.match(events(answered.text)[0] ?? "", /input_required/);
});

test('a server that asks and asks is answered eight times, one that only says "later" no more often', async (t) => {
  for (const [answer, isAsking] of [
    [input({ a: form }, "s"), true],
    [{ resultType: "input_required", requestState: "later" }, false],
  ] as const) {
    const server = await modernServer(t, {
      "tools/call": (response, { id }) => json(response, { id, result: answer }),
    });
    const { client } = await setUp(t, server);
    const headers = await legacySession(client);
    const stream = await client.stream("new", {
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(callRegional),
    });
    let asked = 0;
    let last = "";
    for await (const { data } of stream.events) {
      if (!data?.length) continue;
      last = data.toString();
      const { id, method } = JSON.parse(last) as { id: string; method?: string };
      if (method === undefined) continue;
      asked += 1;
      await client.post("new", { jsonrpc: "2.0", id, result: { action: "decline" } }, headers);
    }
    assert.equal(asked, isAsking ? 8 : 0);
    assert.match(last, /"id":5.*more than 8 times/);
    assert.equal(server.requests.filter(({ method }) => method === "tools/call").length, 9);
  }
});

/** How a server answers, and what a client gets: status, and what is in the text. */
const failures: readonly (readonly [
  string,
  (response: http.ServerResponse, id: unknown) => void,
  number,
  RegExp,
])[] = [
  [
    "404 and an error",
    (response, id) => json(response, { id, error: { code: -32601, message: "m" } }, 404),
    200,
    /-32601/,
  ],
  [
    "-32021",
    (response, id) =>
      json(
        response,
        { id, error: { code: -32021, message: "m", data: { requiredCapabilities: { x: 1 } } } },
        400,
      ),
    200,
    /"requiredCapabilities":\{"x":1\}/,
  ],
  [
    "-32022",
    (response, id) =>
      json(response, { id, error: { code: -32022, message: "m", data: { supported: ["y"] } } }, 400),
    200,
    /"supported":\["y"\]/,
  ],
  [
    "an error without an id",
    (response) => json(response, { error: { code: -32000, message: "m" } }, 400),
    200,
    /"id":5/,
  ],
  [
    "401",
    (response) => void response.writeHead(401, { "www-authenticate": "Bearer" }).end(),
    502,
    /credentials/,
  ],
  ["403", (response) => void response.writeHead(403).end(), 502, /credentials/],
  ["404 and no message", (response) => void response.writeHead(404).end("secret words"), 502, /404/],
  ["410", (response) => void response.writeHead(410).end(), 502, /410/],
  ["429", (response) => void response.writeHead(429).end(), 503, /429/],
  ["500", (response) => void response.writeHead(500).end("secret words"), 502, /500/],
  ["503", (response) => void response.writeHead(503).end(), 503, /503/],
  ["202", (response) => void response.writeHead(202).end(), 502, /no answer/],
  ["a broken connection", (response) => void response.destroy(), 502, /./],
  ["another's answer", (response) => json(response, { id: "other", result: {} }), 502, /no answer/],
  ["its id as text", (response, id) => json(response, { id: String(id), result: {} }), 502, /no answer/],
  [
    "a stream without the answer",
    (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(
        'data: {"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}\n\ndata: {"jsonrpc":"2.0","id":9,"result":{}}\n\n',
      );
    },
    502,
    /no answer/,
  ],
  ["a request", (response) => json(response, { id: 5, method: "roots/list" }), 502, /no answer/],
  [
    "too much",
    (response, id) => json(response, { id, result: { text: "x".repeat(3_000_000) } }),
    502,
    /longer|more than|large/,
  ],
];
for (const [what, answer, status, text] of failures) {
  test(`a call that the server answers with ${what} has its own answer, and the session goes on`, async (t) => {
    const server = await modernServer(t, { "resources/read": (response, { id }) => answer(response, id) });
    const { client } = await setUp(t, server, { extra: "limits: { answer: 2MiB }" });
    // Who takes events gets a stream when the answer takes a moment, and hears on that what went wrong.
    const headers = { ...(await legacySession(client)), accept: "application/json" };
    const read = { jsonrpc: "2.0", id: 5, method: "resources/read", params: { uri: "a:b" } };
    const answered = await client.post("new", read, headers);
    assert.equal(answered.status, status, answered.text);
    assert.match(answered.text, text);
    assert.equal(answered.headers["www-authenticate"], undefined);
    assert.doesNotMatch(answered.text, /secret words/);
    const next = await client.post("new", { jsonrpc: "2.0", id: 6, method: "ping" }, headers);
    assert.equal(next.status, 200);
  });
}
