/** A request and its answer as our servers take them, over whatever version of HTTP they came. Node's own of HTTP/1.1 fit. */
import type http from "node:http";

export interface ServedRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  /** Names and values in turn. */
  readonly rawHeaders: string[];
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  /** `end` comes only behind a whole body; `close` always, and last. */
  on(event: "end" | "close", listener: () => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  /** What comes is thrown away, unless somebody listens. */
  resume(): unknown;
}

export interface ServedResponse {
  /** Set to false where what is left of the request isn't read: over HTTP/1.1 its connection ends with the answer. */
  shouldKeepAlive: boolean;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** Nothing more is written. */
  readonly writableEnded: boolean;
  /** All of it has left. */
  readonly writableFinished: boolean;
  setHeader(name: string, value: string | number | readonly string[]): unknown;
  writeHead(status: number, headers?: string[] | http.OutgoingHttpHeaders): { end(body?: string): unknown };
  flushHeaders(): void;
  write(bytes: Uint8Array): boolean;
  end(last?: Uint8Array | string): unknown;
  /** Breaks it off. */
  destroy(): unknown;
  on(event: "close" | "drain" | "finish", listener: () => void): this;
  once(event: "close" | "drain" | "finish", listener: () => void): this;
  off(event: "close" | "drain" | "finish", listener: () => void): this;
}
