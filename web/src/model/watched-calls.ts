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
  /** The newest that fit. */
  readonly calls: readonly Call[];
  /** The newest, whether they fit or not: another filter has them to begin with. */
  readonly recent: readonly Call[];
  /** Since it is watched. */
  readonly counts: Counts;
  /** Of those, the ones that came to this reader, and fit or not. */
  readonly told: number;
}

export const nothingWatched: Watched = { calls: [], recent: [], counts: noCounts, told: 0 };

/** More rows nobody reads, and each costs the browser something: all of them are other ones with another filter. */
const maxRows = 100;

/** @param filter may be another one than before: what was counted stays counted */
export function watch(watched: Watched, batch: Batch, filter: CallFilter): Watched {
  const recent = newest(watched.recent, batch.calls, maxRows);
  return {
    calls: fitting([watched.calls, recent], filter),
    recent,
    counts: added(watched.counts, batch.counts),
    told: watched.told + batch.calls.length,
  };
}

/** @param known before it was watched */
export function shownOf(
  { calls, recent }: Watched,
  known: readonly Call[],
  filter: CallFilter,
): readonly Call[] {
  return fitting([known, recent, calls], filter);
}

function fitting(lists: readonly (readonly Call[])[], filter: CallFilter): readonly Call[] {
  const wanted = fits(filter);
  return lists.reduce((all, list) => newest(all, list.filter(wanted), maxRows), []);
}

function fits({ text, verdict }: CallFilter): (call: Call) => boolean {
  const wanted = text.trim().toLowerCase();
  return (call) => {
    if (verdict !== "" && call.verdict !== verdict) return false;
    if (wanted === "") return true;
    return [call.caller, call.what, call.rule ?? "", call.outcome ?? "", call.callId].some((each) =>
      each.toLowerCase().includes(wanted),
    );
  };
}
