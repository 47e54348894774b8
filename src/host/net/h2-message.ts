/** A stream of HTTP/2 as the request and the answer that our servers know from HTTP/1.1. */
import { EventEmitter } from "node:events";
import type http from "node:http";
import http2 from "node:http2";

import { connectionNames, filtered } from "./headers.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

export interface H2Carried {
  /** Of its body, so far. */
  readonly bodyBytes: number;
}

export class H2Request implements ServedRequest, H2Carried {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly #stream: http2.ServerHttp2Stream;
  #isCounting = false;
  #bytes = 0;

  constructor(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, raw: readonly string[]) {
    this.#stream = stream;
    this.method = headers[":method"];
    this.url = headers[":path"];
    // A body of a length that isn't told, in the words of HTTP/1.1.
    const isChunked = !stream.endAfterHeaders && headers["content-length"] === undefined;
    this.headers = isChunked ? { ...headers, "transfer-encoding": "chunked" } : headers;
    const authority = headers[":authority"];
    const host = authority === undefined || headers.host !== undefined ? [] : ["host", authority];
    this.rawHeaders = [...host, ...filtered(raw, (name) => !name.startsWith(":"))];
    // INVARIANT: to Node a stream that was reset in the middle ends too; its body isn't whole.
    stream.on("end", () => !stream.aborted && stream.emit(wholeEnd));
  }

  get bodyBytes(): number {
    return this.#bytes;
  }

  on(event: "data", listener: (chunk: Buffer) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "end" | "close", listener: () => void): this;
  on(event: "data" | "error" | "end" | "close", listener: (value: Buffer & Error) => void): this {
    if (event === "data" && !this.#isCounting) {
      this.#isCounting = true;
      this.#stream.on("data", (chunk: Buffer) => void (this.#bytes += chunk.length));
    }
    this.#stream.on(event === "end" ? wholeEnd : event, listener);
    return this;
  }

  off(event: "data", listener: (chunk: Buffer) => void): this {
    this.#stream.off(event, listener);
    return this;
  }

  resume(): this {
    this.#stream.resume();
    return this;
  }
}

const wholeEnd = Symbol("the end of a whole body");

export class H2Response extends EventEmitter implements ServedResponse, H2Carried {
  shouldKeepAlive = true;
  readonly #stream: http2.ServerHttp2Stream;
  readonly #set: string[] = [];
  #bytes = 0;
  #isEnded = false;
  #isClosed = false;

  constructor(stream: http2.ServerHttp2Stream) {
    super();
    this.#stream = stream;
    stream.on("drain", () => this.emit("drain"));
    stream.on("finish", () => {
      if (!this.writableFinished) return;
      // What its sender goes on sending isn't wanted any more (RFC 9113 §8.1).
      if (!this.shouldKeepAlive) stream.close(http2.constants.NGHTTP2_NO_ERROR);
      this.emit("finish");
    });
    const close = (): void => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.emit("close");
    };
    stream.on("aborted", close).on("close", close);
  }

  get bodyBytes(): number {
    return this.#bytes;
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get destroyed(): boolean {
    return this.#isClosed || this.#stream.destroyed;
  }

  get writableEnded(): boolean {
    return this.#isEnded;
  }

  /** A stream that is reset finishes too, for Node. */
  get writableFinished(): boolean {
    const { writableFinished, rstCode } = this.#stream;
    return this.#isEnded && writableFinished && rstCode === http2.constants.NGHTTP2_NO_ERROR;
  }

  setHeader(name: string, value: string | number | readonly string[]): this {
    for (const each of [value].flat()) this.#set.push(name, String(each));
    return this;
  }

  writeHead(status: number, headers: string[] | http.OutgoingHttpHeaders = []): this {
    if (this.destroyed) return this;
    const raw = Array.isArray(headers) ? headers : flat(headers);
    const kept = filtered([...this.#set, ...raw], (name) => !connectionNames.has(name));
    this.#stream.respond([":status", String(status), ...kept]);
    return this;
  }

  flushHeaders(): void {
    // They are sent by themselves.
  }

  write(bytes: Uint8Array): boolean {
    if (this.destroyed || this.#stream.writableEnded) return true;
    this.#bytes += bytes.length;
    return this.#stream.write(bytes);
  }

  end(last: Uint8Array | string = ""): this {
    if (this.#isEnded || this.destroyed) return this;
    this.#isEnded = true;
    this.#bytes += last.length;
    if (this.#stream.writableEnded) return this; // The head was all there is: a 204, or an answer to HEAD.
    if (last.length === 0) this.#stream.end();
    else this.#stream.end(last);
    return this;
  }

  destroy(): this {
    // INVARIANT: with an error. Without one, and by `close`, Node ends the answer first, as if it were whole.
    this.#stream.destroy(new Error("The answer is broken off."));
    return this;
  }
}

function flat(headers: http.OutgoingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((each) => [name, String(each)]),
  );
}
