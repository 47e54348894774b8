/** The last calls, as the page shows them: each decision joined with its outcome. */
import type { EntryDraft } from "../model/entry.ts";

export interface RecentCall {
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
  /** Newest first. */
  readonly list: (limit: number) => readonly RecentCall[];
}

const kept = 500;

export function recentCalls(): RecentCalls {
  const calls = new Map<string, RecentCall>();
  return {
    see: (entry) => {
      if (entry.event !== "call.decision" && entry.event !== "call.outcome") return;
      const before = calls.get(entry.callId);
      calls.set(entry.callId, entry.event === "call.decision" ? decided(entry) : ended(entry, before));
      const [oldest] = calls.keys();
      if (calls.size > kept && oldest !== undefined) calls.delete(oldest);
    },
    list: (limit) => [...calls.values()].reverse().slice(0, limit),
  };
}

function decided(entry: EntryDraft): RecentCall {
  return {
    callId: entry.callId,
    atUnixMs: entry.atUnixMs,
    caller: entry.principal,
    what: entry.tool ?? `${entry.facts["server"] ?? ""} ${entry.facts["method"] ?? ""}`.trim(),
    verdict: entry.outcome === "allowed" ? "allowed" : "denied",
    rule: entry.facts["rule"] ?? null,
    outcome: null,
    ms: null,
  };
}

function ended(entry: EntryDraft, before: RecentCall | undefined): RecentCall {
  const verdict = entry.outcome === "deferred" ? "allowed" : entry.outcome;
  return {
    ...(before ?? { ...decided(entry), rule: null }),
    verdict: before?.verdict === "denied" ? "denied" : verdict,
    outcome:
      entry.facts["reason"] ?? (entry.facts["answer"] === "failed" ? "answer says it failed" : "answered"),
    ms: entry.facts["duration_ms"] === undefined ? null : Number(entry.facts["duration_ms"]),
  };
}
