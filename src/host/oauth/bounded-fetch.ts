/** HTTP for the OAuth library and for key sets: https or loopback, no redirects, one deadline, a bounded answer. */
import * as oauth from "oauth4webapi";
import { type Dispatcher, request } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import { isLoopbackHost } from "../net/loopback.ts";

export interface BoundedFetchOptions {
  readonly dispatcher: () => Dispatcher;
  readonly timeoutMs: number;
  /** Longest answer; room for any metadata, key set or token by default. */
  readonly maxBytes?: number;
  /** An answer counts by its status, with no body where that is too long, too late or breaks off. */
  readonly statusCounts?: boolean;
  /** What is to be said when there is no answer. */
  readonly failed: (failure: FetchFailure) => Refusal;
}

/** Why there is no answer; nothing of what was sent. */
export interface FetchFailure {
  readonly url: URL;
  /** `not_https`, `redirect`, `timeout`, `too_large`, or the code of the error. */
  readonly cause: string;
  /** A sentence. */
  readonly why: string;
  readonly error?: unknown;
}

/** What the library hands to its `customFetch`. */
interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Rejects with the Refusal that `failed` makes. */
export type BoundedFetch = (url: string, init?: FetchInit) => Promise<Response>;

/** Metadata and key sets with every key there is stay below 64 KiB; a token answer below 16. */
const maxAnswerBytes = 256 * 1024;

export function boundedFetch(options: BoundedFetchOptions): BoundedFetch {
  const { dispatcher, timeoutMs, maxBytes = maxAnswerBytes, statusCounts = false, failed } = options;
  return async (text, { method = "GET", headers = {}, body } = {}) => {
    const url = new URL(text);
    if (!isSecureUrl(text)) throw failed({ url, cause: "not_https", why: "It isn't asked without TLS." });
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        dispatcher: dispatcher(),
        method,
        headers: { ...headers },
        body: textOf(body),
        signal,
      });
      if (isRedirect(answer.statusCode)) {
        answer.body.on("error", () => undefined).destroy();
        throw failed({ url, cause: "redirect", why: "It answered with a redirect, which isn't followed." });
      }
      const read = statusCounts ? boundedOrNothing : bounded;
      const bytes = await read(answer.body, maxBytes);
      if (bytes === undefined) throw failed({ url, cause: "too_large", why: "Its answer is too long." });
      return responseOf(answer, bytes);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      if (signal.aborted) throw failed({ url, cause: "timeout", why: "It didn't answer in time.", error });
      const cause = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      throw failed({ url, cause, why: "It can't be reached or broke off.", error });
    }
  };
}

/** What every call of `oauth4webapi` is given, so that it is bounded. */
export function oauthOptions(send: BoundedFetch): {
  readonly [oauth.customFetch]: BoundedFetch;
  readonly [oauth.allowInsecureRequests]: true;
} {
  // What may be asked without TLS is decided where it is fetched.
  return { [oauth.customFetch]: send, [oauth.allowInsecureRequests]: true };
}

/** Tokens and keys travel over https; only this machine may do without. */
export function isSecureUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
}

/** The one answer of these that leads nowhere else: what was asked for is as it was (RFC 9110 §15.4.5). */
const notModified = 304;

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== notModified;
}

/** @returns undefined for what is longer than is taken */
async function bounded(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function boundedOrNothing(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const nothing = Buffer.alloc(0);
  try {
    return (await bounded(body, maxBytes)) ?? nothing;
  } catch {
    return nothing;
  }
}

function responseOf(answer: Dispatcher.ResponseData, bytes: Buffer): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const each of Array.isArray(value) ? value : [value ?? ""]) headers.append(name, each);
  }
  const { statusCode: status } = answer;
  return new Response(status === 204 || status === notModified ? null : new Uint8Array(bytes), {
    status,
    headers,
  });
}

function textOf(body: unknown): string | null {
  if (body === undefined || body === null) return null;
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError("expected a form or a text");
}
