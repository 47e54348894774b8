/** Where a bundle of policies comes from: a file, a file in a git checkout, or an https URL that is asked again and again. */
import { boundedFetch } from "../../host/oauth/bounded-fetch.ts";
import { type Connections, webConnections } from "../../host/net/web-links.ts";
import type { DoorTerms } from "../../host/net/web-tls.ts";
import { readBoundedFile } from "../../host/store/bounded-file.ts";
import { gitCommit } from "../../host/store/git-head.ts";
import { watchFiles } from "../../host/store/watched-files.ts";
import { type WatchedText, watchedText } from "../../host/store/watched-text.ts";
import { maxBundleBytes } from "../../integrity/policy-bundle.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type BundlePlace, type BundleSettings, placeText } from "../config/policies.ts";

/** What the source has now, or why that can't be told. */
export type Offered =
  | { readonly kind: "document"; readonly document: Uint8Array; readonly commit: string | null }
  | { readonly kind: "away"; readonly why: string; readonly text: string };

export interface BundleSource {
  /** undefined before a URL was asked for the first time. */
  readonly offered: () => Offered | undefined;
  readonly stop: () => Promise<void>;
}

export interface SourceOptions {
  /** What links to a URL may negotiate, as it is at the moment. */
  readonly terms: () => DoorTerms;
  /** Called when it may have something else. */
  readonly onNews: () => void;
}

/** @throws Refusal `bad_config` if the token isn't there */
export function followSource(settings: BundleSettings, options: SourceOptions): BundleSource {
  const { place, token } = settings;
  if (place.kind !== "https") return followFile(place, settings.everyMs, options.onNews);
  const secret = token && watchedText(token, "policies.bundle.token");
  return followUrl(new URL(place.url), { ...settings, secret, ...options });
}

function followFile(
  place: Exclude<BundlePlace, { readonly kind: "https" }>,
  everyMs: number,
  onNews: () => void,
): BundleSource {
  const { stop } = watchFiles([place.file], onNews);
  // What wasn't taken may be now: by the time, or by who may read it.
  const timer = setInterval(onNews, everyMs).unref();
  return {
    offered: () => {
      try {
        const document = readBoundedFile(place.file, maxBundleBytes);
        return { kind: "document", document, commit: place.kind === "git" ? commitOf(place) : null };
      } catch (error) {
        const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
        return { kind: "away", why: code, text: `${placeText(place)} can't be read (${code}).` };
      }
    },
    stop: () => {
      clearInterval(timer);
      return Promise.resolve(stop());
    },
  };
}

function commitOf({ checkout }: Extract<BundlePlace, { readonly kind: "git" }>): string | null {
  return gitCommit(checkout) ?? null;
}

interface Asking extends Pick<BundleSettings, "everyMs" | "keyExchange">, SourceOptions {
  readonly secret: WatchedText | undefined;
}

/** A server that hands out a few kilobytes; whoever needs longer is asked again. */
const timeoutMs = 10_000;
/** After the first failure it is asked again soon, then ever later, up to this or the interval itself. */
const firstPauseMs = 5000;
const longestPauseMs = 600_000;

/** How long to wait before the URL is asked again. @param failures in a row */
export function pauseAfter(failures: number, everyMs: number): number {
  if (failures === 0) return everyMs;
  return Math.min(Math.min(everyMs, firstPauseMs) * 2 ** (failures - 1), Math.max(everyMs, longestPauseMs));
}

function followUrl(url: URL, asking: Asking): BundleSource {
  let offered: Offered | undefined;
  let last: (Offered & { readonly etag?: string }) | undefined;
  let failures = 0;
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  let connections: Connections | undefined;
  const ask = async (): Promise<void> => {
    connections = connectionsTo(url, asking);
    try {
      last = (await fetched(url, last?.etag, { ...asking, connections })) ?? last;
      offered = last;
      failures = 0;
    } catch (error) {
      failures += 1;
      offered = awayOf(url, error);
    } finally {
      await connections.close().catch(() => undefined); // It was asked, or it wasn't: that is told already.
    }
    if (isOver) return;
    timer = setTimeout(next, pauseAfter(failures, asking.everyMs)).unref();
    asking.onNews();
  };
  let underWay = Promise.resolve();
  const next = (): void => void (underWay = ask());
  next();
  return {
    offered: () => offered,
    stop: async () => {
      isOver = true;
      clearTimeout(timer);
      await connections?.close().catch(() => undefined);
      await underWay;
    },
  };
}

function connectionsTo(url: URL, { keyExchange, terms }: Asking): Connections {
  const now = terms();
  return webConnections(url, { terms: () => now, keyExchange, links: new Map() });
}

/** @returns undefined if it is as it was */
async function fetched(
  url: URL,
  etag: string | undefined,
  { secret, connections }: Asking & { readonly connections: Connections },
): Promise<(Offered & { readonly etag?: string }) | undefined> {
  const get = boundedFetch({
    dispatcher: connections.dispatcher,
    timeoutMs,
    maxBytes: maxBundleBytes,
    failed: ({ cause, why }) => new Refusal("upstream_failed", why, { facts: { cause } }),
  });
  const headers = {
    accept: "application/json",
    ...(secret !== undefined && { authorization: `Bearer ${secret.current()}` }),
    ...(etag !== undefined && { "if-none-match": etag }),
  };
  const answer = await get(url.href, { headers });
  if (answer.status === 304 && etag !== undefined) return undefined;
  if (answer.status !== 200) {
    const facts = { cause: `status ${answer.status}` };
    throw new Refusal("upstream_failed", `It answered with status ${answer.status}.`, { facts });
  }
  const tag = answer.headers.get("etag") ?? "";
  const document = new Uint8Array(await answer.arrayBuffer());
  const isTag = tag !== "" && tag.length <= maxEtagLength;
  return { kind: "document", document, commit: null, ...(isTag && { etag: tag }) };
}

/** Nobody needs longer ones; it is sent back with each question. */
const maxEtagLength = 1024;

/** INVARIANT: no query of the URL, which may hold a token. */
function awayOf(url: URL, error: unknown): Offered {
  const where = placeText({ kind: "https", url: url.href });
  const [why, what] =
    error instanceof Refusal
      ? [String(error.facts["cause"] ?? error.code), error.message]
      : ["fault", "asking it failed in a way that nobody expected."];
  return { kind: "away", why, text: `${where} can't be had: ${what}` };
}
