/**
 * Removes entries that are old enough, by whole bundles: first an entry says which, then a signed head covers that
 * entry, then renewals are given what stands for these entries in their trees, and only then files go, oldest first.
 * Their hashes stay. Killed in between, the next run goes on.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { splitBundle } from "../../audit/bundle.ts";
import { readEntry } from "../../audit/entry.ts";
import { findPruned } from "../../audit/prune.ts";
import { bundlePath, tileWidth } from "../../merkle/tiles.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { FileJournal } from "./journal-files.ts";
import { readIfThereAsync, sizeIfThere } from "./log-folder.ts";
import { keepRemovedRoots } from "./removed-roots.ts";

export interface Pruning {
  readonly folder: string;
  readonly journal: Pick<FileJournal, "append" | "checkpoint" | "head">;
  /** Entries of before that moment go. */
  readonly beforeUnixMs: number;
  /** The entry that says that those before `first` go. */
  readonly draft: (first: number) => EntryDraft;
  /** Stops between two files. */
  readonly signal?: AbortSignal;
}

export interface Pruned {
  /** The first entry that is kept. */
  readonly first: number;
  /** How many entries were removed now. */
  readonly removed: number;
}

/**
 * INVARIANT: no renewal is made meanwhile.
 * @throws Refusal `journal_unavailable` if it can't be said, `bad_log` if a renewal would lose its proof, and then
 * nothing is removed; the system's error
 */
export async function pruneLog(pruning: Pruning): Promise<Pruned> {
  const { folder, journal, draft, signal } = pruning;
  const covered = journal.head()?.size ?? 0;
  const said = await findPruned((path) => readIfThereAsync(folder, path), covered);
  const first = await firstToKeep(pruning, said, covered);
  if (first > said) {
    const { index } = await journal.append(draft(first));
    await journal.checkpoint();
    // INVARIANT: nothing goes before a head vouches for the entry that says so.
    if ((journal.head()?.size ?? 0) <= index) throw new Error("no head covers log.prune");
  }
  // INVARIANT: nothing goes before every renewal has on disk what stands for it.
  await keepRemovedRoots(folder, first, signal);
  return { first, removed: await removeBefore(pruning, first) };
}

/** The end of the bundles from `said` on whose entries are all old enough; the one in which the head ends stays. */
async function firstToKeep(
  { folder, beforeUnixMs, signal }: Pruning,
  said: number,
  covered: number,
): Promise<number> {
  let first = said;
  while (first + tileWidth < covered) {
    if (signal?.aborted === true) break;
    const bytes = await readIfThereAsync(folder, bundlePath(first / tileWidth));
    if (bytes === undefined || !isOlder(splitBundle(bytes).entries, beforeUnixMs)) break;
    first += tileWidth;
  }
  return first;
}

/** Clocks are put back, so every entry is looked at. One that can't be read is evidence, and kept. */
function isOlder(entries: readonly Uint8Array[], beforeUnixMs: number): boolean {
  return entries.every((bytes) => {
    const reading = readEntry(bytes);
    return reading.kind === "entry" && reading.entry.atUnixMs < beforeUnixMs;
  });
}

async function removeBefore({ folder, signal }: Pruning, first: number): Promise<number> {
  let removed = 0;
  for (let index = 0; index * tileWidth < first; index++) {
    if (signal?.aborted === true) break;
    if (sizeIfThere(folder, bundlePath(index)) === undefined) continue;
    await rm(join(folder, bundlePath(index)));
    removed += tileWidth;
  }
  return removed;
}
