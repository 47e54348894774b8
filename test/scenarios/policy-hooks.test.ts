/** Rules about what stands beside calls: what servers ask of clients, tasks, subscriptions. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import {
  type Answering,
  type Client,
  clientOf,
  enrol,
  eventually,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { heardIn, messagesIn, openSession } from "../support/pipes.ts";
import { entriesOf } from "../support/records.ts";
import { modernHeaders, modernMeta } from "../support/ways.ts";

const everything = `{ name: all, callers: ["*"], tools: ["*"], resources: ["*"], prompts: ["*"], effect: allow, because: Open. }`;

interface House {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly as: (path: string) => Promise<Client>;
}

async function house(t: TestContext, rules: string, answer?: Answering): Promise<House> {
  const stub = await stubServer(t, answer);
  const gateway = await testGateway(
    t,
    `servers: { lab: { url: "${stub.url}" }, far: { url: "${stub.url}" } }\npolicies:\n  - ${everything}\n${rules}`,
  );
  return { gateway, stub, as: async (path) => clientOf(t, gateway, await enrol(gateway, path)) };
}

function sse(response: http.ServerResponse, ...messages: readonly object[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const message of messages) response.write(`data: ${JSON.stringify(message)}\n\n`);
}

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

const readMessage = (text: string): Message => JSON.parse(text) as Message;
const said = (text: string): readonly Message[] => messagesIn(text).map(readMessage);

const askers: readonly (readonly [method: string, params: object])[] = [
  ["elicitation/create", { message: "Your password?", requestedSchema: { type: "object" } }],
  ["sampling/createMessage", { messages: [], maxTokens: 5, modelPreferences: { costPriority: 1 } }],
  ["roots/list", {}],
];

const noAsking = (method: string): string =>
  `  - { name: nobody-asks, callers: ["*"], methods: ["lab/${method}"], effect: deny, because: Servers don't ask that. }`;

/** Asks its client in each call, and answers once it has an answer to that. */
function asking(question: object): Answering {
  let open: http.ServerResponse | undefined;
  return (_request, response, body) => {
    const message = readMessage(body === "" ? "{}" : body);
    if (message.method === undefined) {
      response.writeHead(202).end();
      const text = message.error?.message ?? JSON.stringify(message.result);
      open?.end(
        `data: ${JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text }] } })}\n\n`,
      );
      return;
    }
    open = response;
    sse(response, question);
  };
}

for (const [method, params] of askers) {
  const question = { jsonrpc: "2.0", id: "q", method, params };

  test(`${method} that a rule denies never reaches the client, and the server is told so`, async (t) => {
    const { gateway, stub, as } = await house(t, noAsking(method), asking(question));
    const client = await as("agent/a");
    const { text } = await client.post("lab", toolCall("work"));
    const messages = said(text);
    assert.deepEqual(
      messages.map(({ method: asked }) => asked),
      [undefined],
      text,
    );
    assert.match(text, /Denied by policy: Servers don't ask that/);
    const told = readMessage(stub.seen.at(-1)?.body ?? "");
    assert.deepEqual([told.id, told.error?.code], ["q", -31403]);
    const [entry] = await entriesOf(gateway, "request.denied");
    assert.deepEqual(
      [entry?.outcome, entry?.tool, entry?.facts["asked"], entry?.facts["rule"]],
      ["denied", "lab/work", method, "nobody-asks"],
    );
  });

  test(`${method} on the stream for what a server says unasked is denied there too`, async (t) => {
    const news = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
    let stream: http.ServerResponse | undefined;
    const { stub, as } = await house(t, noAsking(method), (request, response) => {
      if (request.method !== "GET") response.writeHead(202).end();
      else sse((stream = response), question);
    });
    const client = await as("agent/a");
    const { events, cut } = await client.stream("lab", {
      method: "GET",
      headers: { accept: "text/event-stream" },
    });
    await eventually("the server is told", () => stub.seen.some(({ body }) => body.includes("-31403")));
    stream?.write(`data: ${JSON.stringify(news)}\n\n`);
    for await (const { data } of events) {
      assert.deepEqual(readMessage(Buffer.from(data ?? []).toString()), news);
      break;
    }
    cut();
  });

  test(`${method} passes as it was where the rule is about another server, tool or caller`, async (t) => {
    const rules = `  - { name: nobody-asks, callers: ["*"], methods: ["lab/${method}"], when: 'call.tool == "risky"', effect: deny, because: Servers don't ask that. }
  - { name: elsewhere, callers: ["*"], methods: ["far/*"], effect: deny, because: Another server. }
  - { name: others, callers: ["spiffe://latticegate.local/agent/b"], methods: ["*"], effect: deny, because: Another caller. }`;
    const { as, gateway } = await house(t, rules, asking(question));
    const client = await as("agent/a");
    const opened = await client.stream("lab", {
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify(toolCall("work")),
    });
    for await (const { data } of opened.events) {
      assert.deepEqual(readMessage(Buffer.from(data ?? []).toString()), question);
      break;
    }
    opened.cut();
    assert.deepEqual(await entriesOf(gateway, "request.denied"), []);
    assert.match((await client.post("lab", toolCall("risky"))).text, /Servers don't ask that/);
  });
}

test("a rule that cuts ends the link of the call in which a server asks, and the server is told", async (t) => {
  const question = { jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "Secret?" } };
  const { stub, as } = await house(
    t,
    `  - { name: cut-it, callers: ["*"], methods: ["lab/elicitation/create"], when: 'args.message.contains("Secret")', effect: cut, because: No secrets. }`,
    asking(question),
  );
  const client = await as("agent/a");
  const broken = await client.post("lab", toolCall("work")).then(
    ({ text }) => text,
    (error: unknown) => error,
  );
  assert.ok(broken instanceof Error, String(broken));
  await eventually("the server is told", () => stub.seen.some(({ body }) => body.includes("-31403")));
});

test("a watched rule lets a server ask and says what it would have done, once a call", async (t) => {
  const question = { jsonrpc: "2.0", id: "q", method: "roots/list" };
  const { gateway, as } = await house(
    t,
    `  - { name: watched, callers: ["*"], methods: ["*"], mode: shadow, effect: deny, because: Watched. }`,
    (_request, response) => {
      sse(response, question, question, { jsonrpc: "2.0", id: 1, result: {} });
      response.end();
    },
  );
  const { text } = await (await as("agent/a")).post("lab", toolCall("work"));
  assert.equal(said(text).length, 3);
  const entries = await entriesOf(gateway, "request.denied");
  assert.deepEqual(
    entries.map(({ outcome, facts }) => [outcome, facts["rule.shadow"]]),
    [["allowed", "watched=deny"]],
  );
});

for (const [what, bytes] of [
  ["with two methods", '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","method":"ping"}'],
  [
    "whose name is escaped twice over",
    '{"jsonrpc":"2.0","id":"q","\\u006dethod":"ping","method":"elicitation\\/create"}',
  ],
  ["in a batch", '[{"jsonrpc":"2.0","id":"q","method":"elicitation/create"}]'],
] as const) {
  test(`a question ${what}, which readers read in different ways, goes no further`, async (t) => {
    const { as } = await house(t, noAsking("elicitation/create"), (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`data: ${bytes}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n`);
    });
    const client = await as("agent/a");
    const got = await client.post("lab", toolCall("work")).then(
      ({ text }) => text,
      () => "broken off",
    );
    assert.doesNotMatch(got, /elicitation|ethod/);
  });
}

test("a stdio server that asks what a rule denies is told so, and goes on with the call", async (t) => {
  const script = fileURLToPath(new URL("../support/scripted-server.ts", import.meta.url));
  const gateway = await testGateway(
    t,
    `servers: { lab: { command: ["${process.execPath}", "${script}"] } }\npolicies:\n  - ${everything}\n${noAsking("elicitation/create")}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const { call } = await openSession(client, "lab");
  const question = '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m"}}';
  const result = '{"jsonrpc":"2.0","id":5,"result":{}}';
  const { text } = await call("say", { text: `${question}\n${result}\n` }, 5);
  assert.deepEqual(messagesIn(text), [result]);
  await eventually("the server hears it", async () =>
    heardIn((await call("heard", {}, 6)).text).some(
      (line) => line.includes("-31403") && line.includes('"q"'),
    ),
  );
});

const inputs = (method: string, params: object): object => ({
  resultType: "input_required",
  inputRequests: { one: { method: "roots/list", params: {} }, two: { method, params } },
  requestState: "s",
});

function modern(client: Client, method: string, params: Readonly<Record<string, unknown>>): Promise<string> {
  const { name, taskId, uri } = params as Readonly<Record<string, string | undefined>>;
  const body = { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: modernMeta } };
  return client.post("lab", body, modernHeaders(method, name ?? taskId ?? uri)).then(({ text }) => text);
}

for (const way of ["json", "stream"] as const) {
  test(`an answer that needs an input a rule denies is refused, and nothing of it reaches the client (${way})`, async (t) => {
    const asked = { message: "Your card number?", requestedSchema: { type: "object" } };
    const { as, gateway, stub } = await house(
      t,
      `  - { name: no-cards, callers: ["*"], methods: ["lab/elicitation/create"], when: 'args.message.contains("card")', effect: deny, because: Nobody types card numbers here. }`,
      (_request, response, body) => {
        const { params } = readMessage(body);
        const message = params?.["name"] === "harmless" ? { ...asked, message: "Your name?" } : asked;
        const answer = { jsonrpc: "2.0", id: 1, result: inputs("elicitation/create", message) };
        if (way === "stream") {
          sse(response, answer);
          response.end();
        } else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
      },
    );
    const client = await as("agent/a");
    const text = await modern(client, "tools/call", { name: "pay", arguments: {} });
    assert.match(text, /Denied by policy: Nobody types card numbers here/);
    assert.match(text, /"isError":true/);
    assert.doesNotMatch(text, /card number\?|requestState|inputRequests/);
    const [entry] = await entriesOf(gateway, "request.denied");
    assert.deepEqual([entry?.facts["asked"], entry?.facts["rule"]], ["elicitation/create", "no-cards"]);
    assert.match(await modern(client, "tools/call", { name: "harmless", arguments: {} }), /Your name\?/);
    assert.equal(stub.seen.length, 2);
  });
}

test("the error that has a client visit an address is an elicitation, and is denied as one", async (t) => {
  const error = {
    code: -32042,
    message: "Visit",
    data: {
      elicitations: [{ mode: "url", elicitationId: "e", url: "https://evil.test/", message: "Log in" }],
    },
  };
  const { as } = await house(
    t,
    `  - { name: only-our-pages, callers: ["*"], methods: ["*/elicitation/create"], when: 'has(args.url) && !args.url.startsWith("https://acme.test/")', effect: deny, because: Only pages of ours. }`,
    (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, error }));
    },
  );
  const { text } = await (await as("agent/a")).post("lab", toolCall("work"));
  assert.match(text, /Only pages of ours/);
  assert.doesNotMatch(text, /evil/);
});

test("a subscription that a rule denies is refused to the client, by what it is to", async (t) => {
  const { as, stub } = await house(
    t,
    `  - { name: not-the-ledger, callers: ["*"], methods: ["lab/resources/subscribe"], when: 'args.uri.startsWith("ledger:")', effect: deny, because: Nobody follows the ledger. }
  - { name: tools-news-only, callers: ["*"], methods: ["lab/subscriptions/listen"], when: 'has(args.notifications.resourceSubscriptions)', effect: deny, because: Only news of tools. }`,
  );
  const client = await as("agent/a");
  const subscribe = (uri: string): Promise<string> =>
    client
      .post("lab", { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } })
      .then(({ text }) => text);
  assert.match(await subscribe("ledger:1"), /Nobody follows the ledger/);
  assert.match(await subscribe("news:1"), /"result":\{\}/);
  const listen = (notifications: object): Promise<string> =>
    modern(client, "subscriptions/listen", { notifications });
  assert.match(await listen({ resourceSubscriptions: ["a:1"] }), /Only news of tools/);
  assert.match(await listen({ toolsListChanged: true }), /"result":\{\}/);
  assert.equal(stub.seen.length, 2);
});

const record = { name: "Ann", ssn: "123-45" };
const toolAnswer = {
  content: [{ type: "text", text: JSON.stringify(record) }],
  structuredContent: record,
};

/** Of both eras: the id of a task is its tool's name and a number. */
function taskServer(): Answering {
  let count = 0;
  const results: Readonly<Record<string, (params: Readonly<Record<string, unknown>>) => object>> = {
    "tools/call": ({ name, task }) => {
      const taskId = `${String(name)}-${++count}`;
      return task === undefined
        ? { resultType: "task", taskId, status: "working" }
        : { task: { taskId, status: "working" } };
    },
    "tasks/get": ({ taskId }) => ({
      resultType: "complete",
      taskId,
      status: "completed",
      result: toolAnswer,
    }),
    "tasks/result": () => toolAnswer,
    "tasks/list": () => ({
      tasks: Array.from({ length: count }, (_, n) => ({ taskId: `read-${n + 1}`, status: "working" })),
    }),
  };
  return (_request, response, body) => {
    const { id, method = "", params = {} } = readMessage(body);
    if (method === "subscriptions/listen") {
      const news = Array.from({ length: count }, (_, n) => ({
        jsonrpc: "2.0",
        method: "notifications/tasks",
        params: { taskId: `read-${n + 1}`, status: "completed", result: toolAnswer },
      }));
      sse(response, ...news, { jsonrpc: "2.0", id, result: { resultType: "complete" } });
      response.end();
      return;
    }
    const result = results[method]?.(params) ?? { resultType: "complete" };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
}

const redacting = `  - { name: no-numbers, callers: ["spiffe://latticegate.local/agent/a"], tools: ["lab/read"], when: args.person == 1, effect: redact, redact: { answer: [/ssn] }, because: Numbers stay inside. }`;

function legacy(client: Client, method: string, params: object): Promise<string> {
  return client.post("lab", { jsonrpc: "2.0", id: 1, method, params }).then(({ text }) => text);
}

test("somebody else's task isn't fetched, listened to, updated, ended or listed", async (t) => {
  const { as, stub } = await house(t, redacting, taskServer());
  const [ann, bob] = [await as("agent/a"), await as("agent/b")];
  assert.match(
    await modern(ann, "tools/call", { name: "read", arguments: { person: 1 } }),
    /"taskId":"read-1"/,
  );
  assert.match(
    await legacy(bob, "tools/call", { name: "read", arguments: {}, task: {} }),
    /"taskId":"read-2"/,
  );
  const before = stub.seen.length;
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const text = await modern(bob, method, { taskId: "read-1" });
    assert.equal(readMessage(text).error?.code, -32602, `${method} ${text}`);
  }
  assert.equal(readMessage(await legacy(bob, "tasks/result", { taskId: "read-1" })).error?.code, -32602);
  const listened = await modern(bob, "subscriptions/listen", { notifications: { taskIds: ["read-1"] } });
  assert.equal(readMessage(listened).error?.code, -32602, listened);
  assert.equal(stub.seen.length, before, "the server isn't asked");
  const listing = await legacy(bob, "tasks/list", {});
  assert.match(listing, /read-2/);
  assert.doesNotMatch(listing, /read-1/);
  const news = await modern(bob, "subscriptions/listen", { notifications: { taskIds: ["read-2"] } });
  assert.match(news, /read-2/);
  assert.doesNotMatch(news, /read-1/);
  assert.match(await modern(ann, "tasks/get", { taskId: "read-1" }), /"status":"completed"/);
});

test("what is taken out of a tool's answers is taken out of its tasks' results and news, by the arguments of the call", async (t) => {
  const { as } = await house(t, redacting, taskServer());
  const [ann, bob] = [await as("agent/a"), await as("agent/b")];
  await modern(ann, "tools/call", { name: "read", arguments: { person: 1 } });
  await modern(ann, "tools/call", { name: "read", arguments: { person: 2 } });
  await modern(bob, "tools/call", { name: "read", arguments: { person: 1 } });
  const isTaken = (text: string): boolean => {
    assert.match(text, /Ann/);
    return !text.includes("123-45");
  };
  assert.deepEqual(
    [
      isTaken(await modern(ann, "tasks/get", { taskId: "read-1" })),
      isTaken(await legacy(ann, "tasks/result", { taskId: "read-1" })),
      isTaken(await modern(ann, "tasks/get", { taskId: "read-2" })),
      isTaken(await modern(bob, "tasks/get", { taskId: "read-3" })),
    ],
    [true, true, false, false],
  );
  const news = said(
    await modern(ann, "subscriptions/listen", { notifications: { taskIds: ["read-1", "read-2"] } }),
  );
  assert.deepEqual(
    news.slice(0, -1).map((each) => [each.params?.["taskId"], JSON.stringify(each).includes("123-45")]),
    [
      ["read-1", false],
      ["read-2", true],
    ],
  );
});

test("of a task that a gateway didn't see begin, all goes that any rule takes out of that server's answers to the caller", async (t) => {
  const stub = await stubServer(t, taskServer());
  const yaml = `servers: { lab: { url: "${stub.url}" } }\npolicies:\n  - ${everything}\n${redacting}`;
  const before = await testGateway(t, yaml);
  await modern(clientOf(t, before, await enrol(before, "agent/a")), "tools/call", {
    name: "read",
    arguments: { person: 1 },
  });
  const { folder } = before;
  await before.stop();
  const gateway = await testGateway(t, yaml, { folder });
  const [ann, bob] = [
    clientOf(t, gateway, await enrol(gateway, "agent/a")),
    clientOf(t, gateway, await enrol(gateway, "agent/b")),
  ];
  const answers = [
    await modern(ann, "tasks/get", { taskId: "read-1" }),
    await legacy(ann, "tasks/result", { taskId: "read-1" }),
    await modern(ann, "subscriptions/listen", { notifications: { taskIds: ["read-1"] } }),
    await modern(bob, "tasks/get", { taskId: "read-1" }),
  ];
  for (const text of answers) assert.match(text, /Ann/);
  assert.deepEqual(
    answers.map((text) => text.includes("123-45")),
    [false, false, false, true],
  );
});

test("an answer that is come back to on another stream is redacted all the same", async (t) => {
  const answer = { jsonrpc: "2.0", id: 1, result: toolAnswer };
  const { as } = await house(t, redacting, (request, response) => {
    if (request.method === "GET") sse(response, answer);
    else response.writeHead(200, { "content-type": "text/event-stream" }).write("id: 1\ndata:\n\n");
    response.end();
  });
  const client = await as("agent/a");
  await client.post("lab", toolCall("read", 1, { person: 1 }));
  const { text } = await client.request("lab", {
    method: "GET",
    headers: { accept: "text/event-stream", "last-event-id": "1" },
  });
  assert.match(text, /Ann/);
  assert.doesNotMatch(text, /123-45/);
});

test("a rule about a task's methods sees the tool of the call that began it", async (t) => {
  const { as } = await house(
    t,
    `  - { name: slow-is-slow, callers: ["*"], methods: ["lab/tasks/get"], when: 'call.tool == "slow" && args.taskId != ""', effect: deny, because: Wait to be told. }`,
    taskServer(),
  );
  const client = await as("agent/a");
  await modern(client, "tools/call", { name: "slow", arguments: {} });
  await modern(client, "tools/call", { name: "read", arguments: {} });
  assert.match(await modern(client, "tasks/get", { taskId: "slow-1" }), /Wait to be told/);
  assert.match(await modern(client, "tasks/get", { taskId: "read-2" }), /"status":"completed"/);
  assert.match(await modern(client, "tasks/cancel", { taskId: "slow-1" }), /"complete"/);
});

test("who may not call a tool any more can't fetch what its task came to, and can end it", async (t) => {
  let nowUnixMs = Date.now();
  const evening = new Date(nowUnixMs + 30 * 60_000).toISOString();
  const stub = await stubServer(t, taskServer());
  const gateway = await testGateway(
    t,
    `servers: { lab: { url: "${stub.url}" } }\npolicies:\n  - ${everything}\n  - { name: until-evening, callers: ["*"], tools: ["lab/read"], when: 'now >= timestamp("${evening}")', effect: deny, because: Only by day. }`,
    { clock: { nowUnixMs: () => nowUnixMs } },
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  await modern(client, "tools/call", { name: "read", arguments: {} });
  assert.match(await modern(client, "tasks/get", { taskId: "read-1" }), /"status":"completed"/);
  nowUnixMs += 31 * 60_000;
  assert.match(await modern(client, "tasks/get", { taskId: "read-1" }), /Only by day/);
  assert.match(await modern(client, "tasks/cancel", { taskId: "read-1" }), /"complete"/);
});
