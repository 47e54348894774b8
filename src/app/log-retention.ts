/** `audit.retention`: once a day, and at the start, entries that are older are removed from the log. */
import { randomUUIDv7 } from "node:crypto";

import { pruneDraft } from "../audit/prune.ts";
import { removeIndexFile } from "../host/store/audit-index-file.ts";
import { newestAsOldAs } from "../host/store/journal-retention.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { AuditLog } from "./audit-log.ts";

interface Retention {
  readonly audit: Pick<AuditLog, "prune" | "journal">;
  /** The log. */
  readonly folder: string;
  /** The file of the index for questions: it is thrown away with what was removed, and made anew when one is asked. */
  readonly index: string;
  /** How long entries are kept; for ever if undefined. */
  readonly keptMs: number | undefined;
  /** Who removes: a SPIFFE ID. */
  readonly principal: string;
  readonly clock: Clock;
  readonly log: Log;
}

const everyMs = 24 * 3_600_000;
const dayMs = 24 * 3_600_000;
/** A clock that the log has gone on with for so long is believed; less than the time between two runs. */
const believedMs = 23 * 3_600_000;

/** What fails is told, and tried again the next day. */
export function keepRetention(retention: Retention): { readonly stop: () => Promise<void> } {
  const { keptMs } = retention;
  if (keptMs === undefined) return { stop: () => Promise.resolve() };
  const over = new AbortController();
  let running: Promise<void> | undefined;
  const run = (): void => {
    running ??= prune(retention, keptMs, over.signal).finally(() => {
      running = undefined;
    });
  };
  run();
  const timer = setInterval(run, everyMs).unref();
  return {
    stop: async () => {
      clearInterval(timer);
      over.abort();
      await running;
    },
  };
}

async function prune(retention: Retention, keptMs: number, signal: AbortSignal): Promise<void> {
  const { audit, index, principal, clock, log } = retention;
  const atUnixMs = clock.nowUnixMs();
  const cause = { atUnixMs, callId: randomUUIDv7(), principal, by: `retention of ${keptMs / dayMs} days` };
  try {
    const beforeUnixMs = await removedBefore(retention, atUnixMs, keptMs);
    if (beforeUnixMs === undefined) return;
    const draft = (first: number) => pruneDraft(first, beforeUnixMs, cause);
    const { first, removed } = await audit.prune({ beforeUnixMs, draft, signal });
    if (removed === 0) return;
    removeIndexFile(index);
    log.info("log.pruned", { entries: removed, first });
  } catch (error) {
    if (signal.aborted) return;
    log.error("log.prune_failed", { reason: error instanceof Error ? error.message : "unknown" });
  }
}

/**
 * Entries of before that moment are old enough. It is counted from the newest entry of before today, not from the
 * clock: one that runs ahead would have the whole history removed at once. So a clock is believed when the log has
 * gone on with it for a day.
 */
async function removedBefore(
  { audit, folder, log }: Retention,
  nowUnixMs: number,
  keptMs: number,
): Promise<number | undefined> {
  const newestUnixMs = await newestAsOldAs(folder, audit.journal.size(), nowUnixMs - believedMs);
  if (newestUnixMs === undefined) return undefined;
  if (newestUnixMs < nowUnixMs - keptMs) {
    const [newest, now] = [newestUnixMs, nowUnixMs].map((unixMs) => new Date(unixMs).toISOString());
    log.error("log.prune_waits", {
      reason: `The clock says ${now}, but before today the log's newest entry is of ${newest}: by this clock, all of it is older than audit.retention. If the clock is wrong, stop the gateway and set it. If it is right, do nothing: what is old is removed when the log has gone on for a day.`,
    });
  }
  return newestUnixMs + believedMs - keptMs;
}
