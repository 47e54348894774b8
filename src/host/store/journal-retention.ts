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
import { openBundlePath, readIfThereAsync, sizeIfThere } from "./log-folder.ts";
import { keepRemovedRoots } from "./removed-roots.ts";

export interface Pruning {
  readonly folder: string;
  readonly journal: Pick<FileJournal, "append" | "checkpoint" | "head">;
  /** Entries of before that moment go. */
  readonly beforeUnixMs: number;
  /** The entry that says that those before `first` go. */
  readonly draft: (first: number) => EntryDraft;
  /** Lets the calls of a running gateway go on. */
  readonly pause?: () => Promise<void>;
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
  { folder, beforeUnixMs, pause, signal }: Pruning,
  said: number,
  covered: number,
): Promise<number> {
  let first = said;
  while (first + tileWidth < covered) {
    if (signal?.aborted === true) break;
    const bytes = await readIfThereAsync(folder, bundlePath(first / tileWidth));
    if (bytes === undefined || !(await isOlder(splitBundle(bytes).entries, beforeUnixMs, pause))) break;
    first += tileWidth;
  }
  return first;
}

/** Clocks are put back, so every entry is looked at. One that can't be read is evidence, and kept. */
async function isOlder(
  entries: readonly Uint8Array[],
  beforeUnixMs: number,
  pause: Pruning["pause"],
): Promise<boolean> {
  for (const [i, bytes] of entries.entries()) {
    if (i % slice === 0) await pause?.();
    const atUnixMs = momentOf(bytes);
    if (atUnixMs === undefined || atUnixMs >= beforeUnixMs) return false;
  }
  return true;
}

/** So many entries are parsed in a fraction of a millisecond. */
const slice = 32;

function momentOf(bytes: Uint8Array): number | undefined {
  const reading = readEntry(bytes);
  return reading.kind === "entry" ? reading.entry.atUnixMs : undefined;
}

/** Oldest first, from the newest bundle that is gone already: there may be ten thousands behind it. */
async function removeBefore({ folder, pause, signal }: Pruning, first: number): Promise<number> {
  let from = first / tileWidth;
  while (from > 0 && sizeIfThere(folder, bundlePath(from - 1)) !== undefined) from--;
  let removed = 0;
  for (let index = from; index * tileWidth < first; index++) {
    await pause?.();
    if (signal?.aborted === true) break;
    await rm(join(folder, bundlePath(index)));
    removed += tileWidth;
  }
  return removed;
}

/**
 * When the newest entry was made that is as old as `unixMs`, as the entries say, the first `size` of which are looked
 * at; undefined if there is none.
 */
export async function newestAsOldAs(
  folder: string,
  size: number,
  unixMs: number,
): Promise<number | undefined> {
  const isAsOld = (atUnixMs: number | undefined): atUnixMs is number =>
    atUnixMs !== undefined && atUnixMs <= unixMs;
  for (let index = Math.floor((size - 1) / tileWidth); index >= 0; index--) {
    const bytes =
      (await readIfThereAsync(folder, bundlePath(index))) ??
      (await readIfThereAsync(folder, openBundlePath(index)));
    if (bytes === undefined) return undefined;
    const { entries } = splitBundle(bytes);
    // Two of a bundle are enough, until one is found; a clock may have been put back between them.
    const ends = [entries[0], entries.at(-1)].flatMap((bytes) =>
      bytes === undefined ? [] : [momentOf(bytes)],
    );
    if (index > 0 && !ends.some(isAsOld)) continue;
    const found = entries.map(momentOf).findLast(isAsOld);
    if (found !== undefined) return found;
  }
  return undefined;
}
