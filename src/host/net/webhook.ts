/** Posts JSON to one address, again a few times if that fails; whoever tells doesn't wait. */
import { setTimeout as pause } from "node:timers/promises";

import { Agent } from "undici";

import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { boundedFetch } from "../oauth/bounded-fetch.ts";

export interface Webhook {
  /** Never throws and never waits; what can't be told is logged. */
  readonly tell: (what: { readonly id: string; readonly body: object }) => void;
  /** Gives up what is under way. */
  readonly close: () => Promise<void>;
}

interface Options {
  readonly url: string;
  /** Sent as a bearer token. */
  readonly token?: string;
  readonly log: Log;
  /** Between the attempts. */
  readonly pausesMs?: readonly number[];
  readonly timeoutMs?: number;
}

/** Further ones are only logged: people look at the list by then. */
const maxUnderWay = 50;

/** INVARIANT: https or this machine, no redirects: `boundedFetch` sees to it. */
export function webhook({
  url,
  token,
  log,
  pausesMs = [1000, 5000, 30_000],
  timeoutMs = 10_000,
}: Options): Webhook {
  const agent = new Agent();
  const over = new AbortController();
  const underWay = new Set<Promise<void>>();
  const send = boundedFetch({
    dispatcher: () => agent,
    timeoutMs,
    failed: ({ cause, why }) => new Refusal("upstream_failed", why, { facts: { cause } }),
  });
  const headers = {
    "content-type": "application/json",
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const post = async (body: string): Promise<string | undefined> => {
    try {
      const { status } = await send(url, { method: "POST", headers, body });
      return status >= 200 && status < 300 ? undefined : `status ${status}`;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return String(error.facts["cause"] ?? error.message);
    }
  };
  const told = async (id: string, body: string): Promise<void> => {
    for (const pauseMs of [0, ...pausesMs]) {
      if (pauseMs > 0) await pause(pauseMs, undefined, { ref: false, signal: over.signal });
      const why = await post(body);
      if (why === undefined) return;
      // The address may hold a token, so it isn't said.
      log.warn("webhook.failed", { id, why });
    }
    log.error("webhook.given_up", { id, attempts: pausesMs.length + 1 });
  };
  return {
    tell: ({ id, body }) => {
      if (underWay.size >= maxUnderWay || over.signal.aborted) {
        log.error("webhook.given_up", { id, attempts: 0 });
        return;
      }
      const telling = told(id, JSON.stringify(body))
        .catch((error: unknown) => {
          if (!over.signal.aborted)
            log.error("webhook.given_up", { id, why: error instanceof Error ? error.message : "unknown" });
        })
        .finally(() => underWay.delete(telling));
      underWay.add(telling);
    },
    close: async () => {
      over.abort();
      await agent.destroy();
      await Promise.all(underWay);
    },
  };
}
