/**
 * The front of `connect` for a client that speaks in messages, over stdio or HTTP+SSE: each becomes an HTTP request
 * through the tunnel, and each that comes back is written to the client. In both eras; a legacy session that was
 * lost is opened again, since the client's transport has no way to say so.
 */
import { concat, utf8 } from "../kernel/bytes.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal, refusalRow } from "../kernel/refusal.ts";
import {
  type Frame,
  type NotificationFrame,
  readFrame,
  tryReadFrame,
  type RequestFrame,
  type RequestId,
} from "../wire/frame.ts";
import { scanJson, tolerantScanLimits } from "../wire/json-scan.ts";
import { standardHeaders, toolParameterHeaders, type ParameterHeader } from "../wire/mcp-headers.ts";
import { type SseEvent, sseReader } from "../wire/sse.ts";
import type { CollectedAnswer, HttpRequest } from "./net/http-exchange.ts";
import { valueOf } from "./net/headers.ts";

export interface MessageFrontOptions {
  /** Sends one request to the server through the tunnel; see `exchange` for how it rejects. */
  readonly send: (request: Omit<HttpRequest, "path">) => Promise<CollectedAnswer>;
  /** Writes one message to the client, without its framing; resolves when it may be told more. Never rejects. */
  readonly write: (message: Uint8Array) => Promise<void>;
  readonly log: Log;
  readonly maxEventBytes: number;
}

const firstRetryMs = 250;
const maxRetryMs = 5000;
/** How long the session's end may take; the client has gone already. */
const goodbyeMs = 2000;
/** How often one call's stream may end and be resumed: a server that lets its clients poll ends it on purpose. */
const maxResumptions = 10_000;
/** A server may ask to be polled often, not without a pause. */
const minRetryMs = 50;
/** What a stream may still say, or take to end, once it has answered; broken off, it would cost a new link. */
const lastWordsMs = 5000;

const baseHeaders = [
  "content-type",
  "application/json",
  "accept",
  "application/json, text/event-stream",
] as const;

/** Why reading a stream came to its end, and how to go on. */
interface Stop {
  readonly answered: boolean;
  readonly lastId?: string;
  readonly retryMs?: number;
}

/** A request that isn't answered yet. */
interface OpenRequest {
  readonly abort: AbortController;
  /** Nobody waits for its answer: it was cancelled, or it is a subscription, which lasts as long as its client. */
  unawaited: boolean;
}

/** One client and its one session. */
export class MessageFront {
  readonly #options: MessageFrontOptions;
  readonly #open = new Map<RequestId, OpenRequest>();
  readonly #over = new AbortController();
  #order: Promise<unknown> = Promise.resolve();
  #session: string | undefined;
  #version: string | undefined;
  #initialize: RequestFrame | undefined;
  #reopening: Promise<void> | undefined;
  #parameters: ReadonlyMap<string, readonly ParameterHeader[]> = new Map();

  constructor(options: MessageFrontOptions) {
    this.#options = options;
  }

  /** Takes one line of the client's. Never throws: what is wrong goes back to the client. */
  take(line: Uint8Array): void {
    let frame: Frame;
    try {
      frame = readFrame(line);
    } catch (error) {
      void this.#writeError(null, error);
      return;
    }
    this.takeFrame(frame);
  }

  /** Takes one message of the client's. */
  takeFrame(frame: Frame): void {
    if (frame.kind === "notification" && this.#cancels(frame)) return;
    // What isn't answered is sent in turn: `initialized` must arrive before the first list.
    const before = this.#order;
    if (frame.kind === "request") {
      // Known at once: what cancels it may stand right behind it.
      const abort = new AbortController();
      this.#open.set(frame.id, { abort, unawaited: frame.method === "subscriptions/listen" });
      void before.then(() => this.#ask(frame, abort));
    } else this.#order = before.then(() => this.#tell(frame));
  }

  /** Resolves when no answer is awaited any more, or after `graceMs`; then ends the session. */
  async end(graceMs: number): Promise<void> {
    const deadline = Date.now() + graceMs;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, graceMs); // Cleared: a timer that is left keeps the process.
    await Promise.race([this.#order, late.promise]);
    clearTimeout(timer);
    const isAwaited = (): boolean => [...this.#open.values()].some(({ unawaited }) => !unawaited);
    while (isAwaited() && Date.now() < deadline) await pause(20);
    this.#over.abort();
    for (const { abort } of this.#open.values()) abort.abort();
    if (this.#session === undefined) return;
    const headers = this.#legacyHeaders();
    const gone = AbortSignal.timeout(goodbyeMs); // This one doesn't keep it.
    await this.#options.send({ method: "DELETE", headers, gone }).catch(() => {}); // It is forgotten anyway, later.
  }

  async #ask(request: RequestFrame, abort: AbortController): Promise<void> {
    if (request.method === "initialize") this.#initialize = request;
    try {
      if (!abort.signal.aborted && !this.#over.signal.aborted) await this.#exchange(request, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) await this.#writeError(request.id, error);
    } finally {
      this.#open.delete(request.id);
    }
  }

  async #exchange(request: RequestFrame, gone: AbortSignal): Promise<void> {
    let answer = await this.#send(request, gone);
    if (answer.status === 404 && this.#session !== undefined && request.era === "legacy") {
      await this.#reopen(this.#session); // 404 says that nothing was carried out.
      answer = await this.#send(request, gone);
    }
    if (request.method === "initialize" && answer.status < 300) {
      this.#session = valueOf(answer.headers, "mcp-session-id");
    }
    if (answer.kind === "whole") await this.#writeWhole(request, answer);
    else await this.#writeStream(request, answer.chunks, gone);
  }

  #send(frame: Frame, gone?: AbortSignal): Promise<CollectedAnswer> {
    const headers = this.#headersFor(frame);
    return this.#options.send({ method: "POST", headers, body: frame.bytes, ...(gone && { gone }) });
  }

  async #tell(frame: Frame): Promise<void> {
    if (this.#over.signal.aborted) return;
    try {
      const answer = await this.#send(frame);
      if (answer.status >= 400) this.#options.log.warn("notification.refused", { status: answer.status });
      if (frame.kind === "notification" && frame.method === "notifications/initialized") void this.#listen();
    } catch (error) {
      const text = error instanceof Error ? error.message : "unknown";
      this.#options.log.warn("notification.lost", { reason: text });
    }
  }

  /** Modern: the client's word that it isn't interested becomes the end of the request's stream. @returns whether that was all */
  #cancels({ params }: NotificationFrame): boolean {
    const request = params?.requestId === undefined ? undefined : this.#open.get(params.requestId);
    if (request === undefined) return false;
    request.unawaited = true;
    if (this.#session !== undefined) return false;
    request.abort.abort();
    return true;
  }

  #headersFor(frame: Frame): string[] {
    if (frame.kind === "response" || frame.era === "legacy") return this.#legacyHeaders();
    const name = frame.kind === "request" ? frame.params?.name : undefined;
    const parameters = name === undefined ? undefined : this.#parameters.get(name);
    return [...baseHeaders, ...standardHeaders(frame, parameters).flat()];
  }

  #legacyHeaders(): string[] {
    return [
      ...baseHeaders,
      ...(this.#session === undefined ? [] : ["mcp-session-id", this.#session]),
      ...(this.#version === undefined ? [] : ["mcp-protocol-version", this.#version]),
    ];
  }

  async #writeWhole(
    request: RequestFrame,
    answer: CollectedAnswer & { readonly kind: "whole" },
  ): Promise<void> {
    const frame = tryReadFrame(answer.body);
    if (frame?.kind === "response" && (frame.id === request.id || frame.id === null)) {
      const body = frame.id === null ? withId(answer.body, request.id) : answer.body;
      await this.#deliver(request, body, frame);
      return;
    }
    throw new Refusal(
      "upstream_failed",
      `The server answered with status ${answer.status} and no MCP message.`,
    );
  }

  /** Writes what the stream says until the request is answered; resumes it where it can be resumed. */
  async #writeStream(
    request: RequestFrame,
    first: AsyncIterable<Uint8Array>,
    gone: AbortSignal,
  ): Promise<void> {
    let chunks: AsyncIterable<Uint8Array> = first;
    let lastId: string | undefined;
    for (let resumptions = 0; resumptions < maxResumptions; resumptions++) {
      const stop = await this.#pump(chunks, request);
      if (stop.answered) return;
      lastId = stop.lastId ?? lastId;
      if (lastId === undefined || gone.aborted) break;
      await pause(Math.max(stop.retryMs ?? 1000, minRetryMs));
      const rest = await this.#resume(lastId, gone);
      if (rest === undefined) break;
      chunks = rest;
    }
    throw new Refusal(
      "upstream_failed",
      "The stream ended without an answer; the call may or may not have been carried out.",
    );
  }

  /** The rest of a stream; nothing where the link broke again, undefined where the server has none. */
  async #resume(lastId: string, gone: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined> {
    const headers = [...this.#legacyHeaders(), "last-event-id", lastId];
    try {
      const answer = await this.#options.send({ method: "GET", headers, gone });
      return answer.kind === "stream" ? answer.chunks : undefined;
    } catch (error) {
      // To ask for the rest again is never to call again.
      if (error instanceof Refusal && error.code === "upstream_failed" && error.facts["sent"] === true)
        return nothing();
      throw error;
    }
  }

  async #pump(chunks: AsyncIterable<Uint8Array>, request?: RequestFrame): Promise<Stop> {
    const reader = sseReader(this.#options.maxEventBytes);
    const resume: { lastId?: string; retryMs?: number } = {};
    const rest = chunks[Symbol.asyncIterator]();
    try {
      for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
        for (const event of reader.push(next.value)) {
          if (event.id !== undefined) resume.lastId = event.id;
          if (event.retryMs !== undefined) resume.retryMs = event.retryMs;
          if (!(await this.#passOn(event, request))) continue;
          void readOut(rest);
          return { answered: true };
        }
      }
    } catch (error) {
      void rest.return?.();
      this.#options.log.debug("stream.broken", {
        reason: error instanceof Error ? error.message : "unknown",
      });
    }
    return { answered: false, ...resume };
  }

  /** Writes an event's message; whether it answers the request. */
  async #passOn({ data }: SseEvent, request: RequestFrame | undefined): Promise<boolean> {
    if (data === null || data.length === 0) return false;
    const frame = tryReadFrame(data);
    await this.#deliver(request, data, frame);
    return request !== undefined && frame?.kind === "response" && frame.id === request.id;
  }

  async #deliver(
    request: RequestFrame | undefined,
    message: Uint8Array,
    frame: Frame | undefined,
  ): Promise<void> {
    if (frame?.kind === "response" && frame.result !== undefined && request !== undefined) {
      if (request.method === "initialize") this.#version = frame.result.protocolVersion;
      if (request.method === "tools/list") this.#learnTools(message);
    }
    await this.#options.write(message);
  }

  /** Which arguments have headers of their own (MCP 2026-07-28, x-mcp-header). */
  #learnTools(message: Uint8Array): void {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(message));
    const result =
      typeof parsed === "object" && parsed !== null && "result" in parsed ? parsed.result : undefined;
    this.#parameters = new Map([...this.#parameters, ...toolParameterHeaders(result)]);
  }

  /** Legacy: the stream for what the server says unasked, for as long as there is one. */
  async #listen(): Promise<void> {
    let lastId: string | undefined;
    for (let waitMs = firstRetryMs; !this.#over.signal.aborted; waitMs = Math.min(waitMs * 2, maxRetryMs)) {
      const session = this.#session;
      if (session === undefined) return;
      const headers = [...this.#legacyHeaders(), ...(lastId === undefined ? [] : ["last-event-id", lastId])];
      const answer = await this.#options
        .send({ method: "GET", headers, gone: this.#over.signal })
        .catch(() => undefined);
      if (answer !== undefined && answer.kind !== "stream") return; // 405: the server has none. 404: it lost us.
      if (answer !== undefined) {
        const stop = await this.#pump(answer.chunks);
        waitMs = Math.max(stop.retryMs ?? firstRetryMs, minRetryMs);
        lastId = stop.lastId ?? lastId;
      }
      await pause(waitMs);
    }
  }

  /** The session `lost` is gone (the gateway or the server began anew): opens another with the client's own words. */
  async #reopen(lost: string): Promise<void> {
    if (this.#session === lost)
      this.#reopening ??= this.#initializeAgain().finally(() => (this.#reopening = undefined));
    await this.#reopening;
  }

  async #initializeAgain(): Promise<void> {
    const initialize = this.#initialize;
    if (initialize === undefined || this.#over.signal.aborted)
      throw new Refusal("no_such_session", "The session has ended; initialize first.");
    const lost = this.#session;
    this.#session = undefined;
    const answer = await this.#send(initialize).catch((error: unknown) => {
      this.#session = lost; // So that the next call tries again.
      throw error;
    });
    this.#session = answer.status < 300 ? valueOf(answer.headers, "mcp-session-id") : lost;
    if (answer.kind === "stream") for await (const _ of answer.chunks); // Its result is the one the client has.
    if (answer.status >= 300) {
      throw new Refusal("no_such_session", "The session has ended, and another can't be had now; try again.");
    }
    const initialized = utf8('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    await this.#send(readFrame(initialized));
    this.#options.log.info("session.reopened");
    void this.#listen();
  }

  async #writeError(id: RequestId | null, error: unknown): Promise<void> {
    const refusal = error instanceof Refusal ? error : undefined;
    if (refusal === undefined)
      this.#options.log.error("front.fault", { stack: String((error as Error).stack) });
    const code = refusal === undefined ? -32603 : refusalRow(refusal.code).rpc;
    const message = refusal?.message ?? "Internal error in the sidecar; its log says why.";
    await this.#options.write(utf8(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } })));
  }
}

/** An error that HTTP carried without an id belongs to the request it answered; its other bytes stay. */
function withId(body: Uint8Array, id: RequestId): Uint8Array {
  const { start, members } = scanJson(body, { id: true }, tolerantScanLimits);
  const place = members?.get("id");
  const text = JSON.stringify(id);
  return place === undefined
    ? concat([body.subarray(0, start + 1), utf8(`"id":${text},`), body.subarray(start + 1)])
    : concat([body.subarray(0, place.start), utf8(text), body.subarray(place.end)]);
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

/** Lets a stream that has answered come to its end, so that its link can be used again. */
async function readOut(rest: AsyncIterator<Uint8Array>): Promise<void> {
  const late = setTimeout(() => void rest.return?.(), lastWordsMs).unref();
  try {
    while ((await rest.next()).done !== true);
  } catch {
    // It broke instead; all that mattered had been said.
  }
  clearTimeout(late);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
