/** Any error → the answer the caller may see, and the line the operator gets. Shapes and codes: MCP 2026-07-28, SEP-2643. */
import { utf8 } from "../kernel/bytes.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal, refusalRow } from "../kernel/refusal.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { sessionHeader } from "../wire/identity-headers.ts";
import { principalOf, type Read, type Received } from "./call.ts";
import { signatureCodes } from "./signature-refusals.ts";

const json = ["content-type", "application/json"] as const;

interface RefusedAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** The answer to a call that was refused or that failed. A fault is shown as an id and nothing else. */
export function refusedAnswer(
  call: Pick<Received, "id"> & Partial<Pick<Read, "frame">>,
  error: unknown,
): RefusedAnswer {
  const request = call.frame?.kind === "request" ? call.frame : undefined;
  if (!(error instanceof Refusal)) {
    return rpcError(request, 500, { code: -32603, message: `Internal error ${call.id}` });
  }
  const own = ownAnswers.get(error.code);
  if (own !== undefined && request !== undefined) return own(request, error);
  const { rpc, http } = refusalRow(error.code);
  const { message, data } = error;
  const said = rpcError(request, http, { code: rpc, message, ...(data !== undefined && { data }) });
  // Nothing came of the call, and its sidecar may make it again: only the gateway says so.
  const ended = error.code === "session_ended" ? [sessionHeader, "ended"] : [];
  return { ...said, headers: [...said.headers, ...error.headers, ...ended] };
}

/** Tells the operator, and in the log alone, what the caller may not know: the facts, the stack. */
export function logRefusal(call: Received & Partial<Read>, error: unknown, log: Log): void {
  const fields = { callId: call.id, caller: principalOf(call), server: call.server };
  if (!(error instanceof Refusal)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : "not an error";
    log.error("call.fault", { ...fields, stack });
  } else if (error.code === "journal_unavailable") {
    log.error("call.unrecorded", { ...fields, ...error.facts });
  } else {
    log.info("call.refused", { ...fields, code: error.code, ...error.facts });
  }
}

/**
 * A denied tool call is a tool result that says so, since models read those; a denied read is an error
 * of its own; whoever may use nothing of a server is told so by HTTP, which no client takes for a
 * sign of the other protocol era.
 */
function deniedAnswer(request: RequestFrame, refusal: Refusal): RefusedAnswer {
  const { rpc, http } = refusalRow(refusal.code);
  const data = {
    "dev.latticegate/authorization": { reason: "insufficient_authorization", remediation: "unavailable" },
  };
  if (request.method === "tools/call")
    return failedTool(request, `Denied by policy: ${refusal.message}`, data);
  const named = request.params?.name !== undefined || request.params?.uri !== undefined;
  return rpcError(request, named ? 200 : http, { code: rpc, message: refusal.message, data });
}

/**
 * A person has to do something, and the text says what. HTTP says nothing of it: to a 401 clients would begin an
 * authorization with the gateway, and to a 403 give the server up.
 */
function grantAnswer(request: RequestFrame, refusal: Refusal): RefusedAnswer {
  const { message, code } = refusal;
  const data = {
    "dev.latticegate/authorization": { reason: "grant_needed", remediation: "latticegate grant" },
  };
  if (request.method === "tools/call") return failedTool(request, message, data);
  return rpcError(request, 200, { code: refusalRow(code).rpc, message, data });
}

/**
 * Whoever signs for the client reads what to do, and does it; models read who has to approve, and wait. HTTP says
 * nothing that a client would act on.
 */
function curableAnswer(request: RequestFrame, { message, code, data }: Refusal): RefusedAnswer {
  if (request.method === "tools/call") return failedTool(request, message, data as object);
  return rpcError(request, 200, { code: refusalRow(code).rpc, message, data });
}

/** An operator has to do something, which the text says; asking again changes nothing until then. */
function blockedAnswer(request: RequestFrame, { message, code }: Refusal): RefusedAnswer {
  const data = {
    "dev.latticegate/authorization": { reason: code, remediation: "available" },
  };
  if (request.method === "tools/call") return failedTool(request, message, data);
  const { rpc, http } = refusalRow(code);
  return rpcError(request, http, { code: rpc, message, data });
}

/** What is told in a way of its own. */
const ownAnswers: ReadonlyMap<string, (request: RequestFrame, refusal: Refusal) => RefusedAnswer> = new Map([
  ["denied", deniedAnswer],
  ["cut_off", deniedAnswer],
  ["grant_needed", grantAnswer],
  ["tool_blocked", blockedAnswer],
  ["server_gated", blockedAnswer],
  // Their `data` says what would do: a signature, or people's approval.
  ...[...signatureCodes, "held"].map((code) => [code, curableAnswer] as const),
]);

function failedTool(request: RequestFrame, text: string, meta: object): RefusedAnswer {
  return answer(200, {
    jsonrpc: "2.0",
    id: request.id,
    result: {
      ...(request.era === "modern" && { resultType: "complete" }),
      content: [{ type: "text", text }],
      isError: true,
      _meta: meta,
    },
  });
}

function rpcError(
  request: RequestFrame | undefined,
  status: number,
  error: { readonly code: number; readonly message: string; readonly data?: unknown },
): RefusedAnswer {
  return answer(status, { jsonrpc: "2.0", id: request?.id ?? null, error });
}

function answer(status: number, body: unknown): RefusedAnswer {
  return { status, headers: json, body: utf8(JSON.stringify(body)) };
}
