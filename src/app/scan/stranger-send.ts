/** Requests of a stranger to one URL: no credentials, no certificate checked, and everything that comes back bounded. */
import { constants } from "node:crypto";

import { Pool } from "undici";

import { valueOf } from "../../host/net/headers.ts";
import { collected, type CollectedAnswer, exchange, type HttpRequest } from "../../host/net/http-exchange.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type SseStranger, sseStranger } from "./sse-stranger.ts";
import type { Send } from "../mcp-probe.ts";

export interface Stranger {
  /** To the URL, wherever it leads within its own origin. */
  readonly send: Send;
  /** Another path of the same origin. */
  readonly get: (path: string) => Promise<CollectedAnswer>;
  /** The same server over HTTP+SSE (MCP 2024-11-05): its stream stays open until it is closed. */
  readonly sseSend: () => SseStranger;
  readonly close: () => Promise<void>;
}

interface StrangerLimits {
  /** Of one answer. */
  readonly answerTimeoutMs: number;
  readonly answerBytes: number;
  /** Of all of them. */
  readonly allBytes: number;
  readonly requests: number;
}

const strangerLimits: StrangerLimits = {
  answerTimeoutMs: 5000,
  answerBytes: 8 * 1024 * 1024,
  allBytes: 32 * 1024 * 1024,
  requests: 60,
};

const maxRedirects = 3;
const maxHeaderBytes = 16 * 1024;

export function stranger(url: URL, signal: AbortSignal, limits = strangerLimits): Stranger {
  const client = new Pool(url.origin, {
    connections: 3,
    connect: {
      // What it shows is looked at elsewhere; nothing is sent that could be lost.
      rejectUnauthorized: false,
      ciphers: "DEFAULT@SECLEVEL=0",
      minVersion: "TLSv1",
      secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
      timeout: limits.answerTimeoutMs,
    },
    allowH2: false,
    maxHeaderSize: maxHeaderBytes,
    keepAliveTimeout: 1000,
    headersTimeout: limits.answerTimeoutMs,
  });
  const budget = { bytes: limits.allBytes, requests: limits.requests };
  let path = `${url.pathname}${url.search}`;
  const ask = async (request: HttpRequest): Promise<CollectedAnswer> => {
    if (--budget.requests < 0) throw new Refusal("upstream_failed", "it had to be asked too often");
    const answer = await exchange(client, { ...request, gone: signal }, limits);
    const whole = await collected(answer);
    if (whole.kind === "whole") {
      spend(budget, whole.body.length);
      return whole;
    }
    return { ...whole, chunks: counted(whole.chunks, budget) };
  };
  return {
    get: (other) => ask({ method: "GET", path: other, headers: ["accept", "application/json"] }),
    send: async (request) => {
      for (let redirects = 0; ; redirects++) {
        const answer = await ask({ ...request, headers: [...request.headers], path });
        const next = redirected(answer, new URL(path, url));
        if (next === undefined) return answer;
        if (redirects === maxRedirects) throw new Refusal("upstream_failed", "it redirects in circles");
        path = next;
      }
    },
    sseSend: () => sseStranger({ url: new URL(path, url), pool: client, signal, limits }),
    close: async () => {
      await client.destroy();
    },
  };
}

function spend(budget: { bytes: number }, bytes: number): void {
  budget.bytes -= bytes;
  if (budget.bytes < 0)
    throw new Refusal("answer_too_large", "it answered with more than is read of one server");
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  budget: { bytes: number },
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    spend(budget, chunk.length);
    yield chunk;
  }
}

/** @returns the path it leads to; @throws Refusal if that is somewhere else */
function redirected({ status, headers }: CollectedAnswer, from: URL): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  const location = valueOf([...headers], "location");
  const to = location === undefined ? null : URL.parse(location, from);
  if (to === null) return undefined;
  if (to.origin !== from.origin)
    throw new Refusal("upstream_failed", "it redirects to another host, which wasn't asked");
  return `${to.pathname}${to.search}`;
}
