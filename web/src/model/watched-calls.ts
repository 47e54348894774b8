/** The calls that a reader of the stream looks at: the newest that fit a filter, and how many there were in all. */
import { added, type Batch, type Counts, newest, noCounts } from "./live-calls.ts";
import type { Call } from "./status.ts";

export interface CallFilter {
  /** Any of it in the caller, what is called, the rule or the outcome, in any case. */
  readonly text: string;
  /** "" for all. */
  readonly verdict: string;
}

export interface Watched {
  readonly calls: readonly Call[];
  /** Since it is watched. */
  readonly counts: Counts;
  /** Of those, the ones that came to this reader, and fit or not. */
  readonly told: number;
}

export const nothingWatched: Watched = { calls: [], counts: noCounts, told: 0 };

/** More rows nobody reads, and each costs the browser something. */
const maxRows = 200;

export function watch(watched: Watched, batch: Batch, filter: CallFilter): Watched {
  return {
    calls: newest(watched.calls, batch.calls.filter(fits(filter)), maxRows),
    counts: added(watched.counts, batch.counts),
    told: watched.told + batch.calls.length,
  };
}

export function fits({ text, verdict }: CallFilter): (call: Call) => boolean {
  const wanted = text.trim().toLowerCase();
  return (call) => {
    if (verdict !== "" && call.verdict !== verdict) return false;
    if (wanted === "") return true;
    return [call.caller, call.what, call.rule ?? "", call.outcome ?? "", call.callId].some((each) =>
      each.toLowerCase().includes(wanted),
    );
  };
}
