/** Requests to one API: with the gateway's credentials, again where that is harmless, not at all while it is down, and nowhere else. */
import { setTimeout as pause } from "node:timers/promises";

import type { Dispatcher } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import type { Caller } from "../../model/caller.ts";
import type { ServerLink } from "../../model/channel.ts";
import type { ApiAnswer } from "../../openapi/answer.ts";
import type { ApiRequest } from "../../openapi/request-from-call.ts";
import { valueOf } from "../net/headers.ts";
import { type CollectedAnswer, collected, exchange, type HttpAnswer } from "../net/http-exchange.ts";
import type { UpstreamCredential } from "../net/upstream-credential.ts";
import { circuitBreaker } from "./circuit-breaker.ts";

export interface ApiConnectionOptions {
  /** Without query; what requests ask for stands behind its path. */
  readonly baseUrl: URL;
  readonly timeoutMs: number;
  readonly answerBytes: number;
  /** Our own, names and values in turn. */
  readonly headers: readonly string[];
  /** `name=value`, encoded as they are sent. */
  readonly query: readonly string[];
  readonly cookies: readonly string[];
  /** One that changes with time or caller. */
  readonly credential?: UpstreamCredential | undefined;
  /** The gateway's own version, for `user-agent`. */
  readonly version: string;
  readonly dispatcher: () => Dispatcher;
  readonly nowMs: () => number;
  /** Between one attempt and the next. */
  readonly pausesMs?: readonly number[];
}

interface Asker {
  readonly caller: Caller;
  readonly gone: AbortSignal;
}

export interface ApiConnection {
  /** @throws Refusal `upstream_failed`, `upstream_timeout`, `answer_too_large`, `target_refused`, `grant_needed` */
  readonly send: (request: ApiRequest, asker: Asker) => Promise<SentAnswer>;
}

interface SentAnswer extends ApiAnswer {
  readonly link?: ServerLink | undefined;
}

/** RFC 9110 §9.2.2: asking twice is asking once. */
const idempotent = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
/** The API, or who stands before it, couldn't just now. */
const passing = [502, 503, 504];
const maxRedirects = 3;

export function apiConnection(options: ApiConnectionOptions): ApiConnection {
  const breaker = circuitBreaker(options.nowMs);
  const { pausesMs = [100, 400] } = options;
  const once = async (request: ApiRequest, asker: Asker): Promise<SentAnswer> => {
    breaker.check();
    try {
      const answer = await followed(request, asker, options);
      breaker.note(passing.includes(answer.status) ? "failed" : "worked");
      return answer;
    } catch (error) {
      if (isOfTheApi(error) && !asker.gone.aborted) breaker.note("failed");
      else breaker.note("unknown");
      throw error;
    }
  };
  return {
    send: async (request, asker) => {
      const maySendAgain = idempotent.includes(request.method);
      for (const pauseMs of pausesMs) {
        const tried = await once(request, asker).then(
          (answer) => ({ answer }),
          (error: unknown) => ({ error }),
        );
        if ("answer" in tried) {
          if (!maySendAgain || !passing.includes(tried.answer.status)) return tried.answer;
        } else if (!isWorthAnother(tried.error, maySendAgain) || asker.gone.aborted) throw tried.error;
        await pause(pauseMs, undefined, { signal: asker.gone }).catch(() => undefined);
      }
      return await once(request, asker);
    },
  };
}

function isOfTheApi(error: unknown): boolean {
  return error instanceof Refusal && ["upstream_failed", "upstream_timeout"].includes(error.code);
}

/** What never left may always be sent again; what may have arrived only if asking twice is asking once. */
function isWorthAnother(error: unknown, maySendAgain: boolean): boolean {
  if (!(error instanceof Refusal) || error.code !== "upstream_failed") return false;
  if (error.facts["cause"] === "circuit_open" || error.facts["cause"] === "credential") return false;
  return maySendAgain || error.facts["sent"] === false;
}

/** INVARIANT: redirects are followed for what only reads, and within the origin that the credentials are for. */
async function followed(
  request: ApiRequest,
  asker: Asker,
  options: ApiConnectionOptions,
): Promise<SentAnswer> {
  const { baseUrl } = options;
  let path = targetOf(request, options);
  for (let hops = 0; ; hops++) {
    const answer = await authorized({ ...request, target: path }, asker, options);
    const location = valueOf(answer.headers, "location");
    const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
    if (
      !isRedirect ||
      location === undefined ||
      !["GET", "HEAD"].includes(request.method) ||
      hops >= maxRedirects
    )
      return whole(answer);
    const to = URL.parse(location, new URL(path, baseUrl.origin));
    if (to === null || to.origin !== baseUrl.origin) return whole(answer);
    path = to.pathname + to.search;
  }
}

function targetOf({ target }: ApiRequest, { baseUrl, query }: ApiConnectionOptions): string {
  const path = `${baseUrl.pathname.replace(/\/$/, "")}${target}`;
  if (query.length === 0) return path;
  return `${path}${path.includes("?") ? "&" : "?"}${query.join("&")}`;
}

/** What the API refuses with 401 it didn't carry out: it may be sent again with another credential. */
async function authorized(
  request: ApiRequest,
  asker: Asker,
  options: ApiConnectionOptions,
): Promise<CollectedAnswer> {
  const { credential } = options;
  if (credential === undefined) return await sent(request, [], { asker, options });
  let lent = await credential.lend(asker.caller, request.method);
  for (;;) {
    const answer = await sent(request, lent.headers, { asker, options });
    const next = answer.status === 401 || answer.status === 403 ? await lent.again(answer) : undefined;
    if (next === undefined) return answer;
    lent = next;
  }
}

async function sent(
  { method, target, headers, body }: ApiRequest,
  lent: readonly string[],
  { asker, options }: { readonly asker: Asker; readonly options: ApiConnectionOptions },
): Promise<CollectedAnswer> {
  const cookies = [
    ...options.cookies,
    ...headers.flatMap(([name, value]) => (name === "cookie" ? value : [])),
  ];
  const own = [...options.headers, ...lent];
  const named = new Set(own.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()));
  const answer: HttpAnswer = await exchange(
    options.dispatcher(),
    {
      method,
      path: target,
      headers: [
        "user-agent",
        `latticegate/${options.version}`,
        "accept",
        "application/json, */*;q=0.5",
        // What is packed could unpack to more than may be taken.
        "accept-encoding",
        "identity",
        // INVARIANT: what a call says never stands where a credential does.
        ...headers.filter(([name]) => name !== "cookie" && !named.has(name)).flat(),
        ...(cookies.length > 0 ? ["cookie", cookies.join("; ")] : []),
        ...own,
      ],
      ...(body !== undefined && { body }),
      gone: asker.gone,
    },
    { answerTimeoutMs: options.timeoutMs, answerBytes: options.answerBytes },
  );
  if (answer.kind !== "stream") return await collected(answer);
  await answer.chunks[Symbol.asyncIterator]().return?.();
  throw new Refusal("upstream_failed", "The API answers with a stream of events, which no tool can give.", {
    facts: { cause: "stream", sent: true },
  });
}

function whole(answer: CollectedAnswer): SentAnswer {
  if (answer.kind === "stream") throw new Error("streams aren't collected");
  const encoding = valueOf(answer.headers, "content-encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity" && answer.body.length > 0) {
    throw new Refusal("upstream_failed", "The API packs its answer though it was asked not to.", {
      facts: { cause: "content_encoding", sent: true },
    });
  }
  const { status, body, link } = answer;
  return { status, contentType: valueOf(answer.headers, "content-type") ?? "", body, link };
}
