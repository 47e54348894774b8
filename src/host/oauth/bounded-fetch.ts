/** Fetching what an authorization server publishes: https, no redirect, bounded in size and time. */
import * as oauth from "oauth4webapi";
import { Agent, request } from "undici";

import { concat } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isLoopbackHost } from "../net/loopback.ts";

/** Key sets and metadata are a few KiB. */
const maxBytes = 256 * 1024;
const timeoutMs = 5000;

export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Headers | Record<string, string> | undefined;
  readonly body?: string | undefined;
}

export type BoundedFetch = (url: string, options?: FetchOptions) => Promise<Response>;

/**
 * Whole answers of whatever status; a redirect is one of them and isn't followed. Rejects with a Refusal
 * `issuer_unavailable` if there is none in time or within the bounds.
 * @param ca PEM of what the servers' certificates stand under; the system's by default
 */
export function boundedFetch(ca?: string): BoundedFetch {
  const dispatcher = new Agent({ connect: { ...(ca !== undefined && { ca }), timeout: timeoutMs } });
  return async (url, { method = "GET", headers, body } = {}) => {
    checkUrl(url);
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        dispatcher,
        method,
        headers: Object.fromEntries(new Headers(headers)),
        body: body ?? null,
        signal,
      });
      const bytes = await bounded(answer.body, url);
      const given = Object.entries(answer.headers).map(([name, value]): [string, string] => [
        name,
        String(value),
      ]);
      // The constructor takes no body for these.
      const isBare = answer.statusCode === 204 || answer.statusCode === 304;
      return new Response(isBare ? null : bytes, { status: answer.statusCode, headers: given });
    } catch (cause) {
      if (cause instanceof Refusal) throw cause;
      throw unavailable(url, signal.aborted ? "it took too long" : codeOf(cause), cause);
    }
  };
}

/** What every call of `oauth4webapi` is given, so that it is bounded. */
export function oauthOptions(send: BoundedFetch): {
  readonly [oauth.customFetch]: (url: string, options: OauthFetchOptions) => Promise<Response>;
  readonly [oauth.allowInsecureRequests]: true;
} {
  return {
    [oauth.customFetch]: (url, { method, headers, body }) =>
      send(url, { method, headers, body: body?.toString() }),
    // What may be asked without TLS is decided where it is fetched.
    [oauth.allowInsecureRequests]: true,
  };
}

type OauthFetchOptions = oauth.CustomFetchOptions<string, URLSearchParams | undefined>;

/** Tokens and keys travel over https; only this machine may do without. */
export function isSecureUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
}

/** @throws Refusal `issuer_unavailable` */
function checkUrl(url: string): void {
  if (!isSecureUrl(url)) throw unavailable(url, "it isn't https");
}

async function bounded(body: AsyncIterable<Uint8Array>, url: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw unavailable(url, `its answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Uint8Array.from(concat(chunks));
}

function unavailable(url: string, why: string, cause?: unknown): Refusal {
  const { origin = "an issuer" } = URL.parse(url) ?? {};
  return new Refusal("issuer_unavailable", "The authorization server's keys can't be had now; try again.", {
    cause,
    facts: { origin, why },
  });
}

function codeOf(cause: unknown): string {
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return cause instanceof Error ? cause.message : "unknown";
}
