/**
 * An MCP server whose answers matter, and a client of it. `pay` moves money, `balance` reads; `statement` answers with
 * as many bytes as it is asked for, `slip` by a stream; `rates` is a resource, `dunning` a prompt.
 */
import assert from "node:assert/strict";
import type http from "node:http";

import type { Cleanup } from "./cleanup.ts";
import { type Answering, stubServer } from "./gateway.ts";
import { json, modernHeaders, modernMeta } from "./ways.ts";

interface Message {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: Readonly<Record<string, unknown>> };
}

export interface Bank {
  readonly url: string;
  /** Requests it carried out, in order: the method, or the tool with its arguments. */
  readonly done: readonly string[];
  /** What it was sent, byte for byte. */
  readonly seen: readonly { readonly body: string }[];
  /** Has `pay` described like this from now on. */
  readonly describe: (description: string) => void;
}

const rates = "mem://rates";

export async function bank(t: Cleanup): Promise<Bank> {
  const done: string[] = [];
  let description = "Moves money to an account.";
  const results: Readonly<Record<string, (message: Message) => object>> = {
    initialize: () => ({
      protocolVersion: "2025-11-25",
      capabilities: { tools: { listChanged: true }, resources: {}, prompts: {} },
      serverInfo: { name: "bank", version: "1" },
    }),
    "server/discover": () => ({
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {}, resources: {}, prompts: {} },
      serverInfo: { name: "bank", version: "1" },
      resultType: "complete",
    }),
    ping: () => ({}),
    "tools/list": () => ({ tools: toolsOf(description) }),
    "resources/list": () => ({ resources: [{ uri: rates, name: "rates" }] }),
    "resources/read": () => ({ contents: [{ uri: rates, text: "EUR 1.0829 USD" }] }),
    "prompts/get": () => ({
      messages: [{ role: "user", content: { type: "text", text: "Pay by Friday." } }],
    }),
    "tools/call": ({ params }) => ({ content: [{ type: "text", text: told(params) }] }),
  };
  const answer: Answering = (_request, response, body) => {
    const message = body === "" ? undefined : (JSON.parse(body) as Message);
    if (message?.id === undefined) {
      response.writeHead(message === undefined ? 405 : 202).end();
      return;
    }
    const result = results[message.method]?.(message);
    const { name, arguments: args } = message.params ?? {};
    done.push(message.method === "tools/call" ? `${name} ${JSON.stringify(args)}` : message.method);
    const text = JSON.stringify({
      jsonrpc: "2.0",
      id: message.id,
      ...(result === undefined ? { error: { code: -32601, message: "unknown method" } } : { result }),
    });
    send(response, text, name === "slip");
  };
  const stub = await stubServer(t, answer);
  return { url: stub.url, done, seen: stub.seen, describe: (next) => (description = next) };
}

function told(params: Message["params"]): string {
  const { name, arguments: args = {} } = params ?? {};
  if (name === "balance") return "1000.00 EUR";
  if (name === "statement") return "x".repeat(Number(args["bytes"] ?? 0));
  return `paid ${String(args["amount"])} to ${String(args["to"])}`;
}

function toolsOf(description: string): readonly object[] {
  const inputSchema = {
    type: "object",
    properties: { to: { type: "string" }, amount: { type: "string" } },
    required: ["to", "amount"],
  };
  return [
    { name: "pay", description, inputSchema },
    { name: "slip", description: "Moves money and reports on the way.", inputSchema },
    { name: "balance", description: "Says what is there.", inputSchema: { type: "object" } },
    { name: "statement", description: "All that was.", inputSchema: { type: "object" } },
  ];
}

function send(response: http.ServerResponse, text: string, isStream: boolean): void {
  if (!isStream) {
    response.writeHead(200, { "content-type": "application/json" }).end(text);
    return;
  }
  const report = {
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level: "info", data: "checked" },
  };
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`event: message\ndata: ${JSON.stringify(report)}\n\n`);
  response.end(`event: message\ndata: ${text}\n\n`);
}

/** What a client was answered. */
export interface Told {
  readonly status: number;
  /** All that came. */
  readonly text: string;
  /** The last message of that; empty if none can be read. */
  readonly message: {
    readonly result?: {
      readonly isError?: boolean;
      readonly content?: readonly { readonly text: string }[];
      readonly contents?: readonly { readonly text: string }[];
      readonly tools?: readonly { readonly name: string; readonly description?: string }[];
      readonly _meta?: Readonly<Record<string, unknown>>;
      readonly [member: string]: unknown;
    };
    readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  };
}

export interface BankClient {
  readonly ask: (method: string, params?: object) => Promise<Told>;
  readonly tool: (name: string, args?: object, meta?: object) => Promise<Told>;
  readonly pay: (to: string, amount: string) => Promise<Told>;
}

export type Era = "legacy" | "modern";

/** A client at that URL; a legacy one's session is begun. */
export async function bankClient(
  url: string,
  { era = "legacy", capabilities = {} }: { readonly era?: Era; readonly capabilities?: object } = {},
): Promise<BankClient> {
  let id = 0;
  const common: Record<string, string> = { ...json };
  const post = async (message: object, headers: Record<string, string> = {}): Promise<Response> => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    return await fetch(url, { method: "POST", headers: { ...common, ...headers }, body });
  };
  const asked = (method: string, params: Params): Promise<Response> => {
    if (era === "legacy") return post({ id: (id += 1), method, params });
    const meta = { ...modernMeta, "io.modelcontextprotocol/clientCapabilities": capabilities };
    const said = { ...params, _meta: { ...meta, ...params._meta } };
    return post({ id: (id += 1), method, params: said }, modernHeaders(method, params.name ?? params.uri));
  };
  const ask: BankClient["ask"] = async (method, params = {}) => {
    const answer = await asked(method, params);
    return read(answer, await bodyOf(answer));
  };
  const tool: BankClient["tool"] = (name, args = {}, meta) =>
    ask("tools/call", { name, arguments: args, ...(meta && { _meta: meta }) });
  const client = { ask, tool, pay: (to: string, amount: string) => tool("pay", { to, amount }) };
  if (era === "modern") return client;
  const protocolVersion = "2025-11-25";
  const clientInfo = { name: "teller", version: "1" };
  const greeted = await ask("initialize", { protocolVersion, capabilities, clientInfo });
  assert.equal(greeted.status, 200, greeted.text);
  common["mcp-protocol-version"] = protocolVersion;
  await (await post({ method: "notifications/initialized" })).text();
  return client;
}

interface Params {
  readonly name?: string;
  readonly uri?: string;
  readonly _meta?: object;
}

function read({ status, headers }: Response, text: string): Told {
  const isEvents = headers.get("content-type")?.startsWith("text/event-stream") === true;
  const last = isEvents ? (text.trimEnd().split("\ndata: ").at(-1) ?? "") : text;
  return { status, text, message: parsed(last) };
}

/** All that came of it: an answer may be broken off. */
async function bodyOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body ?? []) chunks.push(chunk as Uint8Array);
  } catch {
    // It is over all the same.
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): Told["message"] {
  try {
    return JSON.parse(text) as Told["message"];
  } catch {
    return {};
  }
}

/** What a tool said; fails if it said no. */
export function said({ message, text }: Told): string {
  assert.ok(message.result !== undefined && message.result.isError !== true, text);
  return message.result.content?.[0]?.text ?? message.result.contents?.[0]?.text ?? "";
}
