/** The hash chain of SEP-3004 §2.6, followed entry by entry. */
import { maxGenerations } from "../crypto/log-key.ts";
import type { Hash } from "../merkle/hashing.ts";
import { type Entry, readEntry } from "./entry.ts";
import { readPrune } from "./prune.ts";
import { maxRenewals, renewalEvent } from "./renewal.ts";
import { rotationEvent } from "./rotation.ts";

export interface ChainFault {
  readonly what: "changed" | "removed" | "reordered";
  readonly index: number;
  readonly text: string;
}

export interface ChainWalk {
  /** Goes on with entries that stand at `first` and behind it in the log; what is wrong with them. */
  readonly follow: (entries: readonly Uint8Array[], first: number) => readonly ChainFault[];
  /** Over entries that aren't there: nothing is known of what the next one must say. */
  readonly skip: () => void;
  /** The first entry that is kept by the newest `log.prune`; 0 without one. */
  readonly prunedBefore: () => number;
  /** When the last readable entry happened. */
  readonly lastAtUnixMs: () => number | undefined;
  /** Entries with which the log's keys rotated. */
  readonly rotations: () => readonly IndexedEntry[];
  /** Entries that say of a renewal that it was made. */
  readonly renewals: () => readonly IndexedEntry[];
}

export interface IndexedEntry {
  readonly index: number;
  readonly entry: Entry;
}

/** @param hash of `event_hash`: SHA-256 as SEP-3004 says, or what somebody puts in its place */
export function chainWalk(hash: Hash): ChainWalk {
  // Undefined after an entry that can't be read: then nothing is known of what the next one must say.
  let expected: string | null | undefined = null;
  let lastAtUnixMs: number | undefined;
  let prunedBefore = 0;
  const rotations: IndexedEntry[] = [];
  const renewals: IndexedEntry[] = [];
  return {
    lastAtUnixMs: () => lastAtUnixMs,
    rotations: () => rotations,
    prunedBefore: () => prunedBefore,
    skip: () => {
      expected = undefined;
    },
    renewals: () => renewals,
    follow: (entries, first) => {
      const readings = entries.map((entry) => readEntry(entry, hash));
      const here = new Set(
        readings.map((reading) => (reading.kind === "entry" ? reading.entry.eventHash : "")),
      );
      const faults: ChainFault[] = [];
      readings.forEach((reading, i) => {
        const index = first + i;
        if (reading.kind === "unreadable") {
          faults.push({ what: "changed", index, text: `entry ${index} was changed: ${reading.why}` });
          expected = undefined;
          return;
        }
        const { entry } = reading;
        if (expected !== undefined && entry.previousHash !== expected) {
          faults.push(misplaced(entry, index, here));
        }
        expected = entry.eventHash;
        lastAtUnixMs = entry.atUnixMs;
        prunedBefore = readPrune(entry, index) ?? prunedBefore;
        if (entry.event === rotationEvent && rotations.length < maxGenerations)
          rotations.push({ index, entry });
        if (entry.event === renewalEvent && renewals.length < maxRenewals) renewals.push({ index, entry });
      });
      return withoutEchoes(faults);
    },
  };
}

function misplaced(entry: Entry, index: number, here: ReadonlySet<string>): ChainFault {
  if (entry.previousHash !== null && here.has(entry.previousHash)) {
    const text = `entry ${index} isn't in its place: its predecessor stands elsewhere`;
    return { what: "reordered", index, text };
  }
  const text = `something is missing or was changed before entry ${index}: its predecessor isn't there`;
  return { what: "removed", index, text };
}

/** Entries that changed places break the chain up to three times in a row; the first tells it. */
function withoutEchoes(faults: readonly ChainFault[]): readonly ChainFault[] {
  return faults.filter((fault, i) => {
    const before = faults[i - 1];
    return fault.what !== "reordered" || before?.what !== "reordered" || fault.index > before.index + 2;
  });
}
