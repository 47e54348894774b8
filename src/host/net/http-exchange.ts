/** One HTTP request and its answer over an undici dispatcher: whole if it is short, in pieces if it is long or SSE. */
import type { Dispatcher } from "undici";

import { inspectBytes } from "../../gate/call.ts";
import { concat } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import { type EventQueue, eventQueue } from "../event-queue.ts";
import { onAbort } from "../on-abort.ts";
import { isEventStream, valueOf } from "./headers.ts";
import { linkOf } from "./server-links.ts";

export interface HttpRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body?: Uint8Array;
  /** Aborting drops the connection: the server sees its client go. */
  readonly gone?: AbortSignal;
}

/** Of any method there is. */
export interface AnyRequest extends Omit<HttpRequest, "method"> {
  readonly method: Dispatcher.HttpMethod;
}

export interface ExchangeLimits {
  /** Until the head of the answer, again until the end of a whole one, and between two pieces of a long one. */
  readonly answerTimeoutMs: number;
  /** Of a whole or a long answer; the events of a stream are measured by who reads them. */
  readonly answerBytes: number;
}

interface Head {
  readonly status: number;
  readonly headers: string[];
  /** What it came on, where that is known. */
  readonly link?: ServerLink;
}

export type HttpAnswer =
  | (Head & { readonly kind: "whole"; readonly body: Uint8Array })
  /** Too long to be collected: `chunks` hold it as it arrives, and throw if it breaks off. */
  | (Head & {
      readonly kind: "long";
      /** What the server declared, if it did. */
      readonly bodyBytes?: number;
      readonly chunks: AsyncIterable<Uint8Array>;
    })
  | (Head & { readonly kind: "stream"; readonly chunks: AsyncIterable<Uint8Array> });

/**
 * Rejects with Refusal `upstream_failed` (facts: `cause`, and `sent`, whether the request may have
 * reached the server), `upstream_timeout` or `answer_too_large`.
 */
export function exchange(
  dispatcher: Pick<Dispatcher, "dispatch">,
  request: AnyRequest,
  limits: ExchangeLimits,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const receiver = new Receiver({ limits, resolve, reject, ...(request.gone && { gone: request.gone }) });
    dispatcher.dispatch(
      {
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body === undefined || request.body.length === 0 ? null : request.body,
        headersTimeout: limits.answerTimeoutMs,
        bodyTimeout: 0,
      },
      receiver,
    );
  });
}

/** An answer for those who read it rather than pass it on. */
export type CollectedAnswer = Exclude<HttpAnswer, { readonly kind: "long" }>;

/** Waits for the rest of a long answer; `answerBytes` of the exchange bounds it. */
export async function collected(answer: HttpAnswer): Promise<CollectedAnswer> {
  if (answer.kind !== "long") return answer;
  const { status, headers, chunks } = answer;
  return { kind: "whole", status, headers, body: concat(await Array.fromAsync(chunks)) };
}

interface Receiving {
  readonly limits: ExchangeLimits;
  readonly gone?: AbortSignal;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** One answer on its way: collected while it is short, handed on from then on. */
class Receiver implements Dispatcher.DispatchHandler {
  readonly #options: Receiving;
  #collected: Buffer[] = [];
  #bytes = 0;
  #sent = false;
  #head: Head = { status: 0, headers: [] };
  #isEvents = false;
  #queue: EventQueue<Uint8Array> | undefined;
  #isPaused = false;
  #timer: NodeJS.Timeout | undefined;
  #stayed: (() => void) | undefined;

  constructor(options: Receiving) {
    this.#options = options;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { gone } = this.#options;
    if (gone === undefined) return;
    this.#stayed = onAbort(gone, () =>
      controller.abort(new Refusal("upstream_failed", "The caller went away.")),
    );
  }

  onRequestSent(): void {
    this.#sent = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    const { limits, resolve } = this.#options;
    this.#sent = true;
    const link = linkOf(this);
    this.#head = { status, headers: rawHeaders(controller), ...(link && { link }) };
    this.#isEvents = isEventStream(this.#head.headers);
    if (this.#isEvents) {
      resolve({ kind: "stream", ...this.#head, chunks: this.#handOn(controller) });
    } else if ((this.#declared() ?? 0) > limits.answerBytes) {
      controller.abort(tooLarge(limits));
    } else {
      this.#timer = setTimeout(() => {
        // While its reader doesn't keep up, it isn't the server that is waited for.
        if (this.#isPaused) this.#timer?.refresh();
        else controller.abort(timedOut(limits));
      }, limits.answerTimeoutMs);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { limits, resolve } = this.#options;
    this.#bytes += chunk.length;
    if (!this.#isEvents && this.#bytes > limits.answerBytes) {
      controller.abort(tooLarge(limits));
      return;
    }
    if (this.#queue === undefined && this.#bytes <= inspectBytes) {
      this.#collected.push(chunk);
      return;
    }
    if (this.#queue === undefined) {
      const declared = this.#declared();
      const chunks = this.#handOn(controller);
      resolve({
        kind: "long",
        ...this.#head,
        ...(declared !== undefined && { bodyBytes: declared }),
        chunks,
      });
      for (const before of this.#collected) chunks.push(before);
      this.#collected = [];
    }
    this.#timer?.refresh();
    this.#queue?.push(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    if (this.#queue !== undefined) this.#queue.end();
    else this.#options.resolve({ kind: "whole", ...this.#head, body: single(this.#collected) });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.#settle();
    const refusal = asRefusal(error, this.#sent, this.#options.limits);
    if (this.#queue !== undefined) this.#queue.fail(refusal);
    else this.#options.reject(refusal);
  }

  /** From here on what comes waits in a queue, and the server is read no faster than that is. */
  #handOn(controller: Dispatcher.DispatchController): EventQueue<Uint8Array> {
    return (this.#queue = eventQueue<Uint8Array>({
      bytesOf: (chunk) => chunk.length,
      pause: () => {
        this.#isPaused = true;
        controller.pause();
      },
      resume: () => {
        this.#isPaused = false;
        this.#timer?.refresh();
        controller.resume();
      },
      cancel: () => controller.abort(new Refusal("upstream_failed", "The stream isn't read any more.")),
    }));
  }

  #declared(): number | undefined {
    const length = valueOf(this.#head.headers, "content-length");
    return length === undefined ? undefined : Number(length);
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stayed?.();
  }
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
