/** HTTP+SSE, the transport of MCP 2024-11-05, with the official SDKs on both sides: behind the gateway and in front of the sidecar. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { CreateMessageRequestSchema, ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import {
  type ConnectOptions,
  connectHttp,
  connectStdio,
  type HttpConnection,
} from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { fixtureHttpServer } from "../fixture/http.ts";
import { atEnd } from "../support/cleanup.ts";
import { eventually, openPolicy, freshState, testGateway, type TestGateway } from "../support/gateway.ts";
import { type SseServer, sseServer } from "../support/sse-server.ts";

const fixture = fileURLToPath(new URL("../fixture/server.ts", import.meta.url));
const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const answered = { action: "accept" as const, content: { name: "Ada", username: "Ada", email: "a@b.c" } };
const sampled = {
  role: "assistant" as const,
  model: "test",
  content: { type: "text" as const, text: "Paris" },
};

interface ToolResult {
  readonly isError?: boolean | undefined;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
}

interface Speaker {
  readonly tools: () => Promise<readonly string[]>;
  readonly call: (
    name: string,
    args?: Readonly<Record<string, unknown>>,
    options?: { readonly signal?: AbortSignal; readonly onprogress?: () => void },
  ) => Promise<ToolResult>;
  readonly close: () => Promise<void>;
}

async function speakerV1(t: TestContext, transport: Transport): Promise<Speaker> {
  const capabilities = { elicitation: {}, sampling: {} };
  const client = new ClientV1({ name: "v1", version: "1" }, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, () => answered);
  client.setRequestHandler(CreateMessageRequestSchema, () => sampled);
  await client.connect(transport);
  atEnd(t, () => client.close());
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      (await client.callTool({ name, arguments: { ...args } }, undefined, options)) as unknown as ToolResult,
    close: () => client.close(),
  };
}

async function speakerV2(t: TestContext, url: string, mode: "legacy" | "auto"): Promise<Speaker> {
  const capabilities = { elicitation: {}, sampling: {} };
  const client = new ClientV2({ name: "v2", version: "1" }, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", () => answered);
  client.setRequestHandler("sampling/createMessage", () => sampled);
  await client.connect(new HttpV2(new URL(url)));
  atEnd(t, () => client.close());
  assert.equal(client.getProtocolEra() ?? "legacy", "legacy");
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      await client.callTool({ name, arguments: { ...args } }, options),
    close: () => client.close(),
  };
}

interface House {
  readonly gateway: TestGateway;
  readonly old: SseServer;
}

/** A gateway with a server of each transport: `old` over HTTP+SSE, `streamable` and `pipe` as the fixture is. */
async function house(t: TestContext): Promise<House> {
  const old = await sseServer(t);
  const fixtureServer = fixtureHttpServer();
  await new Promise<void>((resolve) => fixtureServer.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    fixtureServer.closeAllConnections();
    fixtureServer.close();
  });
  const { port } = fixtureServer.address() as AddressInfo;
  const gateway = await testGateway(
    t,
    `servers:
  old: { url: "${old.url}", transport: "http+sse" }
  streamable: { url: "http://127.0.0.1:${port}/mcp" }
  pipe: { command: ["${process.execPath}", "${fixture}", "--stdio"] }
${openPolicy}`,
  );
  return { gateway, old };
}

async function sidecar(
  t: TestContext,
  gateway: TestGateway,
  target: string,
  name = "agent/sidecar",
): Promise<ConnectOptions> {
  const joinToken = await makeJoinToken(
    gateway.config,
    { path: name, address: gateway.address },
    systemClock,
  );
  const state = await freshState(t);
  return { target, state, joinToken, clock: systemClock, log: silent };
}

async function loopback(t: TestContext, gateway: TestGateway, target: string): Promise<HttpConnection> {
  const connection = await connectHttp(await sidecar(t, gateway, target), 0);
  atEnd(t, connection.close);
  return connection;
}

function overSse({ sseUrl }: HttpConnection): Transport {
  return new SSEClientTransport(new URL(sseUrl));
}

const textOf = ({ content }: ToolResult): string => content[0]?.text ?? "";

async function checkEverything(speaker: Speaker): Promise<void> {
  assert.ok((await speaker.tools()).includes("test_echo"));
  assert.equal(textOf(await speaker.call("test_echo", { said: "a\nb\u2028" })), '{"said":"a\\nb\u2028"}');
  assert.equal((await speaker.call("test_error_handling")).isError, true);
  let progress = 0;
  await speaker.call("test_tool_with_progress", {}, { onprogress: () => void progress++ });
  assert.ok(progress >= 2, "progress arrives while the call runs");
  assert.match(textOf(await speaker.call("test_elicitation", { message: "Who?" })), /accept.*Ada/);
  assert.match(textOf(await speaker.call("test_sampling", { prompt: "Capital?" })), /Paris/);
  const together = Array.from({ length: 30 }, (_, n) => speaker.call("test_echo", { n }));
  const echoed = (await Promise.all(together)).map((result) => textOf(result));
  assert.deepEqual(
    echoed,
    Array.from({ length: 30 }, (_, n) => JSON.stringify({ n })),
    "no answer is mixed up",
  );
}

for (const server of ["old", "streamable", "pipe"]) {
  test(`a client of HTTP+SSE reaches the server "${server}" as if it spoke HTTP+SSE`, async (t) => {
    const { gateway } = await house(t);
    await checkEverything(await speakerV1(t, overSse(await loopback(t, gateway, server))));
  });
}

for (const mode of ["legacy", "auto"] as const) {
  test(`a client of Streamable HTTP (${mode}) reaches a server that speaks HTTP+SSE`, async (t) => {
    const { gateway } = await house(t);
    const { url } = await loopback(t, gateway, "old");
    await checkEverything(await speakerV2(t, url, mode));
  });
}

test("a stdio client reaches a server that speaks HTTP+SSE", async (t) => {
  const { gateway } = await house(t);
  const [input, output] = [new PassThrough(), new PassThrough()];
  const ended = connectStdio(await sidecar(t, gateway, "old"), { input, output });
  // The SDK's stdio transport of a server is one of two pipes, and here a client's.
  const speaker = await speakerV1(t, new StdioServerTransport(output, input));
  await checkEverything(speaker);
  input.end();
  await ended;
});

test("a server that speaks HTTP+SSE is exposed, and reached through its gateway", async (t) => {
  const old = await sseServer(t);
  const first = await testGateway(t, openPolicy);
  const exposed = await startExpose({
    ...(await sidecar(t, first, "", "server/old")),
    server: { url: old.url, transport: "http+sse" },
    listen: "127.0.0.1:0",
    allow: [],
  });
  atEnd(t, exposed.stop);
  await first.stop();
  const servers = `servers: { behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { folder: first.folder });
  await checkEverything(await speakerV1(t, overSse(await loopback(t, gateway, "behind"))));
});

test("many clients of HTTP+SSE with the same ids at once each get their own answers", async (t) => {
  const { gateway, old } = await house(t);
  const connection = await loopback(t, gateway, "old");
  const clients = await Promise.all(Array.from({ length: 12 }, () => speakerV1(t, overSse(connection))));
  assert.equal(old.sessions(), 12, "each has a session of its own");
  const said = await Promise.all(
    clients.map(async ({ call }, who) =>
      Promise.all(Array.from({ length: 10 }, async (_, n) => textOf(await call("test_echo", { who, n })))),
    ),
  );
  for (const [who, texts] of said.entries())
    for (const [n, text] of texts.entries()) assert.equal(text, JSON.stringify({ who, n }));
});

test("a client of HTTP+SSE that goes ends its session, up to the server", async (t) => {
  const { gateway, old } = await house(t);
  const connection = await loopback(t, gateway, "old");
  const [one, two] = [await speakerV1(t, overSse(connection)), await speakerV1(t, overSse(connection))];
  assert.equal(old.sessions(), 2);
  await one.close();
  await eventually("its session ends", () => old.sessions() === 1);
  assert.equal(textOf(await two.call("test_echo", { n: 1 })), '{"n":1}', "the other goes on");
});

test("a sidecar that stops ends the sessions of its HTTP+SSE clients before it goes", async (t) => {
  const { gateway, old } = await house(t);
  const connection = await connectHttp(await sidecar(t, gateway, "old"), 0);
  await speakerV1(t, overSse(connection));
  await connection.close();
  await eventually("the session ends", () => old.sessions() === 0);
});

test("a call that a client of HTTP+SSE cancels is cancelled at the server", async (t) => {
  const { gateway, old } = await house(t);
  const { call } = await speakerV1(t, overSse(await loopback(t, gateway, "old")));
  const cancel = new AbortController();
  const waiting = assert.rejects(call("test_wait", {}, { signal: cancel.signal }));
  await eventually("the call arrives", () => old.called.includes("test_wait"));
  cancel.abort();
  await waiting;
  await eventually("the server hears of it", () => old.cancelled() === 1);
});

test("a server that is restarted fails the calls under way; a client of HTTP+SSE or stdio goes on", async (t) => {
  const { gateway, old } = await house(t);
  const { call } = await speakerV1(t, overSse(await loopback(t, gateway, "old")));
  const waiting = assert.rejects(call("test_wait"), /ended its stream|can't be reached or broke off/);
  await eventually("the call arrives", () => old.called.includes("test_wait"));
  await old.restart();
  await waiting;
  assert.equal(textOf(await call("test_echo", { n: 1 })), '{"n":1}', "its session was opened anew");
  assert.equal(old.sessions(), 1);
});

test("the first thing on the stream is where to POST, under the sidecar's token; a POST is accepted with 202", async (t) => {
  const { gateway } = await house(t);
  const connection = await loopback(t, gateway, "pipe");
  const stream = await open(connection.sseUrl);
  assert.match(String(stream.type), /^text\/event-stream/);
  const endpoint = await stream.next();
  assert.equal(endpoint.event, "endpoint");
  const prefix = new URL(connection.sseUrl).pathname.replace(/sse$/, "messages/");
  assert.ok(endpoint.data.startsWith(prefix));
  assert.match(endpoint.data.slice(prefix.length), /^[\w-]{32}$/);
  const accepted = await post(new URL(endpoint.data, connection.sseUrl), initialize);
  assert.equal(accepted.status, 202);
  assert.equal(await accepted.text(), "");
  const answer = await stream.next();
  assert.equal(answer.event, "message");
  assert.match(answer.data, /"id":0,"result"|"result":.*"id":0/);
});

test("the messages' address answers who holds it on this machine, for MCP messages, and nobody else", async (t) => {
  const { gateway } = await house(t);
  const { sseUrl } = await loopback(t, gateway, "old");
  const stream = await open(sseUrl);
  const messages = new URL((await stream.next()).data, sseUrl);
  const json = { "content-type": "application/json" };
  const at = (replace: (href: string) => string): URL => new URL(replace(messages.href));
  const rows = [
    ["what it is for", messages, json, initialize, 202],
    [
      "another session",
      at((href) => href.replace(/.$/, (last) => (last === "A" ? "B" : "A"))),
      json,
      initialize,
      404,
    ],
    [
      "another token",
      at((href) => href.replace(/\/[\w-]{32}\//, `/${"x".repeat(32)}/`)),
      json,
      initialize,
      401,
    ],
    ["a web page", messages, { ...json, origin: "https://evil.example" }, initialize, 403],
    ["a web page's form", messages, { "content-type": "text/plain" }, initialize, 415],
    ["no JSON", messages, json, "{", 400],
    ["no message", messages, json, "[]", 400],
    ["a first try with Streamable HTTP", new URL(sseUrl), json, initialize, 405],
  ] as const;
  for (const [what, url, headers, body, expected] of rows)
    assert.equal((await post(url, body, headers)).status, expected, what);
  assert.equal(await statusOfHost(messages, "rebound.example"), 403, "another host's name");
  assert.equal(await statusOfHost(new URL(sseUrl), "rebound.example"), 403, "another host's name");
  stream.close();
  await eventually("its session is gone", async () => (await post(messages, initialize)).status === 404);
});

test("more clients of HTTP+SSE than a sidecar serves are told so, and take the place of those that go", async (t) => {
  const { gateway } = await house(t);
  const { sseUrl } = await loopback(t, gateway, "old");
  const streams = await Promise.all(Array.from({ length: 64 }, () => open(sseUrl)));
  assert.deepEqual(new Set(streams.map(({ status }) => status)), new Set([200]));
  assert.equal((await open(sseUrl)).status, 503);
  streams[0]?.close();
  await eventually("there is room", async () => {
    const stream = await open(sseUrl);
    return stream.status === 200;
  });

  async function open(url: string): Promise<{ readonly status: number; readonly close: () => void }> {
    const request = http.get(url, { agent: false });
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    response.resume().on("error", () => undefined);
    return { status: response.statusCode ?? 0, close: () => response.destroy() };
  }
});

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
});

async function post(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Promise<Response> {
  return await fetch(url, { method: "POST", headers, body });
}

async function statusOfHost(url: URL, host: string): Promise<number> {
  const request = http.request(url, { method: "POST", headers: { host } }).end("{}");
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

interface Stream {
  readonly type: string | null;
  readonly next: () => Promise<{ readonly event: string; readonly data: string }>;
  readonly close: () => void;
}

/** Opens a stream and reads its events as they stand on the wire. */
async function open(url: string): Promise<Stream> {
  const gone = new AbortController();
  const response = await fetch(url, { headers: { accept: "text/event-stream" }, signal: gone.signal });
  assert.ok(response.body);
  const chunks = response.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = "";
  return {
    type: response.headers.get("content-type"),
    next: async () => {
      while (!text.includes("\n\n")) {
        const { done, value } = await chunks.next();
        if (done === true) throw new Error(`the stream ended after ${JSON.stringify(text)}`);
        text += value;
      }
      const event = text.slice(0, text.indexOf("\n\n"));
      text = text.slice(event.length + 2);
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(event)?.[1] ?? "";
      return { event: field("event"), data: field("data") };
    },
    close: () => gone.abort(),
  };
}
