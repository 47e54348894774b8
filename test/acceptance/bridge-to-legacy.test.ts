/** Modern clients at a legacy server, through a gateway that translates: rounds, sessions, streams, and who may go on with what. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { systemClock } from "../../src/host/system.ts";
import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  testGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { type LegacyServer, legacyServer } from "../support/legacy-server.ts";
import { messagesIn } from "../support/pipes.ts";
import { entriesOf } from "../support/records.ts";
import { modernHeaders } from "../support/ways.ts";

interface Result {
  readonly resultType: string;
  readonly inputRequests?: Readonly<Record<string, { readonly method: string }>>;
  readonly requestState?: string;
  readonly content?: readonly { readonly text: string }[];
  readonly [name: string]: unknown;
}

interface Said {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Result;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

interface Asked {
  readonly status: number;
  readonly messages: readonly Said[];
  readonly answer: Said;
}

interface Scene {
  readonly server: LegacyServer;
  readonly gateway: TestGateway;
  readonly client: Client;
  readonly ask: (method: string, params?: object, options?: AskOptions) => Promise<Asked>;
  readonly call: (name: string, params?: object, options?: AskOptions) => Promise<Asked>;
}

interface AskOptions {
  readonly id?: number | string;
  readonly capabilities?: object;
  readonly logLevel?: string;
  readonly token?: number;
  readonly client?: Client;
}

const everything = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

async function scene(t: TestContext, speaks = "legacy", clock = systemClock): Promise<Scene> {
  const server = await legacyServer(t);
  const yaml = `servers: { old: { url: "${server.url}", bridge: ${speaks} } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml, { clock });
  const client = clientOf(t, gateway, await enrol(gateway));
  const ask = asker(client);
  return {
    server,
    gateway,
    client,
    ask,
    call: (name, params, options) => ask("tools/call", { name, ...params }, options),
  };
}

function asker(client: Client): Scene["ask"] {
  return async (method, params = {}, options = {}) => {
    const said = request(method, params, options);
    const answered = await (options.client ?? client).request("old", said);
    const messages = messagesIn(answered.text).map((text) => JSON.parse(text) as Said);
    return { status: answered.status, messages, answer: messages.at(-1) ?? {} };
  };
}

function request(
  method: string,
  params: object,
  { id = 1, capabilities = everything, logLevel, token }: AskOptions,
): { readonly headers: Record<string, string>; readonly body: string } {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "new", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": capabilities,
    ...(logLevel !== undefined && { "io.modelcontextprotocol/logLevel": logLevel }),
    ...(token !== undefined && { progressToken: token }),
    "acme.test/kept": 1,
  };
  const { name, uri } = params as { readonly name?: string; readonly uri?: string };
  const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } });
  return { headers: modernHeaders(method, name ?? uri), body };
}

/** What the tool of the server told. */
function toldBy({ answer }: Asked): unknown {
  return JSON.parse(answer.result?.content?.[0]?.text ?? "null");
}

const ada = { action: "accept", content: { name: "Ada" } };

/** Answers everything with the same, one more round. */
function responses({ answer }: Asked, value: object = ada): object {
  const keys = Object.keys(answer.result?.inputRequests ?? {});
  return {
    inputResponses: Object.fromEntries(keys.map((key) => [key, value])),
    requestState: answer.result?.requestState,
  };
}

for (const speaks of ["legacy", "auto"]) {
  test(`bridge: ${speaks}: what the server is, and lists, and answers, in the modern era's form`, async (t) => {
    const { server, ask, call } = await scene(t, speaks);
    const { result: found } = (await ask("server/discover")).answer;
    assert.deepEqual(found, {
      resultType: "complete",
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
      instructions: "Be kind.",
      ttlMs: 0,
      cacheScope: "private",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "legacy", version: "7" } },
    });
    const { result: page } = (await ask("tools/list")).answer;
    assert.deepEqual([page?.["ttlMs"], page?.["cacheScope"], page?.["nextCursor"]], [0, "private", "2"]);
    const echoed = await call("echo", { arguments: { n: 1 } }, { id: "x-1" });
    assert.deepEqual([echoed.answer.id, echoed.answer.result?.resultType], ["x-1", "complete"]);
    assert.deepEqual(toldBy(echoed), { name: "echo", arguments: { n: 1 }, _meta: { "acme.test/kept": 1 } });
    const { headers, message } = server.seen.at(-1) ?? assert.fail("nothing came");
    assert.equal(headers["mcp-protocol-version"], "2025-11-25");
    assert.deepEqual([headers["mcp-method"], headers["mcp-name"]], [undefined, undefined]);
    assert.equal(typeof message.id, "number");
    const own = server.heard("initialize").filter(({ params }) => isOf(params, "new"));
    assert.equal(own.length, 1, "one session for all");
  });
}

function isOf(params: Readonly<Record<string, unknown>> | undefined, name: string): boolean {
  return (params?.["clientInfo"] as { readonly name?: string } | undefined)?.name === name;
}

test("errors have the modern era's codes and statuses", async (t) => {
  const { ask } = await scene(t);
  const missing = await ask("resources/read", { uri: "mem://b" });
  assert.deepEqual(missing.answer.error, {
    code: -32602,
    message: "Resource not found",
    data: { uri: "mem://b" },
  });
  for (const method of ["initialize", "ping", "logging/setLevel", "resources/subscribe", "acme/unknown"]) {
    const { status, answer } = await ask(method, { uri: "mem://a" });
    assert.deepEqual([status, answer.error?.code], [404, -32601], method);
  }
});

test("what the server asks, the client is asked by rounds, and the server hears one call", async (t) => {
  const { server, call } = await scene(t);
  for (const [tool, method, value] of [
    ["ask", "elicitation/create", ada],
    ["ask", "elicitation/create", { action: "decline" }],
    [
      "sample",
      "sampling/createMessage",
      { role: "assistant", content: { type: "text", text: "P" }, model: "m" },
    ],
    ["roots", "roots/list", { roots: [{ uri: "file:///a" }] }],
    ["ask_beside", "elicitation/create", ada],
  ] as const) {
    const before = server.heard(tool).length;
    const first = await call(tool);
    assert.equal(first.answer.result?.resultType, "input_required", tool);
    const methods = Object.values(first.answer.result?.inputRequests ?? {}).map((each) => each.method);
    assert.deepEqual(methods, [method]);
    const second = await call(tool, responses(first, value), { id: 2 });
    assert.deepEqual((toldBy(second) as Said).result, value, tool);
    assert.equal(second.answer.id, 2);
    assert.equal(server.heard(tool).length, before + 1);
  }
});

test("what is asked at once is asked at once, and what was left out is asked again", async (t) => {
  const { call } = await scene(t);
  const first = await call("ask_twice");
  const requests = first.answer.result?.inputRequests ?? {};
  const [form = "", roots = ""] = Object.keys(requests);
  assert.deepEqual(
    Object.values(requests)
      .map(({ method }) => method)
      .toSorted(),
    ["elicitation/create", "roots/list"],
  );
  const { requestState } = first.answer.result ?? {};
  const second = await call("ask_twice", { requestState, inputResponses: { [form]: ada, other: 1 } });
  assert.deepEqual(Object.keys(second.answer.result?.inputRequests ?? {}), [roots]);
  const third = await call("ask_twice", responses(second, { roots: [] }));
  assert.equal((toldBy(third) as readonly unknown[]).length, 2);
  const many = await call("ask_more", { arguments: { rounds: 12 } });
  let last = many;
  for (let round = 0; round < 12; round++)
    last = await call("ask_more", { arguments: { rounds: 12 }, ...responses(last) });
  assert.equal((toldBy(last) as readonly unknown[]).length, 12);
});

test("an answer that can't be one is refused, and the right one still counts", async (t) => {
  const { call } = await scene(t);
  const first = await call("ask");
  const wrong = await call("ask", responses(first, { action: "perhaps" }));
  assert.match(wrong.answer.error?.message ?? "", /can't be an answer to elicitation\/create/);
  assert.equal(wrong.answer.error?.code, -32602);
  const right = await call("ask", responses(first));
  assert.deepEqual((toldBy(right) as Said).result, ada);
});

test("a requestState counts for its caller, its call and its time, whole, and once", async (t) => {
  let aheadMs = 0;
  const clock = { nowUnixMs: () => systemClock.nowUnixMs() + aheadMs };
  const { gateway, call, server } = await scene(t, "legacy", clock);
  const first = await call("ask");
  const { requestState = "" } = first.answer.result ?? {};
  const others = clientOf(t, gateway, await enrol(gateway, "agent/other"));
  const flipped = `${requestState.slice(0, 20)}${requestState[20] === "A" ? "B" : "A"}${requestState.slice(21)}`;
  const given = responses(first);
  const refused = async (asked: Promise<Asked>, why: RegExp): Promise<void> => {
    const { answer } = await asked;
    assert.equal(answer.error?.code, -32602);
    assert.match(answer.error.message, why);
  };
  const foreign = /isn't one that was given out for this very call to this caller/;
  await refused(call("ask", { ...given, requestState: flipped }), foreign);
  await refused(call("ask", { ...given, requestState: "" }), foreign);
  await refused(call("ask", { ...given, requestState: "A".repeat(5000) }), foreign);
  await refused(call("ask", { ...given, requestState: { a: 1 } }), foreign);
  await refused(call("ask", given, { client: others }), foreign);
  await refused(call("sample", given), foreign);
  await refused(call("ask", { ...given, arguments: { changed: 1 } }), foreign);
  assert.equal(
    server.seen.filter(({ message }) => message.method === undefined).length,
    0,
    "it heard nothing",
  );
  const both = await Promise.all([call("ask", given, { id: 5 }), call("ask", given, { id: 6 })]);
  assert.deepEqual(
    both.map(({ answer }) => answer.error?.code).toSorted((a = 0, b = 0) => a - b),
    [-32602, undefined],
  );
  await refused(call("ask", given), /was answered or ended already/);
  const late = await call("ask");
  aheadMs = 601_000;
  await refused(call("ask", responses(late)), /has expired/);
  const own = (await entriesOf(gateway, "call.outcome")).filter(
    ({ facts }) => facts["bridged_to"] === "legacy",
  );
  assert.ok(own.length > 2, "what was translated says so");
  const outcomes = (await entriesOf(gateway, "call.outcome")).map(
    ({ facts }) => facts["code"] ?? facts["reason"],
  );
  assert.ok(outcomes.includes("request_state"), outcomes.join());
});

test("consent at an address is asked for as the modern era does, and the call is made anew", async (t) => {
  const { server, call } = await scene(t);
  const first = await call("consent");
  const [asked] = Object.values(first.answer.result?.inputRequests ?? {});
  assert.deepEqual(asked, {
    method: "elicitation/create",
    params: { mode: "url", url: "https://pay.test/1", elicitationId: "e1", message: "Pay" },
  });
  const second = await call("consent", responses(first, { action: "accept" }));
  assert.equal(second.answer.result?.resultType, "complete");
  assert.equal(server.heard("consent").length, 2);
});

test("consent that isn't given isn't asked for again, and the call isn't made", async (t) => {
  const { server, call } = await scene(t);
  const refused = await call("consent", responses(await call("consent"), { action: "decline" }));
  assert.equal(refused.answer.error?.code, -32602);
  assert.match(refused.answer.error.message, /wasn't given/);
  assert.equal(server.heard("consent").length, 1);
});

test("who can't give consent at an address is told what it would have to be able to do", async (t) => {
  const { call } = await scene(t);
  const { status, answer } = await call("consent", {}, { capabilities: { elicitation: { form: {} } } });
  assert.deepEqual([status, answer.error?.code], [400, -32021]);
  assert.deepEqual(answer.error?.data, { requiredCapabilities: { elicitation: { url: {} } } });
});

test("what the client can't be asked, the server is told; pings are answered for it", async (t) => {
  const { call } = await scene(t);
  for (const tool of ["ask", "sample", "roots", "alien"]) {
    const told = toldBy(await call(tool, {}, { capabilities: {} })) as Said;
    assert.equal(told.error?.code, -32601, tool);
  }
  assert.deepEqual((toldBy(await call("ping")) as Said).result, {});
});

test("log messages come as they are wanted, and progress with the client's own token", async (t) => {
  const { call } = await scene(t);
  const said = async (options: AskOptions): Promise<readonly unknown[]> =>
    (await call("log", {}, options)).messages.flatMap(({ method, params }) =>
      method === undefined ? [] : [params?.["level"] ?? params?.["progressToken"]],
    );
  assert.deepEqual(await said({}), []);
  assert.deepEqual(await said({ logLevel: "info" }), ["info", "error"]);
  assert.deepEqual(await said({ logLevel: "debug", token: 77 }), ["debug", "info", "error", 77]);
});

test("logs and progress that the server says on its session's stream come with the call all the same", async (t) => {
  const { call } = await scene(t);
  const { messages } = await call("log_beside", {}, { logLevel: "info", token: 9 });
  const said = messages.flatMap(({ params }) => params?.["level"] ?? params?.["progressToken"] ?? []);
  assert.deepEqual(said, ["error", 9]);
});

test("nobody listens to what it may not read", async (t) => {
  const server = await legacyServer(t);
  const some = `policies:
  - name: some
    callers: ["spiffe://latticegate.local/agent/*"]
    resources: ["old/mem://a"]
    effect: allow
    because: Just that.`;
  const gateway = await testGateway(t, `servers: { old: { url: "${server.url}", bridge: legacy } }\n${some}`);
  const ask = asker(clientOf(t, gateway, await enrol(gateway)));
  for (const resourceSubscriptions of [["mem://secret"], ["mem://a", "mem://secret"]]) {
    const { answer } = await ask("subscriptions/listen", { notifications: { resourceSubscriptions } });
    assert.equal(answer.error?.code, -31403);
  }
  assert.deepEqual(server.heard("resources/subscribe"), []);
  const denied = (await entriesOf(gateway, "call.decision")).filter(
    ({ facts }) => facts["method"] === "subscriptions/listen",
  );
  assert.equal(denied.length, 2);
});

test("a client that goes away has its call cancelled, by the server's own id", async (t) => {
  const { server, client } = await scene(t);
  const said = request("tools/call", { name: "hold" }, { id: "h", token: 5 });
  const open = await client.stream("old", said);
  open.cut();
  await eventually("the server hears of it", () => server.heard("notifications/cancelled").length === 1);
  const [held] = server.heard("hold");
  assert.equal(server.heard("notifications/cancelled")[0]?.params?.["requestId"], held?.id);
  await eventually("nothing is left of it", () => server.openCalls() === 0);
});

test("streams that the server closes are come back to", async (t) => {
  const { call } = await scene(t);
  assert.equal(toldBy(await call("polled")), "later");
});

test("a session that the server lost is opened again, and the call is made once more", async (t) => {
  const { server, call } = await scene(t);
  assert.equal((await call("lost")).answer.result?.resultType, "complete");
  assert.equal(server.heard("initialize").length, 2);
});

test("an answer that comes without what was asked for is kept until its client comes back", async (t) => {
  const { server, call } = await scene(t);
  const first = await call("withdraw");
  assert.equal(first.answer.result?.resultType, "input_required");
  await eventually("it has ended", () => server.openCalls() === 0);
  const second = await call("withdraw", responses(first));
  assert.equal(toldBy(second), "by itself");
});

test("a subscription hears what it asked for, tagged, and leaves nothing behind", async (t) => {
  const { server, client } = await scene(t);
  const notifications = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourceSubscriptions: ["mem://a"],
  };
  const said = request("subscriptions/listen", { notifications }, { id: "sub" });
  const listening = await client.stream("old", said);
  const heard: Said[] = [];
  const reading = (async () => {
    for await (const { data } of listening.events)
      if (data !== null) heard.push(JSON.parse(Buffer.from(data).toString()) as Said);
  })().catch(() => undefined);
  await eventually("it is acknowledged", () => heard.length === 1);
  assert.deepEqual(heard[0]?.params?.["notifications"], {
    toolsListChanged: true,
    resourceSubscriptions: ["mem://a"],
  });
  server.say({ method: "notifications/resources/updated", params: { uri: "mem://b" } });
  server.say({ method: "notifications/resources/updated", params: { uri: "mem://a" } });
  server.say({ method: "notifications/tools/list_changed" });
  await eventually("what it asked for came", () => heard.length === 3);
  const tags = heard.map(
    ({ params }) =>
      (params?.["_meta"] as Record<string, unknown> | undefined)?.["io.modelcontextprotocol/subscriptionId"],
  );
  assert.deepEqual(tags, ["sub", "sub", "sub"]);
  assert.deepEqual(
    heard.map(({ method }) => method?.split("/").at(-1)),
    ["acknowledged", "updated", "list_changed"],
  );
  listening.cut();
  await reading;
  await eventually("it is unsubscribed", () => server.heard("resources/unsubscribe").length === 1);
});

test("a gateway that stops ends parked calls and sessions, and the next one says so", async (t) => {
  const { server, gateway, call } = await scene(t);
  const first = await call("ask");
  assert.equal(server.sessions.size, 1);
  await gateway.stop();
  assert.equal(server.sessions.size, 0);
  assert.equal(server.heard("notifications/cancelled").length, 1);
  const yaml = `servers: { old: { url: "${server.url}", bridge: legacy } }\n${openPolicy}`;
  const next = await testGateway(t, yaml, { folder: gateway.folder });
  const ask = asker(clientOf(t, next, await enrol(next)));
  const { answer } = await ask("tools/call", { name: "ask", ...responses(first) });
  assert.equal(answer.error?.code, -32602);
  assert.match(answer.error.message, /make the call again|given out/);
});

test("legacy clients aren't translated: their bytes reach the server", async (t) => {
  const { server, client } = await scene(t, "auto");
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "old", version: "1" },
  };
  const opened = await client.post("old", { jsonrpc: "2.0", id: 0, method: "initialize", params });
  assert.match(opened.text, /"name":"legacy"/);
  const own = server.heard("initialize").filter((message) => isOf(message.params, "old"));
  assert.deepEqual(own, [{ jsonrpc: "2.0", id: 0, method: "initialize", params }]);
});
