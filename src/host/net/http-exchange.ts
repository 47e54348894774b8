/** One HTTP request and its answer over an undici dispatcher: whole, or a stream of chunks if it is SSE. */
import type { Dispatcher } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import { type EventQueue, eventQueue } from "../event-queue.ts";
import { onAbort } from "../on-abort.ts";
import { isMediaType, valueOf } from "./headers.ts";

export interface HttpRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body?: Uint8Array;
  /** Aborting drops the connection: the server sees its client go. */
  readonly gone?: AbortSignal;
}

export interface ExchangeLimits {
  /** Until the head of the answer, and again until the end of a whole one. */
  readonly answerTimeoutMs: number;
  readonly answerBytes: number;
}

interface Head {
  readonly status: number;
  readonly headers: string[];
}

export type HttpAnswer =
  | (Head & { readonly kind: "whole"; readonly body: Uint8Array })
  | (Head & { readonly kind: "stream"; readonly chunks: AsyncIterable<Uint8Array> });

/**
 * Rejects with Refusal `upstream_failed` (facts: `cause`, and `sent`, whether the request may have
 * reached the server), `upstream_timeout` or `answer_too_large`.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  limits: ExchangeLimits,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const collector = collect({ limits, resolve, reject, ...(request.gone && { gone: request.gone }) });
    dispatcher.dispatch(
      {
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body === undefined || request.body.length === 0 ? null : request.body,
        headersTimeout: limits.answerTimeoutMs,
        bodyTimeout: 0,
      },
      collector,
    );
  });
}

interface Collecting {
  readonly limits: ExchangeLimits;
  readonly gone?: AbortSignal;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: unknown) => void;
}

function collect({ limits, gone, resolve, reject }: Collecting): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let sent = false;
  let head: Head = { status: 0, headers: [] };
  let stream: EventQueue<Uint8Array> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stayed: (() => void) | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    stayed?.();
  };
  return {
    onRequestStart: (controller) => {
      if (gone === undefined) return;
      stayed = onAbort(gone, () => controller.abort(new Refusal("upstream_failed", "The caller went away.")));
    },
    onRequestSent: () => void (sent = true),
    onResponseStart: (controller, status) => {
      if (status < 200) return;
      sent = true;
      head = { status, headers: rawHeaders(controller) };
      if (isMediaType(valueOf(head.headers, "content-type"), "text/event-stream")) {
        stream = eventQueue<Uint8Array>({
          bytesOf: (chunk) => chunk.length,
          pause: () => controller.pause(),
          resume: () => controller.resume(),
          cancel: () => controller.abort(new Refusal("upstream_failed", "The stream isn't read any more.")),
        });
        resolve({ kind: "stream", ...head, chunks: stream });
      } else {
        timer = setTimeout(() => controller.abort(timedOut(limits)), limits.answerTimeoutMs);
      }
    },
    onResponseData: (controller, chunk) => {
      bytes += chunk.length;
      if (stream !== undefined) stream.push(chunk);
      else if (bytes > limits.answerBytes) controller.abort(tooLarge(limits));
      else chunks.push(chunk);
    },
    onResponseEnd: () => {
      settle();
      if (stream !== undefined) stream.end();
      else resolve({ kind: "whole", ...head, body: single(chunks) });
    },
    onResponseError: (_controller, error) => {
      settle();
      const refusal = asRefusal(error, sent, limits);
      if (stream !== undefined) stream.fail(refusal);
      else reject(refusal);
    },
  };
}

function single(chunks: readonly Buffer[]): Uint8Array {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function rawHeaders(controller: Dispatcher.DispatchController): string[] {
  const raw = controller.rawHeaders;
  if (!Array.isArray(raw)) return Object.entries(raw ?? {}).flatMap(([name, value]) => [name, String(value)]);
  return raw.map((part) => (typeof part === "string" ? part : part.toString("latin1")));
}

function asRefusal(error: unknown, sent: boolean, limits: ExchangeLimits): Refusal {
  if (error instanceof Refusal) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (code === "UND_ERR_HEADERS_TIMEOUT") return timedOut(limits);
  return new Refusal("upstream_failed", `The server can't be reached or broke off (${code}).`, {
    cause: error,
    facts: { cause: code, sent },
  });
}

function timedOut(limits: ExchangeLimits): Refusal {
  return new Refusal(
    "upstream_timeout",
    `The server didn't answer within ${limits.answerTimeoutMs / 1000} seconds.`,
    {
      facts: { sent: true },
    },
  );
}

function tooLarge(limits: ExchangeLimits): Refusal {
  return new Refusal("answer_too_large", `The server's answer is longer than ${limits.answerBytes} bytes.`);
}
