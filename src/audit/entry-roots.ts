/** The Merkle roots of a log's first entries by any hash, from the entries alone: one pass, one bundle in memory. */
import type { Hashes } from "../crypto/hash.ts";
import type { HashId } from "../crypto/suites/symmetric.ts";
import { leafHash } from "../merkle/hashing.ts";
import { runningRoot } from "../merkle/running-root.ts";
import { bundlePath, tileWidth } from "../merkle/tiles.ts";
import { splitBundle } from "./bundle.ts";
import type { LogFiles } from "./log-walk.ts";

/** The first `size` entries, by that hash. */
export interface WantedRoot {
  readonly hash: HashId;
  readonly size: number;
}

export interface EntryRoots {
  /** Undefined if it wasn't asked for, or the log has fewer entries. */
  readonly rootAt: (wanted: WantedRoot) => Uint8Array | undefined;
  /** How many entries there were, at most as many as were asked for. */
  readonly count: number;
}

export interface EntryPass {
  readonly hashes: Hashes;
  /** Called now and then, for who has other things to do as well. */
  readonly pause?: () => Promise<void>;
  readonly see?: (entry: Uint8Array, index: number) => void;
}

/** How many entries in one go: under a millisecond. */
const slice = 64;

export async function rootsOfEntries(
  files: LogFiles,
  wanted: readonly WantedRoot[],
  { hashes, pause, see }: EntryPass,
): Promise<EntryRoots> {
  const sizes = wanted.map(({ size }) => size);
  const last = Math.max(0, ...sizes);
  const trees = [...new Set(wanted.map(({ hash }) => hash))].map((id) => {
    const hash = hashes(id);
    const ends = new Set(wanted.filter((each) => each.hash === id).map(({ size }) => size));
    return { id, hash, ends, last: Math.max(...ends), tree: runningRoot(hash) };
  });
  const roots = new Map<string, Uint8Array>();
  const note = (): void => {
    for (const { id, tree, ends } of trees) {
      if (ends.has(tree.size())) roots.set(`${id} ${tree.size()}`, tree.root());
    }
  };
  note();
  let count = 0;
  while (count < last) {
    const entries = await bundleOf(files, count / tileWidth, sizes);
    for (const entry of entries.slice(0, last - count)) {
      for (const { hash, tree, last: end } of trees) if (count < end) tree.append(leafHash(hash, entry));
      see?.(entry, count);
      count++;
      note();
      if (count % slice === 0) await pause?.();
    }
    if (entries.length < tileWidth) break;
  }
  return { rootAt: ({ hash, size }) => roots.get(`${hash} ${size}`), count };
}

/** The full bundle, the open one, or in a copy without `open/` the widest partial one that some size asks for. */
async function bundleOf(
  files: LogFiles,
  index: number,
  sizes: readonly number[],
): Promise<readonly Uint8Array[]> {
  const partials = sizes
    .filter((size) => Math.floor(size / tileWidth) === index && size % tileWidth > 0)
    .sort((a, b) => b - a)
    .map((size) => bundlePath(index, size % tileWidth));
  // It may be renamed between two looks.
  for (const path of [bundlePath(index), `open/${index}`, bundlePath(index), ...partials]) {
    const bytes = await files(path);
    if (bytes !== undefined) return splitBundle(bytes).entries.slice(0, tileWidth);
  }
  return [];
}
