/**
 * The Merkle roots of a log's first entries by any hash, from the entries themselves and from what stands for those
 * that retention removed: one pass, one bundle in memory.
 */
import type { Hashes } from "../crypto/hash.ts";
import { type HashId, hashSuite, logHash } from "../crypto/suites/symmetric.ts";
import { type Hash, leafHash, rootOf } from "../merkle/hashing.ts";
import { runningRoot } from "../merkle/running-root.ts";
import { bundlePath, tileWidth } from "../merkle/tiles.ts";
import { splitBundle } from "./bundle.ts";
import { readCheckpointBody, readNote } from "./checkpoint.ts";
import type { LogFiles } from "./log-walk.ts";
import { findPruned } from "./prune.ts";
import {
  leavesOfRemoved,
  type RemovedRoots,
  removedRoots,
  rootOfLeafHashes,
  sameRoot,
} from "./removed-entries.ts";

/** The first `size` entries, by that hash. */
export interface WantedRoot {
  readonly hash: HashId;
  readonly size: number;
  /** The renewal whose tree it is: it knows of entries that were removed. */
  readonly number?: number | undefined;
  /** Entries before may stand in it by their SHA-256 leaf hashes. */
  readonly from?: number | undefined;
}

export interface EntryRoots {
  /** Undefined if it wasn't asked for, the log has fewer entries, or nothing stands for removed ones. */
  readonly rootAt: (wanted: WantedRoot) => Uint8Array | undefined;
  /** The first removed entry for which nothing stands in that tree; undefined if there is none. */
  readonly lackingAt: (wanted: WantedRoot) => number | undefined;
  /** How many entries there were, at most as many as were asked for; with those that were removed. */
  readonly count: number;
  /** Of those, how many were removed. */
  readonly removed: number;
}

export interface EntryPass {
  readonly hashes: Hashes;
  /** Called now and then, for who has other things to do as well. */
  readonly pause?: () => Promise<void>;
  readonly see?: (entry: Uint8Array, index: number) => void;
  /** The root of each whole bundle, and of what the tree has of the last one, for who asks for one tree. */
  readonly seeBundle?: (root: Uint8Array) => void;
}

/** How many entries in one go: under a millisecond. */
const slice = 64;

export async function rootsOfEntries(
  files: LogFiles,
  wanted: readonly WantedRoot[],
  pass: EntryPass,
): Promise<EntryRoots> {
  const trees = new Map(wanted.map((each) => [nameOf(each), wantedTree(each, pass)]));
  const sizes = wanted.map(({ size }) => size);
  const last = Math.max(0, ...sizes);
  const log = { files, roots: removedRoots(files), last, sizes };
  let prunedBefore: Promise<number> | undefined;
  let [count, removed] = [0, 0];
  for (let bundle = 0; count < last; bundle++) {
    const growing = [...trees.values()].filter((tree) => tree.size > bundle * tileWidth);
    const entries = (await bundleOf(log, bundle)).slice(0, last - count);
    if (entries.length === 0) {
      prunedBefore ??= findPrunedIn(files);
      if ((bundle + 1) * tileWidth > (await prunedBefore)) break;
      await growWithoutEntries(log, growing, bundle);
      removed += Math.min(tileWidth, last - count);
      count += Math.min(tileWidth, last - count);
      continue;
    }
    await growByEntries(log, growing, { bundle, entries, pass });
    count += entries.length;
    if (entries.length < tileWidth) break;
  }
  return {
    rootAt: (each) => trees.get(nameOf(each))?.root(),
    lackingAt: (each) => trees.get(nameOf(each))?.lacking(),
    count,
    removed,
  };
}

/** As the head says, which whoever asks for roots verifies. */
async function findPrunedIn(files: LogFiles): Promise<number> {
  return await findPruned(files, await claimedSize(files));
}

/** What the head claims, unverified; 0 without one. */
export async function claimedSize(files: LogFiles): Promise<number> {
  const note = readNote((await files("checkpoint")) ?? new Uint8Array());
  return (note === undefined ? undefined : readCheckpointBody(note.text))?.size ?? 0;
}

function nameOf({ hash, size, number = 0 }: WantedRoot): string {
  return `${hash} ${size} ${number}`;
}

/** Grows by roots of whole bundles; the last one is of as many leaves as the tree has of it. */
interface WantedTree extends WantedRoot {
  readonly digest: Hash;
  readonly append: (root: Uint8Array, bundle: number) => void;
  readonly lack: (bundle: number) => void;
  readonly root: () => Uint8Array | undefined;
  readonly lacking: () => number | undefined;
}

function wantedTree(wanted: WantedRoot, { hashes, seeBundle }: EntryPass): WantedTree {
  const digest = hashes(wanted.hash);
  const tree = runningRoot(digest);
  let lacking: number | undefined;
  const isWhole = (): boolean => tree.size() * tileWidth >= wanted.size;
  return {
    ...wanted,
    digest,
    append: (root, bundle) => {
      if (tree.size() === bundle) tree.append(root);
      seeBundle?.(root);
    },
    lack: (bundle) => {
      lacking ??= bundle * tileWidth;
    },
    root: () => (isWhole() ? tree.root() : undefined),
    lacking: () => lacking,
  };
}

interface RootedLog {
  readonly files: LogFiles;
  readonly roots: RemovedRoots;
  readonly last: number;
  readonly sizes: readonly number[];
}

interface ReadBundle {
  readonly bundle: number;
  readonly entries: readonly Uint8Array[];
  readonly pass: EntryPass;
}

/** Each entry is hashed once by each hash, however many trees it stands in. */
async function growByEntries(log: RootedLog, trees: readonly WantedTree[], read: ReadBundle): Promise<void> {
  const { bundle, entries, pass } = read;
  const first = bundle * tileWidth;
  const byHash = new Map(
    trees.map(({ hash, digest }) => [hash, { digest, leaves: new Array<Uint8Array>() }]),
  );
  for (const [i, entry] of entries.entries()) {
    for (const { digest, leaves } of byHash.values()) leaves.push(leafHash(digest, entry));
    pass.see?.(entry, first + i);
    if ((first + i + 1) % slice === 0) await pass.pause?.();
  }
  const whole = new Map([...byHash].map(([id, { digest, leaves }]) => [id, rootOf(digest, leaves)]));
  for (const tree of trees) {
    const { hash, digest, size } = tree;
    const width = Math.min(tileWidth, size - first);
    if (width > entries.length) continue;
    const own = width === entries.length ? whole.get(hash) : undefined;
    const leaves = byHash.get(hash)?.leaves.slice(0, width) ?? [];
    tree.append((await rootByLeafHashes(log, tree, read)) ?? own ?? rootOf(digest, leaves), bundle);
  }
}

/** Of entries that a copy has kept, and that the log had lost when it was renewed; undefined of others. */
async function rootByLeafHashes(
  { roots }: RootedLog,
  { hash, digest, number, from = 0 }: WantedTree,
  { bundle, entries, pass }: ReadBundle,
): Promise<Uint8Array | undefined> {
  if (number === undefined || bundle * tileWidth >= from) return undefined;
  const ofLog = pass.hashes(logHash);
  const root = rootOfLeafHashes(
    digest,
    entries.map((entry) => leafHash(ofLog, entry)),
  );
  return sameRoot(await roots.at(number, bundle, hashSuite(hash).digestBytes), root) ? root : undefined;
}

async function growWithoutEntries(
  { files, roots }: RootedLog,
  trees: readonly WantedTree[],
  bundle: number,
): Promise<void> {
  for (const tree of trees.filter(({ lacking }) => lacking() === undefined)) {
    const root = await rootWithoutEntries(tree);
    if (root === undefined) tree.lack(bundle);
    else tree.append(root, bundle);
  }

  async function rootWithoutEntries({
    hash,
    digest,
    size,
    number,
  }: WantedTree): Promise<Uint8Array | undefined> {
    if (number !== undefined) return await roots.at(number, bundle, hashSuite(hash).digestBytes);
    // Tiles have the leaves of the log's own tree alone.
    const leaves = hash === logHash ? await leavesOfRemoved(files, bundle) : undefined;
    return leaves && rootOf(digest, leaves.slice(0, size - bundle * tileWidth));
  }
}

/** The full bundle, the open one, or in a copy without `open/` the widest partial one that some size asks for. */
async function bundleOf({ files, sizes }: RootedLog, index: number): Promise<readonly Uint8Array[]> {
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
