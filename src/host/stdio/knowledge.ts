/**
 * What a stdio server has said of itself, and the checks that follow. Over HTTP a server checks the envelope
 * and the headers of a modern request by itself; a pipe has no headers, so its gateway does (MCP 2026-07-28,
 * streamable HTTP).
 */
import type { HeaderReader } from "../../gate/call.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { namedBy, type RequestFrame, type ResponseFrame } from "../../wire/frame.ts";
import {
  checkParameterHeaders,
  isModernVersion,
  type ParameterHeader,
  toolParameterHeaders,
} from "../../wire/mcp-headers.ts";

export interface Knowledge {
  /** The modern versions it speaks; unknown until it was asked to `server/discover`. */
  readonly versions?: readonly string[];
  /** By tool, the arguments that travel as headers too. */
  readonly parameters: ReadonlyMap<string, readonly ParameterHeader[]>;
  /** The tasks it was heard to begin, oldest first (SEP-2663). */
  readonly tasks: ReadonlySet<string>;
}

export const nothingKnown: Knowledge = { parameters: new Map(), tasks: new Set() };

/** A list longer than this is passed on unread; its tools' headers stay unchecked. */
const maxReadBytes = 4 * 1024 * 1024;
/** Tasks of one process that are told apart; of more, the oldest are forgotten. */
const maxTasks = 1024;
/** A message with a longer one is refused, so nobody can ask for it. */
const maxTaskIdLength = 8192;

export function learnt(known: Knowledge, method: string, answer: ResponseFrame): Knowledge {
  const { result } = answer;
  const beginsTask = result?.resultType === "task";
  const tells = method === "server/discover" || method === "tools/list" || beginsTask;
  if (!tells || result === undefined || answer.bytes.length > maxReadBytes) return known;
  const value = valueAt(answer, result.span);
  if (beginsTask) {
    const taskId = member(value, "taskId");
    if (typeof taskId !== "string" || taskId.length > maxTaskIdLength) return known;
    return { ...known, tasks: new Set([...known.tasks, taskId].slice(-maxTasks)) };
  }
  if (method === "tools/list") {
    return { ...known, parameters: new Map([...known.parameters, ...toolParameterHeaders(value)]) };
  }
  const versions = member(value, "supportedVersions") ?? [];
  return Array.isArray(versions)
    ? { ...known, versions: versions.filter((each) => typeof each === "string") }
    : known;
}

/** Whether the request is about a task this server began: it is of no use to any other. */
export function concerns({ tasks }: Knowledge, request: RequestFrame): boolean {
  const { method, params } = request;
  if (tasks.size === 0 || params === undefined) return false;
  if (namedBy.get(method) === "taskId") return params.taskId !== undefined && tasks.has(params.taskId);
  if (method !== "subscriptions/listen") return false;
  const taskIds = member(member(valueAt(request, params.span), "notifications"), "taskIds");
  return Array.isArray(taskIds) && taskIds.some((taskId) => tasks.has(taskId));
}

/** @throws Refusal `bad_envelope` if the request says by its headers that it is modern, and isn't whole */
export function checkEnvelope({ era, params }: RequestFrame, header: HeaderReader): void {
  if (era === "legacy" && isModernVersion(header("mcp-protocol-version"))) {
    const missing = params?.meta === undefined ? "_meta" : "io.modelcontextprotocol/protocolVersion";
    throw new Refusal("bad_envelope", `The header says a modern version, but the request has no ${missing}.`);
  }
  if (era === "modern" && params?.meta?.hasClientCapabilities !== true) {
    throw new Refusal("bad_envelope", "Expected io.modelcontextprotocol/clientCapabilities in _meta.");
  }
}

/** @throws Refusal `unsupported_version`, `header_mismatch` */
export function checkAgainst(known: Knowledge, request: RequestFrame, header: HeaderReader): void {
  if (request.era === "legacy") return;
  const requested = request.params?.meta?.protocolVersion ?? "";
  if (known.versions !== undefined && !known.versions.includes(requested)) {
    const data = { supported: known.versions, requested };
    throw new Refusal("unsupported_version", `Unsupported protocol version: ${requested}`, { data });
  }
  const parameters = known.parameters.get(request.params?.name ?? "") ?? [];
  if (request.method === "tools/call") checkParameterHeaders(request, header, parameters);
}

function valueAt(
  { bytes }: { readonly bytes: Uint8Array },
  { start, end }: { readonly start: number; readonly end: number },
): unknown {
  const text = fromUtf8(bytes.subarray(start, end));
  return text === undefined ? undefined : JSON.parse(text);
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
