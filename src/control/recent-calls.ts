/** The last calls, as the page shows them: each decision joined with its outcome. */
import type { EntryDraft } from "../model/entry.ts";

interface RecentCall {
  readonly callId: string;
  readonly atUnixMs: number;
  readonly caller: string;
  /** The tool, or the protocol's method. */
  readonly what: string;
  readonly verdict: "allowed" | "denied" | "error";
  readonly rule: string | null;
  readonly outcome: string | null;
  readonly ms: number | null;
}

export interface RecentCalls {
  readonly see: (entry: EntryDraft) => void;
  /** What these callers did. */
  readonly forget: (callers: readonly string[]) => void;
  /** Newest first. */
  readonly list: (limit: number) => readonly RecentCall[];
}

const kept = 500;

/** What the log has of one call so far. */
interface Seen {
  readonly first: EntryDraft;
  readonly outcome?: EntryDraft;
}

export function recentCalls(): RecentCalls {
  const calls = new Map<string, Seen>();
  return {
    see: (entry) => {
      if (entry.event !== "call.decision" && entry.event !== "call.outcome") return;
      const decision = calls.get(entry.callId)?.first;
      calls.set(
        entry.callId,
        decision === undefined ? { first: entry } : { first: decision, outcome: entry },
      );
      if (calls.size <= kept) return;
      const oldest = calls.keys().next();
      if (oldest.done !== true) calls.delete(oldest.value);
    },
    forget: (callers) => {
      for (const [callId, { first }] of calls) if (callers.includes(first.principal)) calls.delete(callId);
    },
    list: (limit) => [...calls.values()].slice(-limit).reverse().map(recentCall),
  };
}

/** A call that was refused before anything was decided has an outcome alone. */
function recentCall({ first, outcome }: Seen): RecentCall {
  const isDecided = first.event === "call.decision";
  const end = isDecided ? outcome : first;
  const call: RecentCall = {
    callId: first.callId,
    atUnixMs: first.atUnixMs,
    caller: first.principal,
    what: first.tool ?? `${first.facts["server"] ?? ""} ${first.facts["method"] ?? ""}`.trim(),
    verdict: first.outcome === "allowed" ? "allowed" : "denied",
    rule: first.facts["rule"] ?? null,
    outcome: null,
    ms: null,
  };
  if (end === undefined) return call;
  const ended = end.outcome === "deferred" ? "allowed" : end.outcome;
  return {
    ...call,
    verdict: isDecided && call.verdict === "denied" ? "denied" : ended,
    outcome: end.facts["reason"] ?? (end.facts["answer"] === "failed" ? "answer says it failed" : "answered"),
    ms: end.facts["duration_ms"] === undefined ? null : Number(end.facts["duration_ms"]),
  };
}
