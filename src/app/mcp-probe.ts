/** The smallest MCP client: enough to list a server's tools and call one, in whichever era it speaks. */
import { z } from "zod";

import type { CollectedAnswer, HttpRequest } from "../host/net/http-exchange.ts";
import { valueOf } from "../host/net/headers.ts";
import { sseReader } from "../wire/sse.ts";
import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { version } from "./version.ts";

export type Send = (request: Omit<HttpRequest, "path">) => Promise<CollectedAnswer>;

export interface Probe {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface ProbeResult {
  readonly serverName: string;
  readonly tools: number;
  /** Whether the probed tool answered without an error; undefined if there was none to call. */
  readonly toolWorked?: boolean;
}

const legacyVersion = "2025-11-25";
const modernVersion = "2026-07-28";
const clientInfo = { name: "latticegate-doctor", version };
const maxEventBytes = 16 * 1024 * 1024;

const answerSchema = z.object({
  result: z.looseObject({}).optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});
type RpcAnswer = z.output<typeof answerSchema>;

/** @throws Refusal `upstream_failed` that says what the server answered */
export async function probeServer(send: Send, probe: Probe | undefined): Promise<ProbeResult> {
  const session = await open(send);
  try {
    const listed = await session.ask("tools/list", {});
    const tools = z.array(z.unknown()).safeParse(listed["tools"]);
    const called =
      probe && (await session.ask("tools/call", { name: probe.tool, arguments: probe.arguments }));
    return {
      serverName: session.serverName,
      tools: tools.success ? tools.data.length : 0,
      ...(called && { toolWorked: called["isError"] !== true }),
    };
  } finally {
    await session.close();
  }
}

/** Pages of one list: no server has more, and one that never ends isn't followed. */
const maxPages = 100;

/**
 * What a server answers to `tools/list`, page by page, in its own bytes.
 * @throws Refusal `upstream_failed` that says what the server answered
 */
export async function listTools(send: Send): Promise<readonly Uint8Array[]> {
  const session = await open(send);
  try {
    const pages: Uint8Array[] = [];
    let cursor: unknown;
    do {
      const page = await session.read("tools/list", cursor === undefined ? {} : { cursor });
      pages.push(page.message);
      const next = page.result["nextCursor"];
      if (next === cursor) break;
      cursor = next;
    } while (cursor !== undefined && pages.length < maxPages);
    return pages;
  } finally {
    await session.close();
  }
}

interface Read {
  readonly result: Readonly<Record<string, unknown>>;
  /** In the bytes it came in. */
  readonly message: Uint8Array;
}

interface Session {
  readonly serverName: string;
  readonly read: (method: string, params: object) => Promise<Read>;
  readonly ask: (method: string, params: object) => Promise<Readonly<Record<string, unknown>>>;
  readonly close: () => Promise<void>;
}

async function open(send: Send): Promise<Session> {
  const params = { protocolVersion: legacyVersion, capabilities: {}, clientInfo };
  const first = await post(send, [], { id: 1, method: "initialize", params });
  if (first.answer?.result === undefined) return await openModern(send, first);
  const id = valueOf(first.headers, "mcp-session-id");
  const headers = [
    ...(id === undefined ? [] : ["mcp-session-id", id]),
    "mcp-protocol-version",
    legacyVersion,
  ];
  await post(send, headers, { method: "notifications/initialized" });
  let next = 1;
  const read = async (method: string, ask: object): Promise<Read> =>
    readOf(method, await post(send, headers, { id: ++next, method, params: ask }));
  return {
    serverName: nameIn(first.answer.result["serverInfo"]),
    read,
    ask: async (method, ask) => (await read(method, ask)).result,
    close: async () => {
      if (id !== undefined) await send({ method: "DELETE", headers });
    },
  };
}

async function openModern(send: Send, legacy: Posted): Promise<Session> {
  let next = 1;
  const read = async (method: string, params: object): Promise<Read> => {
    const meta = {
      "io.modelcontextprotocol/protocolVersion": modernVersion,
      "io.modelcontextprotocol/clientInfo": clientInfo,
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const name = "name" in params ? ["mcp-name", String(params.name)] : [];
    const headers = ["mcp-protocol-version", modernVersion, "mcp-method", method, ...name];
    return readOf(
      method,
      await post(send, headers, { id: ++next, method, params: { ...params, _meta: meta } }),
    );
  };
  const ask = async (method: string, params: object): Promise<Read["result"]> =>
    (await read(method, params)).result;
  try {
    const discovered = await ask("server/discover", {});
    return { serverName: nameIn(discovered["serverInfo"]), read, ask, close: () => Promise.resolve() };
  } catch {
    return readOf("initialize", legacy) as never; // Neither era: what it said to the first is the news.
  }
}

interface Posted {
  readonly status: number;
  readonly headers: readonly string[];
  readonly answer: RpcAnswer | undefined;
  readonly data: Uint8Array;
}

async function post(send: Send, headers: readonly string[], message: object): Promise<Posted> {
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", ...message }));
  const all = [
    "content-type",
    "application/json",
    "accept",
    "application/json, text/event-stream",
    ...headers,
  ];
  const answer = await send({ method: "POST", headers: all, body });
  const data = answer.kind === "whole" ? answer.body : await answerIn(answer.chunks);
  return { status: answer.status, headers: answer.headers, answer: parsed(data), data };
}

/** The first message of a stream that is an answer. */
async function answerIn(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const reader = sseReader(maxEventBytes);
  for await (const chunk of chunks) {
    for (const event of reader.push(chunk)) {
      if (event.data !== null && parsed(event.data) !== undefined) return event.data;
    }
  }
  return new Uint8Array(0);
}

function parsed(data: Uint8Array): RpcAnswer | undefined {
  try {
    const answer = answerSchema.parse(JSON.parse(new TextDecoder().decode(data)));
    return answer.result === undefined && answer.error === undefined ? undefined : answer;
  } catch {
    return undefined;
  }
}

function readOf(method: string, posted: Posted): Read {
  const { answer, status, data } = posted;
  if (answer?.result !== undefined) return { result: answer.result, message: data };
  const said =
    answer?.error === undefined ? `status ${status}` : `${answer.error.message} (${answer.error.code})`;
  throw new Refusal("upstream_failed", `${method}: ${said}`);
}

function nameIn(info: unknown): string {
  const named = z.object({ name: z.string() }).safeParse(info);
  return named.success ? named.data.name : "unnamed";
}
