/** A stranger on one HTTP+SSE stream (MCP 2024-11-05): what it is asked by POST is answered there. */
import type { Pool } from "undici";

import type { CollectedAnswer } from "../../host/net/http-exchange.ts";
import { openSseLink } from "../../host/net/sse-link.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame, type RequestId } from "../../wire/frame.ts";
import type { Send } from "../mcp-probe.ts";

export interface SseStranger {
  readonly send: Send;
  readonly close: () => Promise<void>;
}

export interface SseStrangerSpec {
  readonly url: URL;
  readonly pool: Pool;
  readonly signal: AbortSignal;
  readonly limits: { readonly answerTimeoutMs: number; readonly answerBytes: number };
}

export function sseStranger({ url, pool, signal, limits }: SseStrangerSpec): SseStranger {
  const waiting = new Map<RequestId, PromiseWithResolvers<Uint8Array>>();
  let over: Refusal | undefined;
  const fail = (refusal: Refusal): void => {
    over ??= refusal;
    for (const one of waiting.values()) one.reject(refusal);
  };
  const link = openSseLink(
    {
      name: "stranger",
      url,
      headers: [],
      dispatcher: () => pool,
      onLink: () => undefined,
      answerTimeoutMs: limits.answerTimeoutMs,
      maxEventBytes: limits.answerBytes,
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    },
    {
      onMessage: (frame) => {
        if ("id" in frame && frame.id !== undefined && frame.id !== null)
          waiting.get(frame.id)?.resolve(frame.bytes);
      },
      onUndelivered: (_message, refusal) => fail(refusal),
      onEnd: fail,
    },
  );
  const answerTo = async (id: RequestId): Promise<Uint8Array> => {
    const answer = Promise.withResolvers<Uint8Array>();
    waiting.set(id, answer);
    const gone = (): void => answer.reject(new Refusal("upstream_timeout", "it didn't answer in time"));
    const late = setTimeout(gone, limits.answerTimeoutMs);
    signal.addEventListener("abort", gone, { once: true });
    try {
      return await answer.promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", gone);
      waiting.delete(id);
    }
  };
  return {
    close: link.stop,
    send: async ({ method, body }) => {
      if (method !== "POST" || body === undefined) return whole(405);
      if (over !== undefined) throw over;
      const frame = readFrame(body);
      link.send(body, undefined);
      return frame.kind === "request" ? whole(200, await answerTo(frame.id)) : whole(202);
    },
  };
}

function whole(status: number, body: Uint8Array = new Uint8Array(0)): CollectedAnswer {
  return { kind: "whole", status, headers: [], body };
}

function ignore(): void {
  // A stranger's server says what it likes.
}
