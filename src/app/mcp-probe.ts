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

/** What a server says to a stranger who asks which MCP it speaks. */
export type Greeted =
  | { readonly kind: "server"; readonly greeting: Greeting }
  /** Neither era: what it answered to the first question. */
  | { readonly kind: "declined"; readonly status: number; readonly headers: readonly string[] };

export interface Greeting {
  readonly name: string;
  readonly version: string;
  readonly protocolVersion: string;
  /** Pages of the list of its tools, as long as somebody reads on; ends after so many. */
  readonly toolPages: () => AsyncGenerator<Readonly<Record<string, unknown>>>;
  readonly close: () => Promise<void>;
}

/** Asks in both eras, the older one first. Rejects as `send` does. */
export async function greet(send: Send, client: string): Promise<Greeted> {
  const opened = await tryOpen(send, { name: client, version });
  if ("status" in opened) return { kind: "declined", status: opened.status, headers: opened.headers };
  const { ask, close, serverName, serverVersion, protocolVersion } = opened;
  return {
    kind: "server",
    greeting: {
      name: serverName,
      version: serverVersion,
      protocolVersion,
      close,
      toolPages: async function* () {
        let cursor: unknown;
        for (let pages = 0; pages < maxPages; pages++) {
          const page = await ask("tools/list", cursor === undefined ? {} : { cursor });
          yield page;
          if (page["nextCursor"] === undefined || page["nextCursor"] === cursor) return;
          cursor = page["nextCursor"];
        }
      },
    },
  };
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
  readonly serverVersion: string;
  readonly protocolVersion: string;
  readonly read: (method: string, params: object) => Promise<Read>;
  readonly ask: (method: string, params: object) => Promise<Readonly<Record<string, unknown>>>;
  readonly close: () => Promise<void>;
}

/** @throws Refusal `upstream_failed` that says what the server answered */
async function open(send: Send): Promise<Session> {
  const opened = await tryOpen(send, clientInfo);
  return "status" in opened ? (readOf("initialize", opened) as never) : opened;
}

/** @returns what it said to the first question, if it speaks neither era */
async function tryOpen(send: Send, client: typeof clientInfo): Promise<Session | Posted> {
  const params = { protocolVersion: legacyVersion, capabilities: {}, clientInfo: client };
  const first = await post(send, [], { id: 1, method: "initialize", params });
  const { result } = first.answer ?? {};
  if (result === undefined) return (await openModern(send, client)) ?? first;
  const protocolVersion = textIn(result, "protocolVersion") ?? legacyVersion;
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
    serverName: nameIn(result["serverInfo"]),
    serverVersion: textIn(result["serverInfo"], "version") ?? "",
    protocolVersion,
    read,
    ask: async (method, ask) => (await read(method, ask)).result,
    close: async () => {
      if (id !== undefined) await send({ method: "DELETE", headers });
    },
  };
}

/** @returns undefined if it doesn't speak that era */
async function openModern(send: Send, client: typeof clientInfo): Promise<Session | undefined> {
  let next = 1;
  const asked = async (method: string, params: object): Promise<Posted> => {
    const meta = {
      "io.modelcontextprotocol/protocolVersion": modernVersion,
      "io.modelcontextprotocol/clientInfo": client,
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const name = "name" in params ? ["mcp-name", String(params.name)] : [];
    const headers = ["mcp-protocol-version", modernVersion, "mcp-method", method, ...name];
    return await post(send, headers, { id: ++next, method, params: { ...params, _meta: meta } });
  };
  const read = async (method: string, params: object): Promise<Read> =>
    readOf(method, await asked(method, params));
  const discovered = (await asked("server/discover", {})).answer?.result;
  if (discovered === undefined) return undefined;
  return {
    serverName: nameIn(discovered["serverInfo"]),
    serverVersion: textIn(discovered["serverInfo"], "version") ?? "",
    protocolVersion: modernVersion,
    read,
    ask: async (method, params) => (await read(method, params)).result,
    close: () => Promise.resolve(),
  };
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

function textIn(value: unknown, name: string): string | undefined {
  const found = z.looseObject({ [name]: z.string() }).safeParse(value);
  return found.success ? String(found.data[name]) : undefined;
}
