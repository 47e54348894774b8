/** One request over HTTP/2 and its answer, as undici tells of those over HTTP/1.1. */
import http2 from "node:http2";

import { type Dispatcher, errors } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import { connectionNames, filtered } from "./headers.ts";

export type H2Options = Pick<
  Dispatcher.DispatchOptions,
  "method" | "path" | "headers" | "body" | "headersTimeout"
>;

/** What it is sent on. */
export interface H2Sending {
  readonly session: http2.ClientHttp2Session;
  readonly authority: string;
  /** Streams above that number were never looked at by the other end, as it said when it left (GOAWAY). */
  readonly lastTaken: () => number;
  /** Its stream is closed. */
  readonly onOver: () => void;
}

/** What a stream is given of a body at a time: what was given waits in memory until the other end takes it. */
const sliceBytes = 64 * 1024;

export class H2Exchange implements Dispatcher.DispatchController {
  rawHeaders: string[] | null = null;
  readonly #options: H2Options;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #cancelled = new AbortController();
  #stream: http2.ClientHttp2Stream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reason: Error | null = null;
  #broke: Error | undefined;
  #hasEnded = false;
  #isPaused = false;
  #isOver = false;
  #onWithdrawn: (() => void) | undefined;

  /** @param onWithdrawn it is aborted before it is sent, or waited too long for that */
  constructor(options: H2Options, handler: Dispatcher.DispatchHandler, onWithdrawn: () => void) {
    this.#options = options;
    this.#handler = handler;
    this.#onWithdrawn = onWithdrawn;
    this.#timeOut(() => this.abort(noRoom()));
    handler.onRequestStart?.(this, {});
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  abort(reason: Error): void {
    if (this.#isOver || this.#reason !== null) return;
    this.#reason = reason;
    if (this.#stream === undefined) {
      this.#fail(reason);
      this.#onWithdrawn?.();
    } else this.#cancelled.abort(reason); // RST_STREAM with CANCEL, and `close`.
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#stream?.resume();
  }

  /** It couldn't be sent. */
  refuse(error: Error): void {
    if (!this.#isOver) this.#fail(error);
  }

  send(to: H2Sending): void {
    this.#onWithdrawn = undefined;
    this.#timeOut(() => this.abort(new errors.HeadersTimeoutError()));
    const body = this.#body();
    const stream = to.session.request(this.#head(to.authority, body), {
      endStream: body === undefined,
      signal: this.#cancelled.signal,
    });
    this.#stream = stream;
    stream.on("response", (_headers, _flags, raw) => this.#begin(stream, raw));
    stream.on("end", () => (this.#hasEnded = true));
    stream.on("error", (error) => (this.#broke = error));
    stream.on("close", () => {
      this.#close(stream, to.lastTaken());
      to.onOver();
    });
    if (body !== undefined) writeAll(stream, body);
    this.#handler.onRequestSent?.();
  }

  #body(): Uint8Array | undefined {
    const { body } = this.#options;
    return body instanceof Uint8Array && body.length > 0 ? body : undefined;
  }

  #head(authority: string, body: Uint8Array | undefined): string[] {
    const { method, path, headers } = this.#options;
    const raw = Array.isArray(headers) ? headers.map(String) : [];
    return [
      ":method",
      method,
      ":path",
      path,
      ":scheme",
      "https",
      ":authority",
      authority,
      ...filtered(raw, (name) => !connectionNames.has(name) && name !== "host" && name !== "content-length"),
      ...(body === undefined ? [] : ["content-length", String(body.length)]),
    ];
  }

  #begin(stream: http2.ClientHttp2Stream, raw: readonly string[]): void {
    if (this.aborted || this.#isOver) return;
    clearTimeout(this.#timer);
    const at = raw.indexOf(":status");
    this.rawHeaders = filtered(raw, (name) => !name.startsWith(":"));
    this.#handler.onResponseStart?.(this, Number(raw[at + 1]), {}, "");
    stream.on("data", (chunk: Buffer) => {
      if (!this.aborted) this.#handler.onResponseData?.(this, chunk);
    });
    if (this.#isPaused) stream.pause();
  }

  #close({ rstCode, id }: http2.ClientHttp2Stream, lastTaken: number): void {
    if (this.#isOver) return;
    const hasBegun = this.rawHeaders !== null;
    // INVARIANT: `end` alone says nothing: a stream that was broken off ends too, for Node.
    const isWhole = hasBegun && this.#hasEnded && rstCode === http2.constants.NGHTTP2_NO_ERROR;
    if (this.#reason === null && isWhole) {
      this.#isOver = true;
      this.#handler.onResponseEnd?.(this, {});
      return;
    }
    const isUntaken =
      !hasBegun && (id === undefined || id > lastTaken || rstCode === http2.constants.NGHTTP2_REFUSED_STREAM);
    this.#fail(this.#reason ?? (isUntaken ? untaken(this.#broke) : brokenOff(this.#broke)));
  }

  #fail(error: Error): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#handler.onResponseError?.(this, error);
  }

  #timeOut(act: () => void): void {
    clearTimeout(this.#timer);
    const { headersTimeout } = this.#options;
    if (headersTimeout) this.#timer = setTimeout(act, headersTimeout);
  }
}

function writeAll(stream: http2.ClientHttp2Stream, body: Uint8Array): void {
  let at = 0;
  const write = (): void => {
    while (at < body.length && !stream.destroyed) {
      const slice = body.subarray(at, (at += sliceBytes));
      if (at >= body.length) stream.end(slice);
      else if (!stream.write(slice)) {
        stream.once("drain", write);
        return;
      }
    }
  };
  write();
}

/** What the other end says it never took may be sent again (RFC 9113 §8.7). */
function untaken(cause: unknown): Refusal {
  return new Refusal("upstream_failed", "The other end took no further requests on this link.", {
    cause,
    facts: { cause: "REFUSED_STREAM", sent: false },
  });
}

function noRoom(): Refusal {
  return new Refusal("upstream_failed", "The link to the server had no room for another request.", {
    facts: { cause: "UND_ERR_CONNECT_TIMEOUT", sent: false },
  });
}

function brokenOff(cause: Error | undefined): Error {
  if (cause !== undefined && "code" in cause) return cause;
  return Object.assign(new Error("The link broke off.", { cause }), { code: "UND_ERR_SOCKET" });
}
