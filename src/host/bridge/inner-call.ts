/** What a bridge says to its server, over the server's own adapter and on its caller's behalf, and what comes back. */
import type { Answer, Journaled } from "../../gate/call.ts";
import { concat } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Frame, tryReadFrame } from "../../wire/frame.ts";
import { filtered, valueOf } from "../net/headers.ts";

export interface InnerRequest {
  readonly verb: Journaled["verb"];
  /** Absent for GET and DELETE. */
  readonly frame?: Frame;
  /** Names and values in turn, beside those of the caller that aren't of its own leg. */
  readonly headers: readonly string[];
  /** The server's own session id. */
  readonly session?: string | undefined;
  /** Aborting drops the connection. */
  readonly gone: AbortSignal;
}

/** The call as the server behind the bridge gets it. */
export function innerCall(call: Journaled, request: InnerRequest): Journaled {
  const { verb, frame, session, gone } = request;
  const headers = [...filtered(call.headers, isOfBothLegs), ...request.headers];
  const { frame: _, session: __, ...rest } = call;
  return {
    ...rest,
    verb,
    headers,
    header: (lowerCaseName) => valueOf(headers, lowerCaseName),
    body: frame?.bytes ?? new Uint8Array(0),
    ...(frame && { frame }),
    ...(session !== undefined && { session }),
    reply: { ...call.reply, gone },
  };
}

/** What a client says of its own leg (version, session, what it takes) would be wrong on the other. */
function isOfBothLegs(name: string): boolean {
  return !name.startsWith("mcp-") && !ofOneLeg.has(name);
}

const ofOneLeg: ReadonlySet<string> = new Set([
  "accept",
  "content-type",
  "content-length",
  "content-encoding",
  "last-event-id",
]);

/** What a POST of either era has. */
export const postHeaders = [
  "content-type",
  "application/json",
  "accept",
  "application/json, text/event-stream",
] as const;

/** The messages in an answer as they come; what is no message is skipped, as clients do. Throws if it breaks off. */
export async function* messagesIn(answer: Answer, maxBytes: number): AsyncGenerator<Frame, void> {
  if (answer.kind === "stream") {
    for await (const { data } of answer.events) {
      const frame = data === null ? undefined : tryReadFrame(data);
      if (frame !== undefined) yield frame;
    }
    return;
  }
  const frame = tryReadFrame(await wholeBody(answer, maxBytes));
  if (frame !== undefined) yield frame;
}

async function wholeBody(answer: Exclude<Answer, { kind: "stream" }>, maxBytes: number): Promise<Uint8Array> {
  if (answer.kind === "whole") return answer.message ?? answer.body;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw new Refusal("answer_too_large", `The server's answer is longer than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return concat(chunks);
}

/** Nobody reads the rest. */
export async function ignored(answer: Answer): Promise<void> {
  if (answer.kind === "stream") await answer.events[Symbol.asyncIterator]().return?.();
  if (answer.kind === "long") await answer.chunks[Symbol.asyncIterator]().return?.();
}
