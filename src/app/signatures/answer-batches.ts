/**
 * What was promised of answers: a batch for each batch of calls that they answer, whose statement goes back with the
 * statement over the calls.
 */
import { randomBytes } from "node:crypto";

import { type LeafRange, maxLeaves, outgoingBatch, type OutgoingBatch } from "../../integrity/batch.ts";
import { longestMemoryMs } from "../../integrity/replay.ts";

export interface AnswerBatches {
  /** For the answers to the calls of that batch of the caller's; undefined if there are too many. */
  readonly of: (caller: string, calls: string, nowUnixMs: number) => OutgoingBatch | undefined;
  /** What is to be said next, to who says that range of calls; the same again to who asks again. */
  readonly next: (caller: string, asked: LeafRange, nowUnixMs: number) => LeafRange;
}

interface Kept {
  readonly batch: OutgoingBatch;
  lastUsedUnixMs: number;
  /** What was asked last, and what was said to that: nobody confirms that it arrived. */
  last?: { readonly start: number; readonly count: number; readonly said: LeafRange };
}

/** As many as a window of replayed messages remembers of calls. */
const maxBatches = 4096;

export function answerBatches(): AnswerBatches {
  const kept = new Map<string, Kept>();
  const keptOf = (caller: string, calls: string, nowUnixMs: number): Kept | undefined => {
    const name = `${caller}\n${calls}`;
    const found = kept.get(name);
    if (found !== undefined) {
      found.lastUsedUnixMs = nowUnixMs;
      return found;
    }
    if (kept.size >= maxBatches) forgetIdle(kept, nowUnixMs);
    if (kept.size >= maxBatches) return undefined;
    const made: Kept = { batch: outgoingBatch(randomBytes(16)), lastUsedUnixMs: nowUnixMs };
    kept.set(name, made);
    return made;
  };
  return {
    of: (caller, calls, nowUnixMs) => keptOf(caller, calls, nowUnixMs)?.batch,
    next: (caller, { batch: calls, start, leaves }, nowUnixMs) => {
      const one = keptOf(caller, calls, nowUnixMs);
      if (one === undefined) return outgoingBatch(randomBytes(16)).take();
      const isAgain = one.last?.start === start && one.last.count === leaves.length;
      const said = isAgain ? continued(one.last?.said, one.batch) : one.batch.take();
      one.last = { start, count: leaves.length, said };
      return said;
    },
  };
}

/** What was said before, and what came since if both fit into one statement. */
function continued(before: LeafRange | undefined, batch: OutgoingBatch): LeafRange {
  if (before === undefined || before.leaves.length === 0) return batch.take();
  if (before.leaves.length > maxLeaves / 2) return before;
  const { leaves } = batch.take(maxLeaves - before.leaves.length);
  return { ...before, leaves: [...before.leaves, ...leaves] };
}

/** Nobody asks any more for what was promised so long ago. */
function forgetIdle(kept: Map<string, Kept>, nowUnixMs: number): void {
  for (const [name, { lastUsedUnixMs }] of kept)
    if (lastUsedUnixMs + longestMemoryMs <= nowUnixMs) kept.delete(name);
}
