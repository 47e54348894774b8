/** A log's entries by index, read from its bundles one after the other: of a running gateway, a pruned log or a copy. */
import { splitBundle } from "../../audit/bundle.ts";
import { readCheckpointBody, readNote } from "../../audit/checkpoint.ts";
import { bundlePath, tileWidth } from "../../merkle/tiles.ts";
import { checkpointFile, openBundlePath, readIfThere } from "./log-folder.ts";

export interface LogBundles {
  /** The whole entries of the n-th bundle; undefined if it isn't there. */
  readonly bundle: (index: number) => readonly Uint8Array[] | undefined;
  /** One entry; undefined if it isn't there. */
  readonly entry: (index: number) => Uint8Array | undefined;
  /** The oldest bundle that is there, and all behind it are. */
  readonly first: () => number;
  /** How many entries the head claims; 0 without one. */
  readonly headSize: () => number;
}

/** Bundles of up to 2 MiB: entries that are looked at together stand in few. */
const keptBundles = 16;

/** Reads each bundle once: for one look at a log. */
export function openLogBundles(folder: string): LogBundles {
  const kept = new Map<number, readonly Uint8Array[]>();
  const bundle: LogBundles["bundle"] = (index) => readBundle(folder, index);
  return {
    bundle,
    entry: (at) => {
      const index = Math.floor(at / tileWidth);
      const had = kept.get(index);
      // The bundle that is being filled has more by now.
      const entries = had !== undefined && at % tileWidth < had.length ? had : bundle(index);
      if (entries === undefined) return undefined;
      kept.delete(index);
      kept.set(index, entries);
      const [oldest] = kept.keys();
      if (kept.size > keptBundles && oldest !== undefined) kept.delete(oldest);
      return entries[at % tileWidth];
    },
    first: () => firstOf(folder),
    headSize: () => headSize(folder),
  };
}

function readBundle(folder: string, index: number): readonly Uint8Array[] | undefined {
  const bytes =
    readIfThere(folder, bundlePath(index)) ??
    readIfThere(folder, openBundlePath(index)) ??
    // It was full and renamed between two looks; or this is a copy without `open/`.
    readIfThere(folder, bundlePath(index)) ??
    readPartial(folder, index);
  return bytes === undefined ? undefined : splitBundle(bytes).entries;
}

function readPartial(folder: string, index: number): Uint8Array | undefined {
  const width = headSize(folder) - index * tileWidth;
  return width > 0 && width < tileWidth ? readIfThere(folder, bundlePath(index, width)) : undefined;
}

function headSize(folder: string): number {
  const bytes = readIfThere(folder, checkpointFile);
  const note = bytes === undefined ? undefined : readNote(bytes);
  return (note === undefined ? undefined : readCheckpointBody(note.text))?.size ?? 0;
}

/** Older ones may have been pruned, oldest first. */
function firstOf(folder: string): number {
  if (readBundle(folder, 0) !== undefined) return 0;
  let [from, to] = [0, Math.floor(headSize(folder) / tileWidth)];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (readBundle(folder, middle) === undefined) from = middle + 1;
    else to = middle;
  }
  return from;
}
