/** An API described by an OpenAPI document, as an MCP server of both eras: it has no sessions and sends nothing by itself. */
import { randomBytes } from "node:crypto";

import type { Answer, Journaled } from "../../gate/call.ts";
import { sha256 } from "../../crypto/hash.ts";
import { fromUtf8, toBase64url, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import { errorResult, resourceContents, problemText, toolResult } from "../../openapi/answer.ts";
import type { ApiServer } from "../../openapi/api-server.ts";
import { type ApiRequest, requestFromCall } from "../../openapi/request-from-call.ts";
import type { ApiTool } from "../../openapi/tools-from-openapi.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { scanJson } from "../../wire/json-scan.ts";
import { isModernVersion, protocolVersions } from "../../wire/protocol-version.ts";
import { isObject, type Json } from "../../wire/values.ts";
import { empty } from "../answers.ts";
import type { Upstream } from "../net/upstreams.ts";
import type { ApiConnection } from "./api-connection.ts";

export interface ApiUpstreamOptions {
  /** What it is; read again for each list of tools, so that a changed document is judged before it counts. */
  readonly api: { readonly current: () => ApiServer; readonly renewed: () => ApiServer };
  readonly name: string;
  readonly version: string;
  readonly connection: ApiConnection;
  /** The signed manifest of its tools; absent where none is signed. */
  readonly manifest?: ((tools: readonly DeclaredTool[]) => Promise<string>) | undefined;
  /** What a link says that is known before it is used. */
  readonly link?: ServerLink | undefined;
  readonly close: () => Promise<void>;
}

/** A tool as it is listed. */
export interface DeclaredTool {
  readonly name: string;
}

const serverInfoKey = "io.modelcontextprotocol/serverInfo";
const jsonHeaders = ["content-type", "application/json"] as const;

export function apiUpstream(options: ApiUpstreamOptions): Upstream {
  return {
    forward: async (call) => {
      const { frame } = call;
      if (call.verb !== "POST") return empty(405, ["allow", "POST"]);
      if (frame?.kind !== "request") return empty(202);
      return await answered(call, frame, options);
    },
    close: options.close,
  };
}

async function answered(call: Journaled, frame: RequestFrame, options: ApiUpstreamOptions): Promise<Answer> {
  const { api } = options;
  const modern = { frame, itself: { name: options.name, version: options.version } };
  switch (frame.method) {
    case "initialize":
      return result(modern, { protocolVersion: versionFor(frame), ...said(modern.itself, api.current()) });
    case "server/discover": {
      const { serverInfo: _, ...rest } = said(modern.itself, api.current());
      return result(modern, { supportedVersions: [modernVersion], ...rest }, uncached);
    }
    case "ping":
      return result(modern, {});
    case "tools/list":
      // INVARIANT: nothing else takes up a changed document, since only this shows it to the pins.
      return result(modern, { tools: [...api.renewed().tools.values()].map(listed) }, uncached);
    case "resources/list":
      return result(modern, { resources: resourcesOf(api.current()) }, uncached);
    case "resources/templates/list":
      return result(modern, { resourceTemplates: [] }, uncached);
    case "tools/call":
      return await called(call, modern, options);
    case "resources/read":
      return await read(call, modern, options);
    case "declarations/manifest":
      return await manifestOf(modern, options);
    default:
      return unknownMethod(frame);
  }
}

interface Turn {
  readonly frame: RequestFrame;
  readonly itself: { readonly name: string; readonly version: string };
}

const modernVersion = protocolVersions[protocolVersions.length - 1];
const legacyVersions = protocolVersions.filter((version) => !isModernVersion(version));

function versionFor({ params }: RequestFrame): string | undefined {
  const wished = params?.protocolVersion;
  return legacyVersions.find((version) => version === wished) ?? legacyVersions.at(-1);
}

function said(itself: Turn["itself"], { title, apiVersion, resources }: ApiServer): Json {
  return {
    capabilities: { tools: {}, ...(resources.size > 0 && { resources: {} }) },
    serverInfo: itself,
    ...(title !== "" && { instructions: `${title} ${apiVersion}`.trim().slice(0, 300) }),
  };
}

function listed({ name, declaration, binding }: ApiTool): Json & DeclaredTool {
  const digest = `sha256-${toBase64url(sha256(utf8(binding)))}`;
  return { ...declaration, name, _meta: { [bindingKey]: digest } };
}

/** How long clients may keep a manifest; it says itself how long it counts. */
const manifestTtlMs = 60_000;

async function manifestOf(turn: Turn, { api, manifest }: ApiUpstreamOptions): Promise<Answer> {
  if (manifest === undefined) return unknownMethod(turn.frame);
  const document = await manifest([...api.current().tools.values()].map(listed));
  return result(turn, JSON.parse(document) as Json, { ttlMs: manifestTtlMs, cacheScope: "public" });
}

function unknownMethod(frame: RequestFrame): Answer {
  return failed(frame, -32601, "Method not found", frame.era === "modern" ? 404 : 200);
}

/** What a tool's call becomes, as a digest: whoever pins the tool pins that too. */
const bindingKey = "dev.latticegate/binding";

function resourcesOf({ resources }: ApiServer): readonly Json[] {
  return [...resources.values()].map(({ uri, name, description }) => ({
    uri,
    name,
    ...(description !== "" && { description }),
  }));
}

async function called(call: Journaled, turn: Turn, options: ApiUpstreamOptions): Promise<Answer> {
  const { frame } = turn;
  const tool = options.api.current().tools.get(frame.params?.name ?? "");
  if (tool === undefined) return failed(frame, -32602, "There is no such tool.");
  const made = requestOf(tool, frame);
  if ("error" in made) return result(turn, errorResult(made.error));
  const answer = await options.connection.send(made.request, { caller: call.caller, gone: call.reply.gone });
  const uri = `openapi://${options.name}/${encodeURIComponent(tool.name)}`;
  return { ...result(turn, toolResult(tool, answer, uri)), ...linkOf(answer, options) };
}

async function read(call: Journaled, turn: Turn, options: ApiUpstreamOptions): Promise<Answer> {
  const { frame } = turn;
  const uri = frame.params?.uri ?? "";
  const resource = options.api.current().resources.get(uri);
  if (resource === undefined) {
    const code = frame.era === "modern" ? -32602 : -32002;
    return failed(frame, code, "Resource not found");
  }
  const request = requestFromCall(resource.tool, { args: {}, boundary: "" });
  const answer = await options.connection.send(request, { caller: call.caller, gone: call.reply.gone });
  if (answer.status >= 300) throw new Refusal("upstream_failed", problemText(answer));
  const contents = [resourceContents(uri, answer)];
  return { ...result(turn, { contents }, uncached), ...linkOf(answer, options) };
}

/** What is wrong with a call's arguments its caller can mend, so it is told as the tool's own word (MCP, tools/call). */
function requestOf(
  tool: ApiTool,
  frame: RequestFrame,
): { readonly request: ApiRequest } | { readonly error: string } {
  const span = frame.params?.arguments;
  const args: unknown = span === undefined ? {} : JSON.parse(textOf(frame.bytes, span));
  if (!isObject(args)) return { error: "The arguments are to be an object." };
  const rawBody = bodyIn(tool, frame);
  const boundary = randomBytes(16).toString("hex");
  try {
    return { request: requestFromCall(tool, { args, ...(rawBody && { rawBody }), boundary }) };
  } catch (error) {
    if (error instanceof Refusal && error.code === "bad_message") return { error: error.message };
    throw error;
  }
}

/** As it came: numbers that JSON holds and JavaScript doesn't stay what they are. */
function bodyIn({ bodyArgument }: ApiTool, { bytes }: RequestFrame): Uint8Array | undefined {
  if (bodyArgument === undefined) return undefined;
  const place = scanJson(bytes, { params: { arguments: { [bodyArgument]: true } } })
    .members?.get("params")
    ?.members?.get("arguments")
    ?.members?.get(bodyArgument);
  return place && bytes.subarray(place.start, place.end);
}

function textOf(bytes: Uint8Array, { start, end }: { readonly start: number; readonly end: number }): string {
  return fromUtf8(bytes.subarray(start, end)) ?? "null";
}

function linkOf(
  { link }: { readonly link?: ServerLink | undefined },
  options: ApiUpstreamOptions,
): { readonly link?: ServerLink } {
  const known = link ?? options.link;
  return known === undefined ? {} : { link: known };
}

/** Of a result that depends on who asks (MCP 2026-07-28, caching). */
const uncached = { ttlMs: 0, cacheScope: "private" } as const;

function result({ frame, itself }: Turn, value: Json, caching: object = {}): Answer {
  const modern = {
    resultType: "complete",
    ...caching,
    _meta: { [serverInfoKey]: itself },
  };
  const whole = frame.era === "modern" ? { ...value, ...modern } : value;
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id: frame.id, result: whole }));
  return { kind: "whole", status: 200, headers: jsonHeaders, body };
}

function failed({ id }: RequestFrame, code: number, message: string, status = 200): Answer {
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } }));
  return { kind: "whole", status, headers: jsonHeaders, body };
}
