/**
 * Dials again while nobody is there: a gateway that is being restarted, a network that is waking up. The request that
 * the link is for waits as it is, and needn't be made or signed anew.
 */
import { setTimeout as pause } from "node:timers/promises";

import { Refusal } from "../../kernel/refusal.ts";

/** How it looks when nobody is there. */
export const absences: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

const firstRetryMs = 50;
const maxRetryMs = 500;

/**
 * @param patienceMs how long the other end may be away
 * @param signal ends the waiting; the dialling itself goes on to its end
 */
export async function patientDial<Link>(
  dial: () => Promise<Link>,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Link> {
  const deadline = performance.now() + patienceMs;
  for (let waitMs = firstRetryMs; ; waitMs = Math.min(waitMs * 2, maxRetryMs)) {
    try {
      return await dial();
    } catch (reason) {
      if (!absences.has(causeOf(reason)) || signal.aborted || performance.now() + waitMs > deadline)
        throw reason;
    }
    await pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

function causeOf(reason: unknown): string {
  if (reason instanceof Refusal) return String(reason.facts["cause"]);
  return reason instanceof Error && "code" in reason ? String(reason.code) : "";
}
