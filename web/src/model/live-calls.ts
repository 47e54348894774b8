/** The stream's batches of calls, as the API has them. */
import { fields, list, number } from "./fields.ts";
import { type Call, readCall } from "./status.ts";
import type { Counted } from "./traffic.ts";

export type Counts = Pick<Counted, "calls" | "allowed" | "denied" | "held" | "error" | "postQuantum">;

export interface Batch {
  /** Some of those that ended since the batch before. */
  readonly calls: readonly Call[];
  /** All of those. */
  readonly counts: Counts;
}

export const noCounts: Counts = { calls: 0, allowed: 0, denied: 0, held: 0, error: 0, postQuantum: 0 };

export function readBatch(value: unknown): Batch {
  const { calls, counts } = fields(value);
  const counted = fields(counts);
  return {
    calls: list(calls).map(readCall),
    counts: {
      calls: number(counted["calls"]),
      allowed: number(counted["allowed"]),
      denied: number(counted["denied"]),
      held: number(counted["held"]),
      error: number(counted["error"]),
      postQuantum: number(counted["postQuantum"]),
    },
  };
}

export function added<T extends Counts>(to: T, counts: Counts): T {
  return {
    ...to,
    calls: to.calls + counts.calls,
    allowed: to.allowed + counts.allowed,
    denied: to.denied + counts.denied,
    held: to.held + counts.held,
    error: to.error + counts.error,
    postQuantum: to.postQuantum + counts.postQuantum,
  };
}

/** @returns the newest of both, each call once, as it was told last */
export function newest(known: readonly Call[], told: readonly Call[], most: number): readonly Call[] {
  const byId = new Map([...known, ...told].map((call) => [call.callId, call]));
  return [...byId.values()].toSorted((a, b) => b.atUnixMs - a.atUnixMs).slice(0, most);
}
