/**
 * What a server at the other end of a link has said of itself, and the checks that follow. Over HTTP a server
 * checks the envelope and the headers of a modern request by itself; a link has no headers, so its gateway does
 * (MCP 2026-07-28, streamable HTTP).
 */
import type { HeaderReader } from "../../gate/call.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { namedBy, type RequestFrame, type ResponseFrame } from "../../wire/frame.ts";
import { checkParameterHeaders, type ParameterHeader, toolParameterHeaders } from "../../wire/mcp-headers.ts";
import { isModernVersion } from "../../wire/protocol-version.ts";
import { memberOf, valueAt } from "../../wire/values.ts";

export interface Knowledge {
  /** The modern versions it speaks; unknown until it was asked to `server/discover`. */
  readonly versions?: readonly string[];
  /** By tool, the arguments that travel as headers too. */
  readonly parameters: ReadonlyMap<string, readonly ParameterHeader[]>;
  /** The tasks it was heard to begin, oldest first (SEP-2663). */
  readonly tasks: ReadonlySet<string>;
  /** Hashes of what it gave its client to send back, oldest first (multi round-trip requests). */
  readonly states: ReadonlySet<string>;
}

export const nothingKnown: Knowledge = { parameters: new Map(), tasks: new Set(), states: new Set() };

/** A list longer than this is passed on unread; its tools' headers stay unchecked. */
const maxReadBytes = 4 * 1024 * 1024;
/** Tasks, and states, of one link that are told apart; of more, the oldest are forgotten. */
const maxRemembered = 1024;
/** A message with a longer one is refused, so nobody can ask for it. */
const maxTaskIdLength = 8192;

export function learnt(known: Knowledge, method: string, answer: ResponseFrame): Knowledge {
  const { result } = answer;
  const lesson = byResultType.get(result?.resultType ?? "") ?? byMethod.get(method);
  if (lesson === undefined || result === undefined || answer.bytes.length > maxReadBytes) return known;
  return { ...known, ...lesson(valueAt(answer.bytes, result.span), known) };
}

type Lesson = (result: unknown, known: Knowledge) => Partial<Knowledge>;

const byResultType: ReadonlyMap<string, Lesson> = new Map<string, Lesson>([
  [
    "task",
    (result, { tasks }) => {
      const taskId = memberOf(result, "taskId");
      if (typeof taskId !== "string" || taskId.length > maxTaskIdLength) return {};
      return { tasks: remembered(tasks, taskId) };
    },
  ],
  [
    "input_required",
    (result, { states }) => {
      const state = memberOf(result, "requestState");
      return typeof state === "string" ? { states: remembered(states, sha256Hex(utf8(state))) } : {};
    },
  ],
]);

const byMethod: ReadonlyMap<string, Lesson> = new Map<string, Lesson>([
  [
    "server/discover",
    (result) => {
      const versions = memberOf(result, "supportedVersions");
      return Array.isArray(versions) ? { versions: versions.filter((each) => typeof each === "string") } : {};
    },
  ],
  [
    "tools/list",
    (result, { parameters }) => ({
      parameters: new Map([...parameters, ...toolParameterHeaders(result)]),
    }),
  ],
]);

/** Whether the request is about a task this server began: it is of no use to any other. */
export function concerns({ tasks }: Knowledge, request: RequestFrame): boolean {
  const { method, params } = request;
  if (tasks.size === 0 || params === undefined) return false;
  if (namedBy.get(method) === "taskId") return params.taskId !== undefined && tasks.has(params.taskId);
  if (method !== "subscriptions/listen") return false;
  const taskIds = memberOf(memberOf(valueAt(request.bytes, params.span), "notifications"), "taskIds");
  return Array.isArray(taskIds) && taskIds.some((taskId) => tasks.has(taskId));
}

/** Whether the request brings back what this server gave out, perhaps under a key that it alone has. */
export function gaveOut({ states }: Knowledge, { bytes, params }: RequestFrame): boolean {
  if (states.size === 0 || params?.requestState === undefined) return false;
  const state = valueAt(bytes, params.requestState);
  return typeof state === "string" && states.has(sha256Hex(utf8(state)));
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

function remembered(known: ReadonlySet<string>, newest: string): ReadonlySet<string> {
  return new Set([...known, newest].slice(-maxRemembered));
}
