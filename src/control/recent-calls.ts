/** The last calls, each decision joined with its outcome: what lists show, and what all that counts calls is told. */
import type { EntryDraft } from "../model/entry.ts";
import { type ListedCall, listedCall, type LoggedCall } from "./logged-call.ts";

export interface RecentCalls {
  readonly see: (entry: EntryDraft) => void;
  /** What these callers did. */
  readonly forget: (callers: readonly string[]) => void;
  /** Newest first. */
  readonly list: (limit: number) => readonly ListedCall[];
  readonly find: (callId: string) => LoggedCall | undefined;
}

/** Of those that have ended. */
export const recentKept = 500;
/** A call that is older than so many others under way is told of by how it ends alone. */
const maxUnderWay = 20_000;

/** @param onEnded told of each call once, when it is over */
export function recentCalls(onEnded: (call: LoggedCall) => void = () => undefined): RecentCalls {
  const underWay = new Map<string, EntryDraft>();
  const ended = new Map<string, LoggedCall>();
  const end = (outcome: EntryDraft): void => {
    const decision = underWay.get(outcome.callId);
    underWay.delete(outcome.callId);
    const call = decision === undefined ? { outcome } : { decision, outcome };
    ended.set(outcome.callId, call);
    dropOldest(ended, recentKept);
    onEnded(call);
  };
  const all = (): LoggedCall[] => [...ended.values(), ...underWay.values().map((decision) => ({ decision }))];
  return {
    see: (entry) => {
      if (entry.event === "call.outcome") return end(entry);
      if (entry.event !== "call.decision") return;
      underWay.set(entry.callId, entry);
      dropOldest(underWay, maxUnderWay);
    },
    forget: (callers) => {
      const gone = new Set(callers);
      for (const [id, { decision, outcome }] of ended) {
        if (gone.has((decision ?? outcome)?.principal ?? "")) ended.delete(id);
      }
      for (const [id, { principal }] of underWay) if (gone.has(principal)) underWay.delete(id);
    },
    list: (limit) =>
      all()
        .map(listedCall)
        .toSorted((a, b) => b.atUnixMs - a.atUnixMs)
        .slice(0, limit),
    find: (callId) => {
      const decision = underWay.get(callId);
      return ended.get(callId) ?? (decision && { decision });
    },
  };
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size <= max) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
