/** Legacy servers that lose sessions, ask too much, say odd things or end at the wrong time: a bridge answers its clients, and keeps nothing. */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { atEnd } from "../support/cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  rawLink,
  testGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { messagesIn } from "../support/pipes.ts";
import { entriesOf } from "../support/records.ts";
import { modernCall, modernHeaders, modernMeta } from "../support/ways.ts";

interface Said {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly [name: string]: unknown };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** One request of the gateway's at the server. */
interface Taken {
  readonly message: Said;
  readonly verb: string;
  readonly response: http.ServerResponse;
  readonly session: string;
}

interface Scene {
  readonly gateway: TestGateway;
  readonly enrolment: Enrolment;
  readonly client: Client;
  readonly seen: readonly Said[];
  readonly sessions: Set<string>;
  /** Streams for what is said unasked. */
  readonly beside: Set<http.ServerResponse>;
  readonly call: (name: string, id: number, params?: object) => Promise<Answered>;
}

interface Answered {
  readonly status: number;
  readonly messages: readonly Said[];
  readonly answer: Said;
}

const capabilities = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {}, roots: {} } };
const meta = { ...modernMeta, ...capabilities };
const form = { method: "elicitation/create", params: { message: "Who?", requestedSchema: {} } };

/** A server that answers `initialize`, and the rest as `take` says; what that leaves, it accepts or answers with nothing in it. */
async function scene(
  t: TestContext,
  take: (taken: Taken, server: { readonly sessions: Set<string> }) => boolean,
  speaks = "legacy",
): Promise<Scene> {
  const [seen, sessions, beside]: [Said[], Set<string>, Set<http.ServerResponse>] = [
    [],
    new Set(),
    new Set(),
  ];
  let opened = 0;
  const serve = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const body = Buffer.concat(await Array.fromAsync(request)).toString();
    const message = (body === "" ? {} : JSON.parse(body)) as Said;
    const session = String(request.headers["mcp-session-id"] ?? "");
    const verb = request.method ?? "";
    if (verb === "POST") seen.push(message);
    if (take({ message, verb, response, session }, { sessions })) return;
    if (message.method === "initialize") {
      const id = `s${++opened}`;
      sessions.add(id);
      whole(response, initialized(message), { "mcp-session-id": id });
    } else if (!sessions.has(session)) whole(response, refusal, {}, 404);
    else if (verb === "GET") beside.add(stream(response));
    else if (verb === "DELETE" || message.method === undefined || message.id === undefined)
      response.writeHead(202).end();
    else whole(response, { id: message.id, result: {} });
  };
  const server = http.createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const yaml = `servers: { old: { url: "http://127.0.0.1:${port}/mcp", bridge: ${speaks} } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  const enrolment = await enrol(gateway);
  const client = clientOf(t, gateway, enrolment);
  return {
    gateway,
    enrolment,
    client,
    seen,
    sessions,
    beside,
    call: async (name, id, params = {}) => answered(client, called(name, id, params)),
  };
}

const refusal = { id: null, error: { code: -32000, message: "No such session" } };

function initialized({ id }: Said): Said {
  const offers = { tools: {}, resources: { subscribe: true }, completions: {} };
  const serverInfo = { name: "odd", version: "1" };
  return { id: id ?? null, result: { protocolVersion: "2025-11-25", capabilities: offers, serverInfo } };
}

function called(name: string, id: number, params: object = {}): Parameters<Client["request"]>[1] {
  const said = { jsonrpc: "2.0", id, method: "tools/call", params: { name, ...params, _meta: meta } };
  return { headers: modernHeaders("tools/call", name), body: JSON.stringify(said) };
}

async function answered(client: Client, said: Parameters<Client["request"]>[1]): Promise<Answered> {
  const { status, text } = await client.request("old", said);
  const messages = messagesIn(text).map((each) => JSON.parse(each) as Said);
  return { status, messages, answer: messages.at(-1) ?? {} };
}

function whole(
  response: http.ServerResponse,
  message: Said,
  headers: http.OutgoingHttpHeaders = {},
  status = 200,
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

function stream(response: http.ServerResponse): http.ServerResponse {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  return response;
}

function event(response: http.ServerResponse, message: Said): void {
  response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
}

const done = { content: [{ type: "text", text: "done" }] };

function isDone({ answer }: Answered): boolean {
  return answer.result?.["resultType"] === "complete" && JSON.stringify(answer).includes("done");
}

/** What brings an answer to a parked call. */
function back({ answer }: Answered, inputResponses: object = {}): object {
  return { requestState: answer.result?.["requestState"], inputResponses };
}

test("a call outlives that the server lost its session for another, and what was sent at once is made anew", async (t) => {
  const held: Taken[] = [];
  const lost: Taken[] = [];
  const { call, seen, sessions } = await scene(t, (taken, server) => {
    if (taken.message.params?.name === "hold") {
      event(stream(taken.response), { method: "notifications/message", params: { level: "info", data: 1 } });
      return held.push(taken) > 0;
    }
    if (taken.message.params?.name !== "both" || !server.sessions.has(taken.session)) return false;
    if (taken.session !== "s1") {
      whole(taken.response, { id: taken.message.id ?? null, result: done });
      return true;
    }
    if (lost.push(taken) === 2) for (const each of lost) whole(each.response, refusal, {}, 404);
    return true;
  });
  const waiting = call("hold", 1);
  await eventually("it is under way", () => held.length === 1);
  const both = await Promise.all([call("both", 2), call("both", 3)]);
  assert.deepEqual(both.map(isDone), [true, true], JSON.stringify(both));
  assert.equal(seen.filter(({ method }) => method === "initialize").length, 2);
  assert.ok(sessions.has("s1"));
  const [first] = held;
  if (first !== undefined) event(first.response, { id: first.message.id ?? 0, result: done });
  assert.ok(isDone(await waiting));
});

test("a server that knows no session is no legacy server by that: its client isn't told 404", async (t) => {
  const { call, seen } = await scene(t, ({ message, response }) => {
    if (message.method !== "tools/call") return false;
    whole(response, refusal, {}, 404);
    return true;
  });
  const { status, answer } = await call("any", 1);
  assert.equal(status, 502);
  assert.match(answer.error?.message ?? "", /keeps no session/);
  assert.equal(seen.filter(({ method }) => method === "tools/call").length, 2);
});

test("a call that the server took isn't made again when its session is lost before it answers", async (t) => {
  const { call, seen } = await scene(t, ({ message, verb, response }, { sessions }) => {
    if (message.method !== "tools/call") return false;
    sessions.clear();
    assert.equal(verb, "POST");
    stream(response).end("id: 1\nretry: 10\ndata:\n\n");
    return true;
  });
  const { status, answer } = await call("pay", 1);
  assert.equal(seen.filter(({ method }) => method === "tools/call").length, 1);
  assert.equal(status, 502, JSON.stringify(answer));
});

test("calls that were answered while nobody waited don't count as under way for ever", async (t) => {
  const open: Taken[] = [];
  const { call } = await scene(t, (taken) => {
    if (taken.message.params?.name !== "ask") return false;
    open.push(taken);
    event(stream(taken.response), { id: `q${open.length}`, ...form });
    return true;
  });
  for (let round = 0; round < 8; round++) {
    const ids = Array.from({ length: 50 }, (_, i) => round * 100 + i);
    const asked = await Promise.all(ids.map(async (id) => call("ask", id)));
    for (const { message, response } of open.splice(0)) {
      event(response, { id: message.id ?? 0, result: done });
      response.end();
    }
    await call("other", round * 100 + 99); // The answers come before this one's.
    const answers = await Promise.all(
      asked.map(async (each, i) => call("ask", (ids[i] ?? 0) + 1000, back(each))),
    );
    assert.deepEqual(
      answers.filter((each) => !isDone(each)),
      [],
    );
  }
});

test("parked calls of a caller hold no more than 32 MiB: the oldest make way", async (t) => {
  const { call, seen } = await scene(t, ({ message, response }) => {
    if (message.method !== "tools/call") return false;
    event(stream(response), { id: "q", ...form });
    return true;
  });
  const big = { arguments: { text: "x".repeat(7 * 1024 * 1024) } };
  for (let id = 1; id <= 5; id++) assert.ok((await call("ask", id, big)).answer.result);
  const ended = (): readonly Said[] => seen.filter(({ method }) => method === "notifications/cancelled");
  await eventually("one makes way", () => ended().length === 1);
  const [first] = seen.filter(({ method }) => method === "tools/call");
  assert.equal(ended()[0]?.params?.["requestId"], first?.id);
});

test("of a thousand questions in one call the client is asked some, and the server hears of the others", async (t) => {
  const { call, seen } = await scene(t, ({ message, response }) => {
    if (message.method !== "tools/call") return false;
    stream(response);
    for (let i = 0; i < 60; i++) event(response, { id: i, ...form });
    return true;
  });
  const { answer } = await call("ask", 1);
  assert.equal(Object.keys(answer.result?.["inputRequests"] ?? {}).length, 32);
  await eventually(
    "the others are refused",
    () => seen.filter(({ error }) => error !== undefined).length === 28,
  );
});

test("no question is left without an answer where its call ends before it is asked", async (t) => {
  const { call, seen } = await scene(t, ({ message, response }) => {
    if (message.method !== "tools/call") return false;
    event(stream(response), { id: "q", ...form });
    event(response, { id: message.id ?? 0, result: done });
    response.end();
    return true;
  });
  assert.ok(isDone(await call("ask", 1)));
  await eventually("the server hears of it", () =>
    seen.some(({ id, error }) => id === "q" && error !== undefined),
  );
});

test("only calls whose answer may be a question are answered with one", async (t) => {
  const { client, seen } = await scene(t, ({ message, response }) => {
    if (message.method !== "completion/complete") return false;
    event(stream(response), { id: "q", ...form });
    event(response, { id: message.id ?? 0, result: { completion: { values: [] } } });
    return true;
  });
  const params = { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "" }, _meta: meta };
  const said = { jsonrpc: "2.0", id: 1, method: "completion/complete", params };
  const given = { headers: modernHeaders("completion/complete"), body: JSON.stringify(said) };
  const { answer } = await answered(client, given);
  assert.equal(answer.result?.["resultType"], "complete", JSON.stringify(answer));
  await eventually("the server hears of it", () => seen.some(({ error }) => error?.code === -32601));
});

test("a legacy server's answer in the modern form asks nobody anything", async (t) => {
  const { call } = await scene(t, ({ message, response }) => {
    if (message.method !== "tools/call") return false;
    const asked = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
    const result = { resultType: "input_required", inputRequests: { a: asked }, requestState: "mine" };
    whole(response, { id: message.id ?? 0, result });
    return true;
  });
  const { status, answer } = await call("ask", 1);
  assert.deepEqual([status, answer.result], [502, undefined]);
});

test("a stream that stays open behind its answer is left", async (t) => {
  let isOpen = true;
  const { call } = await scene(t, ({ message, response }) => {
    if (message.method !== "tools/call") return false;
    event(stream(response), { id: 4711, result: { content: [] } }); // Of no call of this client's.
    event(response, { id: message.id ?? 0, result: done });
    response.on("close", () => (isOpen = false));
    return true;
  });
  assert.ok(isDone(await call("linger", 1)));
  await eventually("its connection is closed", () => !isOpen);
});

test("what two readers could read in two ways is told as it came, and an error without an id is the call's", async (t) => {
  const { call } = await scene(t, ({ message, response }) => {
    if (message.params?.name === "bare") {
      response.writeHead(400, { "content-type": "application/json" });
      response.end('{"jsonrpc":"2.0","error":{"code":-32000,"message":"No"}}');
      return true;
    }
    if (message.method !== "tools/call") return false;
    stream(response).write('data: {"jsonrpc":"2.0","method":"acme/told","params":{"a":1,"a":2}}\n\n');
    event(response, { id: message.id ?? 0, result: done });
    response.end();
    return true;
  });
  const twice = await call("twice", 1);
  assert.deepEqual(
    twice.messages.map(({ method }) => method),
    ["acme/told", undefined],
  );
  assert.ok(isDone(twice));
  const bare = await call("bare", 2);
  assert.deepEqual([bare.answer.id, bare.answer.error?.code], [2, -32000]);
});

const notifications = { resourceSubscriptions: ["mem://a"] };

function listening(id: string): Parameters<Client["request"]>[1] {
  const params = { notifications, _meta: meta };
  const said = { jsonrpc: "2.0", id, method: "subscriptions/listen", params };
  return { headers: modernHeaders("subscriptions/listen"), body: JSON.stringify(said) };
}

test("a subscription ends with the session it was made in, and the next one hears again", async (t) => {
  const { client, sessions, beside, seen } = await scene(t, () => false);
  const listen = async (id: string): Promise<readonly Said[]> => {
    const heard: Said[] = [];
    const { events } = await client.stream("old", listening(id));
    void (async () => {
      for await (const { data } of events)
        if (data !== null) heard.push(JSON.parse(Buffer.from(data).toString()) as Said);
    })().catch(() => heard.push({ method: "ended" }));
    return heard;
  };
  const first = await listen("a");
  await eventually("it is acknowledged, and heard", () => first.length === 1 && beside.size === 1);
  sessions.clear();
  for (const each of beside) each.end();
  beside.clear();
  await eventually("it has ended", () => first.length === 2);
  const second = await listen("b");
  await eventually("the next is acknowledged", () => second.length === 1 && beside.size === 1);
  assert.deepEqual(second[0]?.params?.["notifications"], notifications);
  assert.equal(seen.filter(({ method }) => method === "initialize").length, 2);
});

test("a client that goes before its subscription began leaves none behind", async (t) => {
  const opening: (() => void)[] = [];
  const { gateway, enrolment, call, seen } = await scene(t, ({ message, response }, { sessions }) => {
    if (message.method !== "initialize") return false;
    sessions.add("late");
    opening.push(() => whole(response, initialized(message), { "mcp-session-id": "late" }));
    return true;
  });
  const link = await rawLink(gateway, enrolment);
  const { headers = {}, body = "" } = listening("a");
  const head = { ...headers, host: gateway.address, "content-length": String(body.length) };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}`);
  link.write(`POST /mcp/old HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${String(body)}`);
  await eventually("its session is being opened", () => opening.length === 1);
  link.destroy();
  const outcomes = async (): Promise<number> => (await entriesOf(gateway, "call.outcome")).length;
  await eventually("it is gone", async () => (await outcomes()) === 1);
  const other = call("any", 7);
  for (const open of opening) open();
  assert.equal((await other).status, 200);
  assert.ok(!seen.some(({ method }) => method === "resources/subscribe"), "nobody listens");
});

test("a gateway that stops while a server is slow to end a subscription ends well", async (t) => {
  const { gateway, client, seen } = await scene(t, ({ message, response }) => {
    if (message.method !== "resources/unsubscribe") return false;
    stream(response).end("id: 1\nretry: 30000\ndata:\n\n");
    return true;
  });
  const open = await client.stream("old", listening("a"));
  await eventually("it is subscribed", () => seen.some(({ method }) => method === "resources/subscribe"));
  open.cut();
  await eventually("it is unsubscribed", () => seen.some(({ method }) => method === "resources/unsubscribe"));
  await gateway.stop();
});

test("auto: a modern server that refuses one caller's question isn't taken for a legacy one", async (t) => {
  let isBusy = true;
  const { client, seen } = await scene(
    t,
    ({ message, response }) => {
      const isModern = JSON.stringify(message).includes("2026-07-28");
      if (isBusy) response.writeHead(431).end();
      else if (message.method === "server/discover")
        whole(response, {
          id: message.id ?? 0,
          result: { resultType: "complete", supportedVersions: ["2026-07-28"] },
        });
      else if (isModern)
        whole(response, { id: message.id ?? 0, result: { resultType: "complete", ...done } });
      else whole(response, { id: message.id ?? 0, error: { code: -32601, message: "No" } }, {}, 404);
      return true;
    },
    "auto",
  );
  const said = modernCall("echo", {}, 1);
  const given = { headers: said.headers as Record<string, string>, body: said.body as string };
  assert.equal((await client.request("old", given)).status, 431);
  isBusy = false;
  assert.ok(isDone(await answered(client, given)));
  assert.equal(seen.at(-1)?.method, "tools/call");
});
