/**
 * Sends items to one address in batches, behind whoever makes them: nobody waits, memory is bounded, and what can't be
 * sent is counted and dropped.
 */
import { setTimeout as pause } from "node:timers/promises";

import { Agent } from "undici";

import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { boundedFetch } from "../oauth/bounded-fetch.ts";

export interface BatchedPost<Item> {
  /** Never throws and never waits. */
  readonly add: (item: Item) => void;
  readonly counts: () => { readonly sent: number; readonly dropped: number };
  /** Sends what is left, for a bounded time. */
  readonly stop: () => Promise<void>;
}

interface Options<Item> {
  /** https, or this machine. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyOf: (items: readonly Item[]) => string;
  /** Begins the names of events in the log. */
  readonly name: string;
  readonly log: Log;
  readonly everyMs?: number;
  readonly pausesMs?: readonly number[];
  /** For one answer. */
  readonly timeoutMs?: number;
  /** For all that is left. */
  readonly stopWithinMs?: number;
}

const maxWaiting = 4096;
const batchSize = 256;

export function batchedPost<Item>(options: Options<Item>): BatchedPost<Item> {
  const { everyMs = 2000, stopWithinMs = 2000 } = options;
  const agent = new Agent();
  const over = new AbortController();
  const waiting: Item[] = [];
  const counts = { sent: 0, dropped: 0 };
  let sending: Promise<void> | undefined;
  let isFailing = false;
  const send = sender(options, agent, over.signal);
  const flushAll = async (): Promise<void> => {
    while (waiting.length > 0 && !over.signal.aborted) {
      const batch = waiting.splice(0, batchSize);
      const why = await send(batch);
      counts[why === undefined ? "sent" : "dropped"] += batch.length;
      if (why !== undefined && !isFailing) options.log.warn(`${options.name}.failed`, { why });
      isFailing = why !== undefined;
    }
  };
  const flush = (): Promise<void> => (sending ??= flushAll().finally(() => (sending = undefined)));
  const timer = setInterval(() => void flush(), everyMs).unref();
  return {
    add: (item) => {
      if (waiting.length >= maxWaiting || over.signal.aborted) counts.dropped += 1;
      else waiting.push(item);
      if (waiting.length >= batchSize) void flush();
    },
    counts: () => counts,
    stop: async () => {
      clearInterval(timer);
      // What is under way ends with the agent.
      const end = (): Promise<void> => {
        over.abort();
        return agent.destroy();
      };
      const late = setTimeout(() => void end(), stopWithinMs).unref();
      await flush();
      await flush(); // What came while the last batch was under way.
      clearTimeout(late);
      counts.dropped += waiting.length;
      await end();
    },
  };
}

/** @returns of one batch: why it can't be sent; undefined once it is. INVARIANT: the function never rejects. */
function sender<Item>(
  { url, headers, bodyOf, pausesMs = [1000, 5000], timeoutMs = 10_000 }: Options<Item>,
  agent: Agent,
  over: AbortSignal,
): (batch: readonly Item[]) => Promise<string | undefined> {
  const post = boundedFetch({
    dispatcher: () => agent,
    timeoutMs,
    statusCounts: true,
    failed: ({ cause, why }) => new Refusal("upstream_failed", why, { facts: { cause } }),
  });
  const attempt = async (body: string): Promise<{ readonly why?: string; readonly again?: boolean }> => {
    try {
      const { status } = await post(url, { method: "POST", headers, body });
      if (status >= 200 && status < 300) return {};
      return { why: `status ${status}`, again: worthAnother.has(status) };
    } catch (error) {
      // The address may hold a token, so it isn't said.
      return { why: error instanceof Refusal ? String(error.facts["cause"]) : "unknown", again: true };
    }
  };
  return async (batch) => {
    const body = bodyOf(batch);
    let last = await attempt(body);
    for (const pauseMs of pausesMs) {
      if (last.again !== true || over.aborted) break;
      await pause(pauseMs, undefined, { ref: false, signal: over }).catch(() => undefined);
      if (!over.aborted) last = await attempt(body);
    }
    return last.why;
  };
}

/** OTLP 1.5, "Retryable Response Codes". */
const worthAnother: ReadonlySet<number> = new Set([429, 502, 503, 504]);
