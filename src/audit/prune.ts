/**
 * The entry that says which entries retention removes: those before `first`, by whole bundles. Only what a signed
 * head covers counts, so nobody but the log's writer can say it.
 */
import { bundlePath, tileWidth } from "../merkle/tiles.ts";
import type { EntryDraft } from "../model/entry.ts";
import { splitBundle } from "./bundle.ts";
import { type Entry, readEntry } from "./entry.ts";
import type { LogFiles } from "./log-walk.ts";
import type { RotationCause } from "./rotation.ts";

const pruneEvent = "log.prune";

/** @param first the first entry that is kept, a multiple of 256 @param beforeUnixMs all removed ones are older */
export function pruneDraft(first: number, beforeUnixMs: number, cause: RotationCause): EntryDraft {
  const { atUnixMs, callId, principal, by } = cause;
  const facts = { by, first: String(first), before: new Date(beforeUnixMs).toISOString() };
  return { event: pruneEvent, atUnixMs, callId, principal, tool: null, outcome: "allowed", facts };
}

/** The first entry that is kept by what entry `index` says; undefined if it says nothing of the kind. */
export function readPrune(
  { event, facts }: Pick<Entry, "event" | "facts">,
  index: number,
): number | undefined {
  if (event !== pruneEvent) return undefined;
  const first = Number(facts["first"]);
  const isOne = Number.isSafeInteger(first) && first > 0 && first % tileWidth === 0 && first <= index;
  return isOne ? first : undefined;
}

/** What entry `index` says: that those before `first` are removed. */
interface Prune {
  readonly index: number;
  readonly first: number;
}

/** By the newest of `entries`, which stand at `start` and behind it in the log. */
export function newestPrune(entries: readonly Uint8Array[], start: number): Prune | undefined {
  for (let i = entries.length - 1; i >= 0; i--) {
    const bytes = entries[i];
    if (bytes === undefined || !mayBePrune(bytes)) continue;
    const reading = readEntry(bytes);
    const first = reading.kind === "entry" ? readPrune(reading.entry, start + i) : undefined;
    if (first !== undefined) return { index: start + i, first };
  }
  return undefined;
}

/** The first entry that is kept, unverified as `findPrune`; 0 if nothing says that others aren't. */
export async function findPruned(files: LogFiles, size: number): Promise<number> {
  return (await findPrune(files, size))?.first ?? 0;
}

/** The newest `log.prune` of the first `size` entries. Nothing is verified here: who relies on it checks that a head covers it. */
export async function findPrune(files: LogFiles, size: number): Promise<Prune | undefined> {
  for (let index = Math.ceil(size / tileWidth) - 1; index >= 0; index--) {
    const width = Math.min(tileWidth, size - index * tileWidth);
    const bytes =
      (await files(bundlePath(index))) ??
      (await files(`open/${index}`)) ??
      (await files(bundlePath(index, width)));
    // What retention removed lies before the entry that says so.
    if (bytes === undefined) return undefined;
    const found = newestPrune(splitBundle(bytes).entries.slice(0, width), index * tileWidth);
    if (found !== undefined) return found;
  }
  return undefined;
}

const needle = Buffer.from(`"event_type":"${pruneEvent}"`);

/** Parsing is what costs. */
function mayBePrune(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(needle);
}
