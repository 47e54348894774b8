/** One request over a link and all that comes back for it: an answer at once, or a stream that grows. */
import { sseHeaders } from "../answers.ts";
import type { Answer, AnswerEvent, ResumedCall } from "../../gate/call.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import type { Era, RequestFrame, ResponseFrame } from "../../wire/frame.ts";
import { writeSseEvent } from "../../wire/sse.ts";
import { eventQueue } from "../event-queue.ts";
import type { Connection, Flow, SessionStream } from "./session-stream.ts";

export interface Conversation {
  readonly request: RequestFrame;
  /** A message that belongs to the request but doesn't answer it. */
  readonly add: (message: Uint8Array) => void;
  readonly finish: (response: ResponseFrame) => void;
  readonly fail: (refusal: Refusal) => void;
  readonly answer: Promise<Answer>;
  /** Resolves when the server has said something, or never will. */
  readonly begun: Promise<void>;
  /** What is said goes out as events, and may be fetched later. */
  readonly isStream: () => boolean;
}

/** Where what is said goes once it goes as events. */
export interface Outlet {
  readonly events: AsyncIterable<AnswerEvent>;
  readonly add: (message: Uint8Array) => void;
  readonly finish: () => void;
  readonly fail: (refusal: Refusal) => void;
}

export interface ConversationOptions {
  /** Further headers of the answer, names and values in turn. */
  readonly headers: readonly string[];
  readonly open: () => Outlet;
  /** The client takes events. An answer is one as well then, as the protocol's own servers have it. */
  readonly takesEvents: boolean;
  /** A stream is opened before anything is said, since its client learns by that how to come back. */
  readonly opensEarly: boolean;
}

/**
 * An answer that comes within this time goes out by itself. Later ones get a stream first, that can be come
 * back to; what breaks before would have lost a stream's first event as well.
 */
const promptMs = 25;

export function conversation(request: RequestFrame, options: ConversationOptions): Conversation {
  const { headers, takesEvents } = options;
  const { promise: answer, resolve, reject } = Promise.withResolvers<Answer>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  let outlet: Outlet | undefined;
  const open = (): Outlet => {
    clearTimeout(waiting);
    if (outlet === undefined) {
      outlet = options.open();
      resolve(streamAnswer(outlet.events, headers));
    }
    return outlet;
  };
  const waiting = options.opensEarly ? setTimeout(open, promptMs) : undefined;
  return {
    request,
    answer,
    begun,
    isStream: () => outlet !== undefined,
    add: (message) => {
      begin();
      open().add(message);
    },
    finish: (response) => {
      begin();
      clearTimeout(waiting);
      if (outlet !== undefined) {
        outlet.add(response.bytes);
        outlet.finish();
      } else resolve(takesEvents ? prompt(response, headers) : whole(response, request.era, headers));
    },
    fail: (refusal) => {
      begin();
      clearTimeout(waiting);
      if (outlet === undefined) reject(refusal);
      else outlet.fail(refusal);
    },
  };
}

/** Modern: a stream is its connection, and ends with it. */
export function passingOutlet(flow: Flow): Outlet {
  const queue = eventQueue<AnswerEvent>({
    ...flow,
    bytesOf: ({ raw, data }) => raw.length + (data?.length ?? 0),
    cancel: () => {},
  });
  return {
    events: queue,
    add: (message) => queue.push(messageEvent(message)),
    finish: queue.end,
    fail: queue.fail,
  };
}

/** Legacy: the stream goes on without its connection. A failure is said on it, since it has to be known later too. */
export function resumableOutlet(
  stream: SessionStream,
  connection: Connection,
  farewell: (refusal: Refusal) => Uint8Array,
): Outlet {
  return {
    events: stream.read(connection, 0),
    add: (message) => stream.add(message),
    finish: () => stream.finish(),
    fail: (refusal) => {
      stream.add(farewell(refusal), refusal);
      stream.finish();
    },
  };
}

export function streamAnswer(
  events: AsyncIterable<AnswerEvent>,
  headers: readonly string[],
  resumes?: ResumedCall,
): Answer {
  return {
    kind: "stream",
    status: 200,
    headers: [...sseHeaders, ...headers],
    events,
    ...(resumes && { resumes }),
  };
}

function whole(response: ResponseFrame, era: Era, headers: readonly string[]): Answer {
  return {
    kind: "whole",
    status: statusOf(response, era),
    headers: ["content-type", "application/json", ...headers],
    body: response.bytes,
  };
}

/** A stream of one event, which nothing follows and nobody has to come back for. */
function prompt({ bytes }: ResponseFrame, headers: readonly string[]): Answer {
  const body = messageEvent(bytes).raw;
  return { kind: "whole", status: 200, headers: [...sseHeaders, ...headers], body, message: bytes };
}

function messageEvent(message: Uint8Array): AnswerEvent {
  return { raw: writeSseEvent({ event: "message", data: message }), data: message, event: "message" };
}

/** MCP 2026-07-28, streamable HTTP: which JSON-RPC errors show in the HTTP status. */
function statusOf(response: ResponseFrame, era: Era): number {
  if (era === "legacy" || response.error === undefined) return 200;
  if (response.error.code === -32601) return 404;
  return response.error.code <= -32020 && response.error.code >= -32022 ? 400 : 200;
}
