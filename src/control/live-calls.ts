/**
 * Calls as they end, for those who watch: ten batches a second at most, each with some of the calls and exact counts of
 * all. INVARIANT: where nobody watches, a call costs a few additions.
 */
import { type CallVerdict, type ListedCall, listedCall, type LoggedCall, verdictOf } from "./logged-call.ts";

interface CallCounts {
  readonly calls: number;
  readonly allowed: number;
  readonly denied: number;
  readonly held: number;
  readonly error: number;
  readonly postQuantum: number;
}

export interface LiveBatch {
  /** Oldest first. */
  readonly calls: readonly ListedCall[];
  readonly counts: CallCounts;
  /** Since the gateway began. */
  readonly totals: CallCounts;
  readonly atUnixMs: number;
}

export interface LiveCalls {
  readonly see: (call: LoggedCall) => void;
  /** Names of those who were erased leave with what waits. */
  readonly forget: () => void;
  readonly totals: () => CallCounts;
}

interface Options {
  readonly isWatched: () => boolean;
  readonly send: (batch: LiveBatch) => void;
  /** Calls `act` once after that time. */
  readonly later: (act: () => void, ms: number) => void;
  /** A number from 0 to below 1. */
  readonly chance: () => number;
  readonly nowUnixMs: () => number;
}

const everyMs = 100;
/** Calls in a batch; half of the places are kept for those that weren't simply answered. */
const maxSampled = 20;

type Mutable = { -readonly [Name in keyof CallCounts]: number };

export function liveCalls({ isWatched, send, later, chance, nowUnixMs }: Options): LiveCalls {
  const totals = none();
  let counts = none();
  let plain: Reservoir = { kept: [], seen: 0 };
  let special: Reservoir = { kept: [], seen: 0 };
  let isDue = false;
  const flush = (): void => {
    isDue = false;
    const calls = sampled(plain, special);
    const batch = { calls, counts, totals: { ...totals }, atUnixMs: nowUnixMs() };
    [counts, plain, special] = [none(), { kept: [], seen: 0 }, { kept: [], seen: 0 }];
    if (isWatched()) send(batch);
  };
  return {
    see: (call) => {
      const verdict = verdictOf(call);
      const isPostQuantum = call.decision?.facts["link.pq"] === "true";
      count(totals, verdict, isPostQuantum);
      if (!isWatched()) return;
      count(counts, verdict, isPostQuantum);
      take(verdict === "allowed" ? plain : special, call, chance);
      if (isDue) return;
      isDue = true;
      later(flush, everyMs);
    },
    forget: () => {
      plain.kept.length = 0;
      special.kept.length = 0;
    },
    totals: () => ({ ...totals }),
  };
}

function none(): Mutable {
  return { calls: 0, allowed: 0, denied: 0, held: 0, error: 0, postQuantum: 0 };
}

function count(counts: Mutable, verdict: CallVerdict, isPostQuantum: boolean): void {
  counts.calls += 1;
  counts[verdict] += 1;
  if (isPostQuantum) counts.postQuantum += 1;
}

interface Reservoir {
  readonly kept: LoggedCall[];
  seen: number;
}

/** Each of those seen has the same chance to be kept (Vitter's algorithm R). */
function take(reservoir: Reservoir, call: LoggedCall, chance: () => number): void {
  reservoir.seen += 1;
  if (reservoir.kept.length < maxSampled) {
    reservoir.kept.push(call);
    return;
  }
  const at = Math.floor(chance() * reservoir.seen);
  if (at < maxSampled) reservoir.kept[at] = call;
}

function sampled(plain: Reservoir, special: Reservoir): readonly ListedCall[] {
  const half = maxSampled / 2;
  const places = Math.max(half, maxSampled - plain.kept.length);
  const first = special.kept.slice(0, places);
  return [...first, ...plain.kept.slice(0, maxSampled - first.length)]
    .map(listedCall)
    .toSorted((a, b) => a.atUnixMs - b.atUnixMs);
}
