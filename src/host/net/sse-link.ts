/**
 * The link to a server over HTTP+SSE (MCP 2024-11-05, transports): it speaks on one stream, whose `endpoint` event says
 * where it is spoken to, by one POST per message. The session is the stream.
 */
import type { Dispatcher } from "undici";

import type { HeaderList } from "../../gate/call.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal, type RefusalCode } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import { tryReadFrame } from "../../wire/frame.ts";
import { type SseEvent, sseReader } from "../../wire/sse.ts";
import { flowGate } from "../link/flow-gate.ts";
import type { Link, LinkEvents } from "../link/link.ts";
import { within } from "../within.ts";
import { traceHeaders } from "./headers.ts";
import { exchange, type HttpAnswer } from "./http-exchange.ts";

export interface SseLinkSpec {
  /** Name of the server, for the log. */
  readonly name: string;
  /** Where the stream is opened. */
  readonly url: URL;
  /** Our own credentials for that server, names and values in turn. */
  readonly headers: readonly string[];
  readonly dispatcher: () => Dispatcher;
  /** Told of the link each answer came on. */
  readonly onLink: (link: ServerLink) => void;
  /** How long the server may take to accept a message. */
  readonly answerTimeoutMs: number;
  readonly maxEventBytes: number;
  readonly log: Log;
}

/** How long the stream may take to open and to name its endpoint. */
const openTimeoutMs = 10_000;
/** Messages are sent in order; but one that isn't accepted within this, as by who accepts after answering, holds up no other. */
const turnMs = 250;
/** What may wait to be accepted. */
const maxUnsentBytes = 8 * 1024 * 1024;
/** Of an answer to GET or POST that is no stream; nobody reads it. */
const maxIgnoredBytes = 64 * 1024;
const maxEndpointBytes = 8192;

/** What a status that refuses a message says to whoever sent it; any other is the server's failure. */
const codes: ReadonlyMap<number, RefusalCode> = new Map([
  [400, "bad_message"],
  [413, "too_large"],
  [429, "busy"],
  [503, "busy"],
  [504, "upstream_timeout"],
]);

export function openSseLink(spec: SseLinkSpec, events: LinkEvents): Link {
  const over = new AbortController();
  const endpoint = Promise.withResolvers<string>();
  const flow = flowGate();
  const end = (refusal: Refusal): void => {
    if (over.signal.aborted) return;
    clearTimeout(late);
    over.abort();
    spec.log.info("server.ended", { server: spec.name, reason: refusal.message });
    events.onEnd(refusal);
  };
  const openMs = Math.min(openTimeoutMs, spec.answerTimeoutMs);
  const late = setTimeout(() => end(failed("named no endpoint in time", "upstream_timeout")), openMs);
  const onEvent = (event: SseEvent): void => {
    if (over.signal.aborted || event.data === null) return;
    if (event.event === "endpoint") {
      clearTimeout(late);
      endpoint.resolve(endpointPath(event.data, spec.url)); // The first one counts.
    } else if (event.event === undefined || event.event === "message" || event.event === "") {
      const frame = tryReadFrame(event.data);
      // Its content may be anything, so it isn't logged.
      if (frame === undefined) spec.log.warn("server.noise", { server: spec.name, bytes: event.data.length });
      else events.onMessage(frame);
    }
  };
  void read(spec, over.signal, async (event) => {
    onEvent(event);
    await flow.open();
  }).then(
    () => end(failed("ended its stream")),
    (error: unknown) => {
      if (!(error instanceof Refusal))
        spec.log.error("server.fault", { server: spec.name, stack: stackOf(error) });
      end(asRefusal(error));
    },
  );
  spec.log.info("server.started", { server: spec.name });
  return {
    send: sender(spec, endpoint.promise, { events, end, gone: over.signal }),
    isHeldUp: flow.isPaused,
    pause: flow.pause,
    resume: flow.resume,
    stop: () => {
      end(failed("was left"));
      return Promise.resolve();
    },
  };
}

interface Sending {
  readonly events: LinkEvents;
  readonly end: (refusal: Refusal) => void;
  readonly gone: AbortSignal;
}

function sender(spec: SseLinkSpec, endpoint: Promise<string>, { events, end, gone }: Sending): Link["send"] {
  let unsentBytes = 0;
  let accepted = 0;
  let turn: Promise<unknown> = endpoint;
  const post = async (path: string, message: Uint8Array, headers: HeaderList): Promise<void> => {
    if (gone.aborted) return;
    const refusal = await delivered(spec, { path, message, headers, gone }).then(
      (status) => refusalOf(status, accepted > 0),
      asRefusal,
    );
    unsentBytes -= message.length;
    if (refusal === undefined) accepted += 1;
    else if (!gone.aborted) events.onUndelivered(message, refusal);
    if (refusal?.code === "no_such_session") end(refusal);
  };
  return (message, call) => {
    if (unsentBytes > maxUnsentBytes) {
      throw new Refusal("busy", `The server "${spec.name}" doesn't take what it is sent.`);
    }
    unsentBytes += message.length;
    turn = turn.then(async () => within(post(await endpoint, message, call?.headers ?? []), turnMs));
  };
}

interface Post {
  readonly path: string;
  readonly message: Uint8Array;
  readonly headers: HeaderList;
  readonly gone: AbortSignal;
}

/** Posts one message. @returns the status it was answered with; rejects as `exchange` does */
async function delivered(spec: SseLinkSpec, { path, message, headers, gone }: Post): Promise<number> {
  const answer = await exchange(
    spec.dispatcher(),
    {
      method: "POST",
      path,
      headers: ["content-type", "application/json", ...traceHeaders(headers), ...spec.headers],
      body: message,
      gone,
    },
    { answerTimeoutMs: spec.answerTimeoutMs, answerBytes: maxIgnoredBytes },
  );
  if (answer.link !== undefined) spec.onLink(answer.link);
  await ignore(answer);
  return answer.status;
}

/** Opens the stream and reads it to its end; rejects with why it can't be read. */
async function read(
  spec: SseLinkSpec,
  gone: AbortSignal,
  onEvent: (event: SseEvent) => Promise<void>,
): Promise<void> {
  const answer = await exchange(
    spec.dispatcher(),
    {
      method: "GET",
      path: spec.url.pathname + spec.url.search,
      headers: ["accept", "text/event-stream", "cache-control", "no-cache", ...spec.headers],
      gone,
    },
    { answerTimeoutMs: openTimeoutMs, answerBytes: maxIgnoredBytes },
  );
  if (answer.link !== undefined) spec.onLink(answer.link);
  if (answer.kind !== "stream" || answer.status !== 200) {
    await ignore(answer);
    throw failed(`opened no HTTP+SSE stream (${describe(answer.status)})`);
  }
  const reader = sseReader(spec.maxEventBytes);
  for await (const chunk of answer.chunks) {
    for (const event of reader.push(chunk)) await onEvent(event);
  }
}

/** @throws Refusal `upstream_failed` if our credentials and our callers' messages would go to another origin */
function endpointPath(data: Uint8Array, stream: URL): string {
  const url = data.length > maxEndpointBytes ? null : URL.parse(new TextDecoder().decode(data), stream);
  if (url === null) throw failed("named an endpoint that is no address");
  if (url.origin !== stream.origin) throw failed("named an endpoint of another origin");
  return url.pathname + url.search;
}

function refusalOf(status: number, isKnown: boolean): Refusal | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (isKnown && (status === 404 || status === 410)) {
    return new Refusal("no_such_session", "The server has ended the session; initialize again.");
  }
  return failed(`didn't take the message (${describe(status)})`, codes.get(status));
}

function describe(status: number): string {
  return status >= 300 && status < 400
    ? `status ${status}, a redirect, which isn't followed`
    : `status ${status}`;
}

function failed(what: string, code: RefusalCode = "upstream_failed"): Refusal {
  return new Refusal(code, `The server ${what}.`, { facts: { sent: true } });
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal("upstream_failed", "The server's stream broke off.", { cause: error });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : "not an error";
}

async function ignore(answer: HttpAnswer): Promise<void> {
  if (answer.kind !== "whole") await answer.chunks[Symbol.asyncIterator]().return?.();
}
