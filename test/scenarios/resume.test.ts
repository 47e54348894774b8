/**
 * Legacy clients of stdio servers that lose their connection, or have it closed, in the middle of a call, and
 * come back for the rest (MCP 2025-11-25 transports: resumability).
 */
import assert from "node:assert/strict";
import { symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, connectHttp, connectStdio } from "../../src/app/connect.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openBundlePath } from "../../src/host/store/log-folder.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { fromUtf8 } from "../../src/kernel/bytes.ts";
import type { SseEvent } from "../../src/wire/sse.ts";
import { breakableLink } from "../support/breakable-link.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, recorded, type Recorded } from "../support/records.ts";

const server = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));
const silent = systemLog({ level: "error", form: "json", write: () => undefined });

async function gatewayWith(t: TestContext, limits = ""): Promise<TestGateway> {
  const command = JSON.stringify([process.execPath, server]);
  return await testGateway(
    t,
    `servers: { pipe: { command: ${command} } }\nlimits: { ${limits} }\n${openPolicy}`,
  );
}

interface Session {
  readonly headers: Record<string, string>;
  /** Calls a tool, and gives what comes back as it comes. */
  readonly call: (name: string, id: number, args?: object) => ReturnType<Client["stream"]>;
  /** Calls a tool that answers at once. @returns the value in its answer */
  readonly ask: (name: string, id: number) => Promise<unknown>;
  /** Comes back. */
  readonly get: (lastEventId?: string) => ReturnType<Client["stream"]>;
}

async function open(client: Client, version = "2025-11-25"): Promise<Session> {
  const opened = await client.post("pipe", { jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-session-id": String(opened.headers["mcp-session-id"]),
    "mcp-protocol-version": version,
  };
  const call: Session["call"] = (name, id, args = {}) => {
    const params = { name, arguments: args, _meta: { progressToken: id } };
    const message = { jsonrpc: "2.0", id, method: "tools/call", params };
    return client.stream("pipe", { headers, body: JSON.stringify(message) });
  };
  return {
    headers,
    call,
    ask: async (name, id) => valueOf((await read((await call(name, id)).events)).messages.at(-1)),
    get: (id) =>
      client.stream("pipe", {
        method: "GET",
        headers: { ...headers, ...(id !== undefined && { "last-event-id": id }) },
      }),
  };
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly progress?: number };
  readonly result?: { readonly content: readonly [{ readonly text: string }] };
  readonly error?: { readonly code: number; readonly message: string };
}

interface ReadStream {
  readonly messages: readonly Message[];
  readonly events: readonly SseEvent[];
  readonly lastId: string;
}

/** Reads a stream to its end, or up to an event. */
async function read(events: AsyncIterable<SseEvent>, upTo?: number): Promise<ReadStream> {
  const all: SseEvent[] = [];
  // Not `for await`: leaving that would end the connection.
  const next = events[Symbol.asyncIterator]();
  while (all.length !== upTo) {
    const event = await next.next();
    if (event.done === true) break;
    all.push(event.value);
  }
  const messages = all.flatMap(({ data }) =>
    data === null || data.length === 0 ? [] : [JSON.parse(fromUtf8(data) ?? "") as Message],
  );
  return { messages, events: all, lastId: all.findLast(({ id }) => id !== undefined)?.id ?? "" };
}

function valueOf(message: Message | undefined): unknown {
  return JSON.parse(message?.result?.content[0].text ?? "null");
}

/** How the calls of a tool, or the GETs, ended, in order. */
async function outcomes(gateway: TestGateway, what: string): Promise<readonly Recorded[]> {
  const entries = await recorded(gateway);
  return entries.filter(
    ({ event, tool, facts }) => event === "call.outcome" && (tool ?? facts["method"]) === what,
  );
}

/** Once nobody is connected any more, each call has its outcome. */
async function settled(gateway: TestGateway): Promise<void> {
  await eventually("each call has its outcome", async () => {
    const entries = await recorded(gateway);
    const of = (event: string): number => entries.filter((entry) => entry.event === event).length;
    return of("call.outcome") >= of("call.decision");
  });
}

async function setUp(
  t: TestContext,
  limits = "",
): Promise<{ readonly gateway: TestGateway; readonly client: Client; readonly session: Session }> {
  const gateway = await gatewayWith(t, limits);
  const client = clientOf(t, gateway, await enrol(gateway));
  return { gateway, client, session: await open(client) };
}

test("a call whose connection breaks goes on; its client comes back for the answer, and the log says so", async (t) => {
  const { gateway, session } = await setUp(t);
  const call = await session.call("hold", 1, { reports: 1 });
  const { lastId } = await read(call.events, 2);
  call.cut();
  await eventually("the break is on record", async () => (await outcomes(gateway, "pipe/hold")).length === 1);
  assert.equal(await session.ask("release", 2), 1, "the tool ran once");
  const rest = await read((await session.get(lastId)).events);
  assert.deepEqual(
    rest.messages.map(({ id }) => id),
    [1],
  );
  assert.equal(valueOf(rest.messages[0]), "let go");
  const [held] = await outcomes(gateway, "pipe/hold");
  assert.equal(held?.facts["reason"], "caller_gone");
  const [fetched] = await outcomes(gateway, "GET");
  assert.equal(fetched?.facts["resumes"], held?.callId);
  assert.equal(fetched?.outcome, "allowed");
  assert.equal(fetched?.facts["reason"], undefined);
  await checkLog(gateway);
});

test("a stream begins with an id to come back with, and each event has one; in older revisions nothing is empty", async (t) => {
  const { client, session } = await setUp(t);
  const now = read((await session.call("hold", 1, { reports: 1 })).events);
  await session.ask("release", 2);
  const { events } = await now;
  assert.match(fromUtf8(events[0]?.raw ?? new Uint8Array(0)) ?? "", /^id: \S+\nretry: \d+\ndata: \n\n$/);
  assert.equal(new Set(events.map(({ id }) => id)).size, 3);
  const older = await open(client, "2025-06-18");
  const before = read((await older.call("hold", 1, { reports: 1 })).events, 1);
  const { lastId, messages } = await before;
  assert.equal(messages[0]?.method, "notifications/progress");
  assert.notEqual(lastId, "");
  await older.ask("release", 2);
  const rest = await read((await older.get(lastId)).events);
  assert.equal(valueOf(rest.messages[0]), "let go");
  assert.equal(rest.events.length, 1);
});

test("with limits.stream_open a long call's connection is closed, again and again, and the answer is fetched", async (t) => {
  const { gateway, session } = await setUp(t, "stream_open: 50ms");
  let { lastId, messages } = await read((await session.call("hold", 1)).events);
  assert.deepEqual(messages, []);
  for (let i = 0; i < 3; i++) {
    const polled = await read((await session.get(lastId)).events);
    assert.deepEqual(polled.messages, []);
    assert.notEqual(polled.lastId, "", "there is always an id to go on with");
    lastId = polled.lastId;
  }
  assert.equal(await session.ask("release", 2), 1);
  ({ messages, lastId } = await read((await session.get(lastId)).events));
  assert.equal(valueOf(messages[0]), "let go");
  const [held] = await outcomes(gateway, "pipe/hold");
  assert.equal(held?.facts["reason"], "stream_ended_unanswered");
  const polls = await outcomes(gateway, "GET");
  assert.deepEqual(
    polls.map(({ facts }) => [facts["resumes"] === held?.callId, facts["reason"]]),
    [...Array.from({ length: 3 }, () => [true, "stream_ended_unanswered"]), [true, undefined]],
  );
  await checkLog(gateway);
});

test("an id that isn't known is refused, one after which nothing comes gets 204, and neither opens a stream", async (t) => {
  const { client, session } = await setUp(t);
  const other = await open(client);
  const calls = [session, other].map(async (each) => {
    const call = read((await each.call("hold", 1)).events);
    await each.ask("release", 2);
    return (await call).lastId;
  });
  const [lastId = ""] = await Promise.all(calls);
  const headers = { ...session.headers, "last-event-id": lastId };
  const over = await client.request("pipe", { method: "GET", headers });
  assert.equal(over.status, 204);
  assert.equal(over.headers["content-length"], undefined);
  for (const [what, status] of [
    ["nonsense", 400],
    [lastId.replace(/\d+$/, "77"), 400],
  ] as const) {
    assert.equal((await session.get(what)).status, status, what);
  }
  assert.equal((await other.get(lastId)).status, 400, "another session's");
});

test("there is one stream for what is said unasked; a second is refused, and who has an id of it takes it over", async (t) => {
  const { session } = await setUp(t);
  const first = await session.get();
  const { lastId } = await read(first.events, 1);
  assert.equal((await session.get()).status, 409);
  const second = await session.get(lastId);
  assert.equal(second.status, 200);
  assert.deepEqual((await read(first.events)).events, [], "the first one ends");
  second.cut();
});

test("a failure in a call that has begun is told on its stream, and is on record as one", async (t) => {
  const { gateway, client } = await setUp(t, "answer_timeout: 1500ms");
  const [late, dead] = [await open(client), await open(client)];
  const timedOut = await read((await late.call("silent", 1)).events);
  assert.equal(timedOut.messages[0]?.error?.code, -31504);
  assert.deepEqual(valueOf((await read((await late.call("cancelled", 2)).events)).messages[0]), [1]);
  const held = await dead.call("hold", 1);
  await read(held.events, 1);
  const dying = read((await dead.call("die", 2)).events);
  assert.equal((await read(held.events)).messages[0]?.error?.code, -31502);
  await dying.catch(() => undefined);
  const entries = [...(await outcomes(gateway, "pipe/silent")), ...(await outcomes(gateway, "pipe/hold"))];
  assert.deepEqual(
    entries.map(({ outcome, facts }) => [outcome, facts["reason"]]),
    [
      ["error", "upstream_timeout"],
      ["error", "upstream_failed"],
    ],
  );
  await checkLog(gateway);
});

test("a call that nobody comes back for is given up in time, and the server is told", async (t) => {
  const { session } = await setUp(t, "answer_timeout: 1500ms");
  const call = await session.call("hold", 7, { reports: 1 });
  const { lastId } = await read(call.events, 2);
  call.cut();
  await eventually("the server is told", async () => {
    const told = await session.ask("cancelled", 8);
    return Array.isArray(told) && told.includes(7);
  });
  const rest = await session.get(lastId);
  assert.ok(rest.status === 400 || (await read(rest.events)).messages[0]?.error?.code === -31502);
});

test("a client that never fetches what a server says costs a bounded share; the answer is still there", async (t) => {
  const { gateway, session } = await setUp(t);
  const call = await session.call("hold", 1, { reports: 2000, bytes: 8000 });
  const { lastId } = await read(call.events, 1);
  call.cut();
  await session.ask("release", 2);
  const rest = await read((await session.get(lastId)).events);
  const bytes = rest.events.reduce((sum, { raw }) => sum + raw.length, 0);
  assert.ok(bytes > 3 * 1024 * 1024 && bytes < 5 * 1024 * 1024, `${bytes} bytes kept`);
  assert.equal(valueOf(rest.messages.at(-1)), "let go");
  assert.equal(gateway.log.filter((line) => line.includes("server.unheard")).length, 1);
});

test("an answer that is fetched leaves no sooner than its outcome is recorded, as any other", async (t) => {
  const { gateway, client, session } = await setUp(t);
  const file = path.join(gateway.folder, "answer-now");
  const call = await session.call("hold", 1, { file });
  const { lastId } = await read(call.events, 1);
  call.cut();
  const fetching = await session.get(lastId);
  await read(fetching.events, 1);
  const paths = statePaths(gateway.config.state);
  const next = path.join(paths.log, openBundlePath(1));
  await symlink("/dev/full", next);
  const ping = { jsonrpc: "2.0", id: 3, method: "ping" };
  for (let calls = 0; calls < 300; calls++)
    if ((await client.post("pipe", ping, session.headers)).status !== 200) break;
  await writeFile(file, "");
  await assert.rejects(read(fetching.events), "it is cut before the answer");
  assert.equal((await session.get(lastId)).status, 503);
  await assert.rejects(gateway.stop(), "stopping fails where the log can't be brought to its end");
});

test("modern streams have no ids, and nothing to come back to", async (t) => {
  const { client } = await setUp(t);
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    progressToken: 5,
  };
  const params = { name: "progress", arguments: {}, _meta: meta };
  const headers = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "progress",
  };
  const answer = await client.post("pipe", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, headers);
  assert.match(answer.text, /"progress":2/);
  assert.doesNotMatch(answer.text, /^(id|retry):/m);
});

interface Speaker {
  readonly call: (name: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

const textIn = (result: unknown): unknown =>
  (result as { readonly content: readonly [{ readonly text: string }] }).content[0].text;

const speakers: readonly (readonly [string, (url: string) => Promise<Speaker>])[] = [
  [
    "SDK v1",
    async (url) => {
      const client = new ClientV1({ name: "v1", version: "1" });
      await client.connect(new HttpV1(new URL(url)));
      return {
        call: async (name) => textIn(await client.callTool({ name, arguments: {} })),
        close: () => client.close(),
      };
    },
  ],
  [
    "SDK v2",
    async (url) => {
      const client = new ClientV2({ name: "v2", version: "1" }, { versionNegotiation: { mode: "legacy" } });
      await client.connect(new HttpV2(new URL(url)));
      return {
        call: async (name) => textIn(await client.callTool({ name, arguments: {} })),
        close: () => client.close(),
      };
    },
  ],
];

/** A sidecar whose way to the gateway can be cut. */
async function sidecar(
  t: TestContext,
  gateway: TestGateway,
  target = "pipe",
): Promise<{ readonly options: ConnectOptions; readonly cut: () => void; readonly ended: () => number }> {
  const link = await breakableLink(t, gateway.address);
  const at = { path: "agent/sidecar", address: link.address };
  const joinToken = await makeJoinToken(gateway.config, at, systemClock);
  const state = await freshState(t);
  const options = { target, state, joinToken, clock: systemClock, log: silent };
  return { options, cut: link.cut, ended: link.ended };
}

for (const [name, connect] of speakers) {
  test(`${name}: a call outlives a cut link and a closed stream, and its tool runs once`, async (t) => {
    const gateway = await gatewayWith(t, "stream_open: 400ms");
    const { options, cut } = await sidecar(t, gateway);
    const connection = await connectHttp(options, 0);
    atEnd(t, connection.close);
    const client = await connect(connection.url);
    atEnd(t, client.close);
    const held = client.call("hold");
    await polledAgain(gateway);
    cut();
    await polledAgain(gateway);
    assert.equal(await client.call("release"), "1");
    assert.equal(await held, '"let go"');
    await client.close();
    await settled(gateway);
    await checkLog(gateway);
  });
}

/** The client's call was come back to once more, and closed once more. */
async function polledAgain(gateway: TestGateway): Promise<void> {
  const polls = async (): Promise<number> =>
    (await outcomes(gateway, "GET")).filter(({ facts }) => facts["reason"] === "stream_ended_unanswered")
      .length;
  const before = await polls();
  await eventually("it is polled again", async () => (await polls()) > before);
}

interface Line {
  readonly id?: unknown;
  readonly result?: { readonly content?: readonly [{ readonly text: string }] };
  readonly error?: unknown;
}

/** A stdio client of `connect`. */
function stdioClient(
  t: TestContext,
  options: ConnectOptions,
): {
  readonly send: (message: object) => void;
  readonly answerTo: (id: number) => Promise<Line>;
  readonly end: () => Promise<void>;
} {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const ended = connectStdio(options, { input, output });
  const end = async (): Promise<void> => {
    input.end();
    await ended;
  };
  atEnd(t, end);
  const lines: Line[] = [];
  createInterface({ input: output }).on("line", (line) => lines.push(JSON.parse(line) as Line));
  return {
    end,
    send: (message) => void input.write(`${JSON.stringify(message)}\n`),
    answerTo: async (id) => {
      await eventually(`an answer to ${id}`, () => lines.some((line) => line.id === id));
      assert.equal(lines.filter((line) => line.id === id).length, 1, "once");
      return lines.find((line) => line.id === id) ?? {};
    },
  };
}

const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: {} };
const initialized = { jsonrpc: "2.0", method: "notifications/initialized" };

test("a call through `connect` over stdio outlives cut links, and its tool runs once", async (t) => {
  const gateway = await gatewayWith(t, "stream_open: 300ms");
  const { options, cut } = await sidecar(t, gateway);
  const client = stdioClient(t, options);
  client.send(initialize);
  await client.answerTo(0);
  client.send(initialized);
  client.send(toolCall("hold", 1));
  await polledAgain(gateway);
  for (let breaks = 0; breaks < 2; breaks++) {
    cut();
    await polledAgain(gateway);
  }
  client.send(toolCall("release", 2));
  assert.equal((await client.answerTo(2)).result?.content?.[0].text, "1");
  assert.equal((await client.answerTo(1)).result?.content?.[0].text, '"let go"');
  await client.end();
  await settled(gateway);
  await checkLog(gateway);
});

test("a stream that has answered and takes its time to end costs `connect` no further link", async (t) => {
  let streams = 0;
  const stub = await stubServer(t, (_request, response, body) => {
    const { id } = JSON.parse(body) as { id: number };
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result: {} })}\n\n`);
    setTimeout(() => response.end(() => (streams += 1)), 20);
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { options, ended } = await sidecar(t, gateway, "stub");
  const client = stdioClient(t, options);
  const joined = 4; // Two to learn the root and ask what is in force, two to learn it and enrol.
  for (let id = 1; id < 6; id++) {
    client.send(toolCall("a", id));
    await client.answerTo(id);
  }
  await eventually("the streams have ended", () => streams === 5);
  assert.equal(ended(), joined);
});
