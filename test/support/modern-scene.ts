/** A modern server, as a test wants it, behind a gateway that bridges; and legacy clients there. */
import type http from "node:http";
import type { TestContext } from "node:test";

import { systemClock } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import {
  type Client,
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
} from "./gateway.ts";

export const protocolVersionKey = "io.modelcontextprotocol/protocolVersion";

interface ModernRequest {
  readonly id: unknown;
  readonly method: string;
  readonly params: Record<string, unknown> & { readonly _meta: Record<string, unknown> };
}

type Answer = (response: http.ServerResponse, message: ModernRequest, request: http.IncomingMessage) => void;

export interface ModernServer extends StubServer {
  readonly requests: readonly ModernRequest[];
}

export const discovery = {
  resultType: "complete",
  supportedVersions: ["2026-07-28"],
  capabilities: {
    tools: { listChanged: true },
    resources: { subscribe: true },
    logging: {},
    tasks: { list: {} },
    extensions: { "io.modelcontextprotocol/tasks": {}, "com.example/kept": { a: 1 } },
  },
  instructions: "Be kind.",
  ttlMs: 0,
  cacheScope: "private",
  _meta: { "io.modelcontextprotocol/serverInfo": { name: "stub", version: "7" } },
};

const usual: Readonly<Record<string, Answer>> = {
  "server/discover": (response, { id }) => json(response, { id, result: discovery }),
  "subscriptions/listen": (response, message) => acknowledge(response, message),
  "tools/list": (response, { id }) => json(response, { id, result: { resultType: "complete", tools: [] } }),
};

/** @param answers by method; by default a result with nothing in it */
export async function modernServer(
  t: TestContext,
  answers: Readonly<Record<string, Answer>>,
): Promise<ModernServer> {
  const requests: ModernRequest[] = [];
  const stub = await stubServer(t, (request, response, body) => {
    const message = JSON.parse(body) as ModernRequest;
    requests.push(message);
    const answer = answers[message.method] ?? usual[message.method];
    if (answer === undefined) json(response, { id: message.id, result: { resultType: "complete" } });
    else answer(response, message, request);
  });
  return { ...stub, requests };
}

export function json(response: http.ServerResponse, message: object, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

/** Opens a stream; what is told on it is tagged with its subscription. */
export function acknowledge(
  response: http.ServerResponse,
  { id, params }: ModernRequest,
  honoured: unknown = params["notifications"],
): (method: string, params?: object) => void {
  const tell = (method: string, more: object = {}): void => {
    const tagged = { ...more, _meta: { "io.modelcontextprotocol/subscriptionId": id } };
    response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params: tagged })}\n\n`);
  };
  response.writeHead(200, { "content-type": "text/event-stream" });
  tell("notifications/subscriptions/acknowledged", { notifications: honoured });
  return tell;
}

interface SceneOptions {
  readonly extra?: string;
  /** After the rule that allows all. */
  readonly policy?: string;
  readonly speaks?: "modern" | "auto";
  readonly clock?: Clock;
}

export async function setUp(
  t: TestContext,
  server: StubServer,
  { extra = "", policy = "", speaks = "modern", clock = systemClock }: SceneOptions = {},
): Promise<{ readonly gateway: TestGateway; readonly client: Client }> {
  const servers = `servers: { new: { url: "${server.url}", bridge: ${speaks} } }`;
  const gateway = await testGateway(t, `${servers}\n${extra}\n${openPolicy}${policy}`, { clock });
  return { gateway, client: clientOf(t, gateway, await enrol(gateway)) };
}

export function initialize({
  protocolVersion = "2025-11-25",
  capabilities = { elicitation: {} },
}: { readonly protocolVersion?: string | undefined; readonly capabilities?: object } = {}): object {
  const clientInfo = { name: "old", version: "1" };
  return {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion, capabilities, clientInfo },
  };
}

/** The headers of a new session's requests. */
export async function legacySession(client: Client, capabilities?: object): Promise<Record<string, string>> {
  const opened = await client.post("new", initialize({ ...(capabilities && { capabilities }) }));
  if (opened.status !== 200) throw new Error(opened.text);
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-session-id": String(opened.headers["mcp-session-id"]),
    "mcp-protocol-version": "2025-11-25",
  };
  await client.post("new", { jsonrpc: "2.0", method: "notifications/initialized" }, headers);
  return headers;
}

/** The messages in an answer, whatever it is: as the bytes they were. */
export function events(text: string): readonly string[] {
  if (text.startsWith("{")) return [text];
  return [...text.matchAll(/^data: (.+)$/gm)].map(([, data = ""]) => data);
}

export function messageIn(text: string): unknown {
  return JSON.parse(events(text)[0] ?? "null");
}
