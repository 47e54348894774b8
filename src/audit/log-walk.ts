/**
 * One walk over a whole log that compares everything with everything: entries with their level-0 tiles, tiles with
 * those above, the chain within. It holds one bundle at a time and judges nothing: which side of a difference was
 * tampered with is told by the signed root (verify.ts).
 */
import { toHex } from "../kernel/bytes.ts";
import { growTree, type GrowingTree } from "../merkle/growing-tree.ts";
import { type Hash, hashBytes, leafHash } from "../merkle/hashing.ts";
import { bundlePath, type Tile, tileHashes, tilePath, tileWidth } from "../merkle/tiles.ts";
import { framedBytes, splitBundle } from "./bundle.ts";
import { type ChainFault, chainWalk, type IndexedEntry } from "./chain.ts";
import { type Difference, differences } from "./differences.ts";
import { findPruned } from "./prune.ts";
import {
  checkBundleEnd,
  type FileFaults,
  fullOrOpen,
  holdEdge,
  keep,
  type LogStore,
  sameBytes,
  storedBundle,
  storedTile,
} from "./stored-files.ts";

/** The bytes of a file below the log's folder, or undefined if there is none. */
export type LogFiles = (path: string) => Promise<Uint8Array | undefined>;

/** A difference at an index of the log. */
export interface EntryDifference extends Omit<Difference, "at"> {
  readonly index: number;
  readonly path: string;
}

/** A Merkle tree that was built along, and which stored files disagree with it: tiles above level 0, older partials. */
export interface BuiltTree {
  readonly tree: GrowingTree;
  /** What it was when all that the head covers was in it. */
  covered: { readonly size: number; readonly root: Uint8Array };
  readonly disagreeing: string[];
  /** At the sizes that were asked for; also those behind the head, if the entries are there. */
  readonly roots: Map<number, Uint8Array>;
}

export interface Evidence extends FileFaults {
  /** Out of the entries, and out of the stored level-0 tiles. */
  readonly fromEntries: BuiltTree;
  readonly fromTiles: BuiltTree;
  readonly differences: EntryDifference[];
  readonly chain: ChainFault[];
  /** The last covered entry that is there, whatever is left of it. */
  lastPresent: number;
  /** Entries that aren't there and that retention may have removed: known by their tiles only. */
  pruned: number;
  /** The first entry that is kept by the newest `log.prune` under the head. */
  prunedBefore: number;
  /** Entries behind the head. */
  uncovered: number;
  /** Bytes at the end of the log that are no whole entry: a write that never came to its end. */
  tornTailBytes: number;
  lastAtUnixMs: number | undefined;
  /** Also those behind the head. */
  rotations: readonly IndexedEntry[];
  /** Also those behind the head: entries that say of a renewal that it was made. */
  renewals: readonly IndexedEntry[];
}

/**
 * @param size of the head
 * @param sizes whose roots are wanted as well
 * @param hash of tree and chain: SHA-256, or what somebody puts in its place
 */
export async function walkLog(
  files: LogFiles,
  size: number,
  sizes: ReadonlySet<number>,
  hash: Hash,
): Promise<Evidence> {
  const evidence: Evidence = {
    fromEntries: newTree(hash),
    fromTiles: newTree(hash),
    differences: [],
    chain: [],
    missing: [],
    torn: [],
    surplus: [],
    lastPresent: -1,
    pruned: 0,
    prunedBefore: 0,
    uncovered: 0,
    tornTailBytes: 0,
    lastAtUnixMs: undefined,
    rotations: [],
    renewals: [],
  };
  const chain = chainWalk(hash);
  const held = await holdEdge(files, size);
  const log = { files: held, size, sizes, hash, evidence, prunedBefore: once(() => findPruned(held, size)) };
  let behind: readonly Uint8Array[] = [];
  let edge: readonly Uint8Array[] = [];
  for (let index = 0; index * tileWidth < size; index++) {
    const bundle = await compareBundle(log, index);
    [edge, behind] = [bundle.covered, bundle.behind];
    if (bundle.isPruned) chain.skip();
    keep(evidence.chain, chain.follow(bundle.covered, index * tileWidth));
    for (const built of [evidence.fromEntries, evidence.fromTiles]) {
      await compareTiles(log, built, built.tree.takeFullTiles());
    }
  }
  for (const built of [evidence.fromEntries, evidence.fromTiles]) {
    if (built.tree.size() === size) {
      await compareTiles(log, built, built.tree.partialTiles());
      await compareOlderTiles(log, built);
    }
    built.covered = { size: built.tree.size(), root: built.tree.root() };
  }
  if (size % tileWidth > 0) await compareOlderBundles(log, edge);
  evidence.prunedBefore = chain.prunedBefore();
  await walkTail(log, behind, (entries, first) => {
    evidence.uncovered += entries.length;
    keep(evidence.chain, chain.follow(entries, first));
    if (sizes.size === 0 || Math.max(...sizes) <= first) return;
    const leaves = entries.map((entry) => leafHash(hash, entry));
    for (const built of [evidence.fromEntries, evidence.fromTiles]) {
      if (built.tree.size() === first) grow(built, leaves, sizes);
    }
  });
  evidence.lastAtUnixMs = chain.lastAtUnixMs();
  evidence.rotations = chain.rotations();
  evidence.renewals = chain.renewals();
  return evidence;
}

function newTree(hash: Hash): BuiltTree {
  const tree = growTree(hash);
  const empty = { size: 0, root: tree.root() };
  return { tree, covered: empty, disagreeing: [], roots: new Map([[0, empty.root]]) };
}

interface Log extends LogStore {
  readonly size: number;
  readonly sizes: ReadonlySet<number>;
  readonly hash: Hash;
  readonly evidence: Evidence;
}

function once<Value>(find: () => Promise<Value>): () => Promise<Value> {
  let found: Promise<Value> | undefined;
  return () => (found ??= find());
}

interface Compared {
  /** Entries that the head covers, and those that stand behind them in the same bundle. */
  readonly covered: readonly Uint8Array[];
  readonly behind: readonly Uint8Array[];
  readonly isPruned: boolean;
}

async function compareBundle(log: Log, index: number): Promise<Compared> {
  const { evidence, sizes } = log;
  const first = index * tileWidth;
  const width = Math.min(tileWidth, log.size - first);
  const tile = await storedTile(log, { level: 0, index, width });
  const { bundle, path, isPruned } = await storedBundle(log, index, width);
  if (isPruned) return passPruned(log, first, tile === undefined ? [] : tileHashes(tile));
  if (width < tileWidth) evidence.tornTailBytes = bundle.tornBytes;
  // A bundle that the head covers to its end has nothing behind: what is too much there was put in.
  const covered = width < tileWidth ? bundle.entries.slice(0, width) : bundle.entries;
  const behind = bundle.entries.slice(covered.length);
  const hashes = covered.map((entry) => leafHash(log.hash, entry));
  const signed = tile === undefined ? hashes : tileHashes(tile);
  const found = compareHashes(log, { signed, hashes, behind, first, path });
  if (found >= 0) evidence.lastPresent = first + found;
  grow(evidence.fromEntries, hashes, sizes);
  grow(evidence.fromTiles, signed, sizes);
  return { covered, behind, isPruned };
}

/** Of entries that retention removed there are the hashes. */
function passPruned({ evidence, sizes }: Log, first: number, signed: readonly Uint8Array[]): Compared {
  evidence.pruned += tileWidth;
  evidence.lastPresent = first + tileWidth - 1;
  grow(evidence.fromEntries, signed, sizes);
  grow(evidence.fromTiles, signed, sizes);
  return { covered: [], behind: [], isPruned: true };
}

/** The last place of the run at which there still is an entry; -1 if it is empty. */
function compareHashes(
  log: Log,
  run: {
    readonly signed: readonly Uint8Array[];
    readonly hashes: readonly Uint8Array[];
    readonly behind: readonly Uint8Array[];
    readonly first: number;
    readonly path: string;
  },
): number {
  const { signed, hashes, behind, first, path } = run;
  const isSame =
    signed.length === hashes.length &&
    signed.every((hash, i) => sameBytes(hash, hashes[i] ?? new Uint8Array()));
  if (isSame) return signed.length - 1;
  // A file that isn't there is told as such, not as 256 entries that aren't.
  if (hashes.length === 0) return -1;
  // Something put in pushes covered entries behind the head, so those are looked at as well.
  const all = [...hashes, ...behind.map((entry) => leafHash(log.hash, entry))];
  const found = differences(signed.map(toHex), all.map(toHex)).filter(
    ({ what, at }) => behind.length === 0 || what !== "added" || at < signed.length,
  );
  keep(
    log.evidence.differences,
    found.map(({ at, ...rest }) => ({ ...rest, index: first + at, path })),
  );
  const removed = new Set(found.filter(({ what }) => what === "removed").map(({ at }) => at));
  let last = signed.length - 1;
  while (removed.has(last)) last--;
  return last;
}

function grow(built: BuiltTree, hashes: readonly Uint8Array[], sizes: ReadonlySet<number>): void {
  for (const hash of hashes) {
    built.tree.append(hash);
    if (sizes.has(built.tree.size())) built.roots.set(built.tree.size(), built.tree.root());
  }
}

/** Level 0 is compared with the entries themselves. */
async function compareTiles(log: Log, built: BuiltTree, tiles: readonly Tile[]): Promise<void> {
  for (const tile of tiles.filter(({ level }) => level > 0)) {
    const stored = await storedTile(log, tile);
    if (stored !== undefined && !sameBytes(stored, tile.bytes)) keep(built.disagreeing, [tilePath(tile)]);
  }
}

/**
 * Partial tiles of heads before this one, of which the newest stay until the tile is full, are this head's beginning.
 * They can't be listed, so each width is asked for.
 */
async function compareOlderTiles({ files }: Log, { tree, disagreeing }: BuiltTree): Promise<void> {
  for (const { bytes, ...id } of tree.partialTiles()) {
    for (let width = 1; width < id.width; width++) {
      const path = tilePath({ ...id, width });
      const older = await files(path);
      if (older !== undefined && !sameBytes(older, bytes.subarray(0, width * hashBytes)))
        keep(disagreeing, [path]);
    }
  }
}

/** @param edge the entries of the bundle in which the head ends, to its end */
async function compareOlderBundles(
  { files, size, evidence }: Log,
  edge: readonly Uint8Array[],
): Promise<void> {
  for (let width = 1; width < size % tileWidth; width++) {
    const path = bundlePath(Math.floor(size / tileWidth), width);
    const older = await files(path);
    if (older !== undefined && !sameBytes(older, framedBytes(edge.slice(0, width))))
      keep(evidence.fromEntries.disagreeing, [path]);
  }
}

/** What was written after the head: chained, but not signed yet. */
async function walkTail(
  log: Log,
  behind: readonly Uint8Array[],
  follow: (entries: readonly Uint8Array[], first: number) => void,
): Promise<void> {
  const { evidence, files, size } = log;
  follow(behind, size);
  // The bundle in which the head ends isn't read again: a running log may have filled it meanwhile, and then
  // the next one would seem to follow on what was read before.
  const read = (size % tileWidth) + behind.length;
  if (read > 0 && read < tileWidth) return;
  for (let index = Math.ceil(size / tileWidth); ; index++) {
    const stored = await fullOrOpen(files, index);
    if (stored === undefined) return;
    const place = { path: stored.path, index, width: tileWidth };
    const { entries, tornBytes } = checkBundleEnd(log, splitBundle(stored.bytes), place);
    evidence.tornTailBytes = tornBytes;
    follow(entries, index * tileWidth);
    if (entries.length < tileWidth) return;
  }
}
