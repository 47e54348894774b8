/**
 * Access tokens by whom they are for: renewed before they end, by one request at a time, dropped when a server
 * refuses them. Who can't be had is asked for again later and later.
 */
import type { DPoPHandle } from "oauth4webapi";

import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";

export interface AccessToken {
  readonly value: string;
  /** Undefined where the authorization server didn't say; it then counts until a server refuses it. */
  readonly notAfterUnixMs?: number | undefined;
  readonly renewAtUnixMs?: number | undefined;
  /** Signs proofs with the key the token is bound to (RFC 9449). */
  readonly dpop?: DPoPHandle | undefined;
}

export interface TokenCache {
  /** @throws Refusal as `fetch` does; the same one without asking while the back-off lasts */
  readonly get: (key: string, fetch: () => Promise<AccessToken>) => Promise<AccessToken>;
  /** Forgets this very token; one that came since stays. */
  readonly drop: (key: string, token: AccessToken) => void;
  /** Fresh ones are refused too: for a moment none is asked for, and everybody gets this refusal. @returns it */
  readonly useless: (key: string, refusal: Refusal) => Refusal;
  readonly forget: (key: string) => void;
}

interface Entry {
  token?: AccessToken | undefined;
  underWay?: Promise<AccessToken> | undefined;
  failures: number;
  failed?: { readonly refusal: unknown; readonly untilUnixMs: number } | undefined;
}

/** Callers that hold a token at once; the one unused for longest makes way. */
const maxEntries = 4096;
const firstBackOffMs = 1000;
const longestBackOffMs = 60_000;

export function tokenCache(clock: Clock): TokenCache {
  const entries = new Map<string, Entry>();
  const entryOf = (key: string): Entry => {
    const entry = entries.get(key) ?? { failures: 0 };
    entries.delete(key); // Back in at the end: the first is the one unused for longest.
    entries.set(key, entry);
    if (entries.size > maxEntries) makeRoom(entries);
    return entry;
  };
  return {
    get: async (key, fetch) => {
      const entry = entryOf(key);
      const now = clock.nowUnixMs();
      const { token, failed } = entry;
      const isValid = token !== undefined && now < (token.notAfterUnixMs ?? Infinity);
      if (isValid && now < (token.renewAtUnixMs ?? Infinity)) return token;
      if (failed !== undefined && now < failed.untilUnixMs) {
        if (isValid) return token;
        throw failed.refusal;
      }
      entry.underWay ??= Promise.resolve().then(() => renew(entry, fetch, clock));
      if (!isValid) return await entry.underWay;
      entry.underWay.catch(() => undefined); // The one there is still counts; the failure is met when it ends.
      return token;
    },
    drop: (key, token) => {
      const entry = entries.get(key);
      if (entry?.token?.value === token.value) entry.token = undefined;
    },
    useless: (key, refusal) => {
      const entry = entryOf(key);
      entry.token = undefined;
      entry.failed = { refusal, untilUnixMs: clock.nowUnixMs() + firstBackOffMs };
      return refusal;
    },
    forget: (key) => void entries.delete(key),
  };
}

async function renew(entry: Entry, fetch: () => Promise<AccessToken>, clock: Clock): Promise<AccessToken> {
  try {
    entry.token = await fetch();
    entry.failures = 0;
    entry.failed = undefined;
    return entry.token;
  } catch (refusal) {
    // Who must first be asked for consent isn't down: the next call may find it given.
    if (!(refusal instanceof Refusal && refusal.code === "grant_needed")) {
      const waitMs = Math.min(longestBackOffMs, firstBackOffMs * 2 ** entry.failures);
      entry.failures += 1;
      entry.failed = { refusal, untilUnixMs: clock.nowUnixMs() + waitMs };
    }
    throw refusal;
  } finally {
    entry.underWay = undefined;
  }
}

function makeRoom(entries: Map<string, Entry>): void {
  for (const [key, { underWay }] of entries) {
    if (underWay !== undefined) continue;
    entries.delete(key);
    return;
  }
}
