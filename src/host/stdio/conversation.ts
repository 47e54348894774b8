/** One request to a stdio server and all that comes back for it: a whole answer, or a stream that grows. */
import type { Answer } from "../../gate/call.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Era, RequestFrame, ResponseFrame } from "../../wire/frame.ts";
import { type SseEvent, writeSseEvent } from "../../wire/sse.ts";
import { type EventQueue, eventQueue } from "../event-queue.ts";

export interface Conversation {
  readonly request: RequestFrame;
  /** A message that belongs to the request but doesn't answer it. */
  readonly add: (message: Uint8Array) => void;
  readonly finish: (response: ResponseFrame) => void;
  readonly fail: (refusal: Refusal) => void;
  readonly answer: Promise<Answer>;
}

/** What the server's stdout is told when a reader is slower than the server. */
export interface Flow {
  readonly pause: () => void;
  readonly resume: () => void;
}

const sseHeaders = [
  "content-type",
  "text/event-stream",
  "cache-control",
  "no-cache, no-transform",
  "x-accel-buffering",
  "no",
];

/** @param headers further headers of the answer, names and values in turn */
export function conversation(request: RequestFrame, headers: readonly string[], flow: Flow): Conversation {
  const { promise: answer, resolve, reject } = Promise.withResolvers<Answer>();
  let stream: EventQueue<SseEvent> | undefined;
  const open = (): EventQueue<SseEvent> => {
    if (stream === undefined) {
      stream = messageStream(flow);
      resolve({ kind: "stream", status: 200, headers: [...sseHeaders, ...headers], events: stream });
    }
    return stream;
  };
  return {
    request,
    answer,
    add: (message) => open().push(messageEvent(message)),
    finish: (response) => {
      if (stream !== undefined) {
        stream.push(messageEvent(response.bytes));
        stream.end();
        return;
      }
      resolve({
        kind: "whole",
        status: statusOf(response, request.era),
        headers: ["content-type", "application/json", ...headers],
        body: response.bytes,
      });
    },
    fail: (refusal) => {
      if (stream === undefined) reject(refusal);
      else stream.fail(refusal);
    },
  };
}

/** The stream on which a server speaks unasked. Nothing waits for its reader: one that is too slow is cut off. */
export function unaskedStream(headers: readonly string[]): {
  readonly answer: Answer;
  readonly queue: EventQueue<SseEvent>;
} {
  const queue = messageStream({
    pause: () => queue.fail(new Refusal("upstream_failed", "The reader of this stream is too slow.")),
    resume: () => {},
  });
  return {
    queue,
    answer: { kind: "stream", status: 200, headers: [...sseHeaders, ...headers], events: queue },
  };
}

export function messageEvent(message: Uint8Array): SseEvent {
  const raw = writeSseEvent({ event: "message", data: message });
  return { raw, data: message, event: "message" };
}

function messageStream(flow: Flow): EventQueue<SseEvent> {
  return eventQueue<SseEvent>({
    ...flow,
    bytesOf: ({ raw, data }) => raw.length + (data?.length ?? 0),
    cancel: () => {},
  });
}

/** MCP 2026-07-28, streamable HTTP: which JSON-RPC errors show in the HTTP status. */
function statusOf(response: ResponseFrame, era: Era): number {
  if (era === "legacy" || response.error === undefined) return 200;
  if (response.error.code === -32601) return 404;
  return response.error.code <= -32020 && response.error.code >= -32022 ? 400 : 200;
}
