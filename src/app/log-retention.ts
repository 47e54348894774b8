/** `audit.retention`: once a day, and at the start, entries that are older are removed from the log. */
import { randomUUIDv7 } from "node:crypto";

import { pruneDraft } from "../audit/prune.ts";
import { removeIndexFile } from "../host/store/audit-index-file.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { AuditLog } from "./audit-log.ts";

interface Retention {
  readonly audit: Pick<AuditLog, "prune">;
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

async function prune(
  { audit, index, principal, clock, log }: Retention,
  keptMs: number,
  signal: AbortSignal,
): Promise<void> {
  const atUnixMs = clock.nowUnixMs();
  const beforeUnixMs = atUnixMs - keptMs;
  const cause = { atUnixMs, callId: randomUUIDv7(), principal, by: `retention of ${keptMs / dayMs} days` };
  const draft = (first: number) => pruneDraft(first, beforeUnixMs, cause);
  try {
    const { first, removed } = await audit.prune({ beforeUnixMs, draft, signal });
    if (removed === 0) return;
    removeIndexFile(index);
    log.info("log.pruned", { entries: removed, first });
  } catch (error) {
    log.error("log.prune_failed", { reason: error instanceof Error ? error.message : "unknown" });
  }
}
