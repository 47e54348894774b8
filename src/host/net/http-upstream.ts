/** An MCP server reached over Streamable HTTP: bytes there, bytes back, SSE event by event. */
import type { Dispatcher } from "undici";

import type { Answer, Journaled } from "../../gate/call.ts";
import { type SseEvent, sseReader } from "../../wire/sse.ts";
import { exchange, type ExchangeLimits, type HttpAnswer } from "./http-exchange.ts";
import { forwardable } from "./headers.ts";
import type { Upstream } from "./upstreams.ts";

export interface HttpUpstreamOptions {
  readonly url: URL;
  readonly limits: ExchangeLimits;
  /** Our own credentials for that server, names and values in turn. */
  readonly headers: readonly string[];
  /** The connections to use; whose they are stays with the caller. */
  readonly dispatcher: () => Dispatcher;
  readonly close: () => Promise<void>;
}

export function httpUpstream(options: HttpUpstreamOptions): Upstream {
  const { url, limits } = options;
  const path = url.pathname + url.search;
  return {
    forward: async (call) => {
      const answer = await exchange(
        options.dispatcher(),
        {
          method: call.verb,
          path,
          headers: outgoing(call, options.headers),
          body: call.body,
          gone: call.reply.gone,
        },
        limits,
      );
      return asAnswer(answer, limits.answerBytes);
    },
    close: options.close,
  };
}

/** What came over HTTP as the gate takes it: a stream event by event. */
export function asAnswer(answer: HttpAnswer, maxEventBytes: number): Answer {
  return answer.kind === "stream" ? { ...answer, events: events(answer.chunks, maxEventBytes) } : answer;
}

/** Complete SSE events as they arrive. What is left at the end is an event that was cut off, and is dropped. */
async function* events(
  chunks: AsyncIterable<Uint8Array>,
  maxEventBytes: number,
): AsyncGenerator<SseEvent, void> {
  const reader = sseReader(maxEventBytes);
  for await (const chunk of chunks) yield* reader.push(chunk);
}

function outgoing(call: Journaled, credentials: readonly string[]): string[] {
  const headers = forwardable(call.headers);
  if (call.session !== undefined) headers.push("mcp-session-id", call.session);
  headers.push(...credentials);
  return headers;
}
