/**
 * One walk over a whole log that compares everything with everything: entries with their level-0 tiles, tiles with
 * those above, the chain within. It holds one bundle at a time and judges nothing: which side of a difference was
 * tampered with is told by the signed root (verify.ts).
 */
import { toHex } from "../kernel/bytes.ts";
import { growTree, type GrowingTree } from "../merkle/growing-tree.ts";
import { type Hash, hashBytes, leafHash } from "../merkle/hashing.ts";
import {
  bundlePath,
  partialTileIds,
  type Tile,
  tileHashes,
  type TileId,
  tilePath,
  tileWidth,
} from "../merkle/tiles.ts";
import { type Bundle, framedBytes, splitBundle } from "./bundle.ts";
import { type ChainFault, chainWalk, type IndexedEntry } from "./chain.ts";
import { type Difference, differences } from "./differences.ts";
import { findPruned } from "./prune.ts";

/** The bytes of a file below the log's folder, or undefined if there is none. */
export type LogFiles = (path: string) => Promise<Uint8Array | undefined>;

/** A difference at an index of the log. */
export interface EntryDifference extends Omit<Difference, "at"> {
  readonly index: number;
  readonly path: string;
}

/** A Merkle tree that was built along, and which stored tiles above level 0 disagree with it. */
export interface BuiltTree {
  readonly tree: GrowingTree;
  /** What it was when all that the head covers was in it. */
  covered: { readonly size: number; readonly root: Uint8Array };
  readonly disagreeing: string[];
  /** At the sizes that were asked for; also those behind the head, if the entries are there. */
  readonly roots: Map<number, Uint8Array>;
}

interface SurplusFile {
  readonly path: string;
  readonly index: number;
  /** What it should end with: `256 hashes`. */
  readonly than: string;
}

interface MissingFile {
  readonly path: string;
  readonly index: number;
  readonly text: string;
  /**
   * `redundant`: a partial file that isn't there holds nothing of its own, so it isn't missed if the entries give
   * the signed root without it; `entries`: a full bundle; `file`: any other.
   */
  readonly kind: "redundant" | "entries" | "file";
}

export interface Evidence {
  /** Out of the entries, and out of the stored level-0 tiles. */
  readonly fromEntries: BuiltTree;
  readonly fromTiles: BuiltTree;
  readonly differences: EntryDifference[];
  readonly chain: ChainFault[];
  /** Files that aren't there or have the wrong length. */
  readonly missing: MissingFile[];
  /** Files that end within an entry. */
  readonly torn: { readonly path: string; readonly index: number }[];
  /** Files that go on behind what they are the place of. */
  readonly surplus: SurplusFile[];
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

/** More of one kind tells a reader nothing new. */
const maxKept = 256;

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
  for (let index = 0; index * tileWidth < size; index++) {
    const bundle = await compareBundle(log, index);
    behind = bundle.behind;
    if (bundle.isPruned) chain.skip();
    keep(evidence.chain, chain.follow(bundle.covered, index * tileWidth));
    for (const built of [evidence.fromEntries, evidence.fromTiles]) {
      await compareTiles(log, built, built.tree.takeFullTiles());
    }
  }
  for (const built of [evidence.fromEntries, evidence.fromTiles]) {
    if (built.tree.size() === size) await compareTiles(log, built, built.tree.partialTiles());
    built.covered = { size: built.tree.size(), root: built.tree.root() };
  }
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

interface Log {
  readonly files: LogFiles;
  readonly size: number;
  readonly sizes: ReadonlySet<number>;
  readonly hash: Hash;
  readonly evidence: Evidence;
  /** As the log's end says; confirmed when the walk has come there. */
  readonly prunedBefore: () => Promise<number>;
}

function once<Value>(find: () => Promise<Value>): () => Promise<Value> {
  let found: Promise<Value> | undefined;
  return () => (found ??= find());
}

function keep<Row>(rows: Row[], more: readonly Row[]): void {
  rows.push(...more.slice(0, maxKept - rows.length));
}

/** A running log drops partials as it grows, so those of this head are fetched before anything else. */
async function holdEdge(files: LogFiles, size: number): Promise<LogFiles> {
  const paths = partialTileIds(size).map(tilePath);
  if (size % tileWidth > 0) paths.push(bundlePath(Math.floor(size / tileWidth), size % tileWidth));
  const held = new Map<string, Uint8Array | undefined>();
  for (const path of paths) held.set(path, await files(path));
  return (path) => (held.has(path) ? Promise.resolve(held.get(path)) : files(path));
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

/** A tile as it lies there: the partial one, or as much of the full one that replaced it, or of a wider one. */
async function storedTile(log: Log, id: TileId): Promise<Uint8Array | undefined> {
  const length = id.width * hashBytes;
  const isPartial = id.width < tileWidth;
  const exact = await log.files(tilePath(id));
  const stored =
    exact === undefined && isPartial
      ? await wider(log, id.width, (width) => tilePath({ ...id, width }))
      : exact && { bytes: exact, width: id.width };
  const bytes = stored?.bytes;
  if (stored !== undefined && stored.bytes.length > stored.width * hashBytes) {
    const path = tilePath({ ...id, width: stored.width });
    tellSurplus(log, { path, index: id.index, than: `${stored.width} hashes` });
  }
  if (bytes !== undefined && bytes.length >= length) return bytes.subarray(0, length);
  const text = `${tilePath(id)} is ${bytes === undefined ? "missing" : "cut"}`;
  const isKnown = log.evidence.missing.some(({ path }) => path === tilePath(id));
  const kind = isPartial && bytes === undefined ? "redundant" : "file";
  if (!isKnown) keep(log.evidence.missing, [{ path: tilePath(id), index: id.index, text, kind }]);
  return undefined;
}

/** A copy made while the log grew may have newer partial files than its head asks for. */
async function wider(
  log: Log,
  width: number,
  path: (width: number) => string,
): Promise<{ readonly bytes: Uint8Array; readonly width: number } | undefined> {
  const full = await log.files(path(tileWidth));
  if (full !== undefined) return { bytes: full, width: tileWidth };
  for (let more = width + 1; more < tileWidth; more++) {
    const bytes = await log.files(path(more));
    if (bytes !== undefined) return { bytes, width: more };
  }
  return undefined;
}

/** Once a file: a tile is read for both trees. */
function tellSurplus({ evidence: { surplus } }: Pick<Log, "evidence">, file: SurplusFile): void {
  if (!surplus.some(({ path }) => path === file.path)) keep(surplus, [file]);
}

/**
 * Bytes behind a bundle's last entry, and entries behind those that it may have.
 * @param width of the file itself, not of what the head covers of it
 * @returns it without them
 */
function checkBundleEnd(
  log: Pick<Log, "evidence">,
  bundle: Bundle,
  { path, index, width }: { readonly path: string; readonly index: number; readonly width: number },
): Bundle {
  const { entries, tornBytes } = bundle;
  // The end of what is still being written may be torn: it was never acknowledged.
  const isTorn = tornBytes > 0 && entries.length === width && !path.startsWith("open/");
  if (!isTorn && entries.length <= width) return bundle;
  tellSurplus(log, { path, index: index * tileWidth, than: `${width} entries` });
  return { ...bundle, entries: entries.slice(0, width) };
}

/** The full bundle, else the open one, else the partial one; and the partial one must be the others' beginning. */
async function storedBundle(
  log: Log,
  index: number,
  width: number,
): Promise<{ readonly bundle: Bundle; readonly path: string; readonly isPruned: boolean }> {
  const { missing } = log.evidence;
  const paths = [
    bundlePath(index),
    `open/${index}`,
    ...(width < tileWidth ? [bundlePath(index, width)] : []),
  ];
  const partialPath = paths[2];
  for (const path of paths) {
    const bytes = await log.files(path);
    if (bytes === undefined) continue;
    const isPartial = path === partialPath;
    const bundle = cutToPlace(log, splitBundle(bytes), { path, index, width, isPartial });
    if (partialPath !== undefined && !isPartial)
      await comparePartial(log, { path: partialPath, index, width }, { path, bytes });
    return { bundle, path, isPruned: false };
  }
  const nothing = { bundle: { entries: [], tornBytes: 0 }, path: bundlePath(index, width) };
  const isPruned = width === tileWidth && (index + 1) * tileWidth <= (await log.prunedBefore());
  if (isPruned) return { ...nothing, isPruned };
  const rest = width < tileWidth ? await wider(log, width, (more) => bundlePath(index, more)) : undefined;
  if (rest !== undefined) {
    const path = bundlePath(index, rest.width);
    const bundle = checkBundleEnd(log, splitBundle(rest.bytes), { path, index, width: rest.width });
    return { bundle, path, isPruned };
  }
  const text = `${bundlePath(index, width)} is missing`;
  const kind = width < tileWidth ? "file" : "entries";
  keep(missing, [{ path: bundlePath(index, width), index: index * tileWidth, text, kind }]);
  return { ...nothing, isPruned };
}

function cutToPlace(
  log: Pick<Log, "evidence">,
  bundle: Bundle,
  place: {
    readonly path: string;
    readonly index: number;
    readonly width: number;
    readonly isPartial: boolean;
  },
): Bundle {
  const { path, index, width, isPartial } = place;
  const count = bundle.entries.length;
  if (bundle.tornBytes > 0 && count < width) keep(log.evidence.torn, [{ path, index: index * tileWidth }]);
  // What is too much in a bundle that the head covers to its end is told as put in.
  if (width === tileWidth && count > width) return bundle;
  return checkBundleEnd(log, bundle, { path, index, width: isPartial ? width : tileWidth });
}

async function comparePartial(
  log: Log,
  { path, index, width }: { readonly path: string; readonly index: number; readonly width: number },
  whole: { readonly path: string; readonly bytes: Uint8Array },
): Promise<void> {
  const partial = await log.files(path);
  // A full bundle took its place.
  if (partial === undefined && whole.path === bundlePath(index)) return;
  if (partial !== undefined) checkBundleEnd(log, splitBundle(partial), { path, index, width });
  // If entries are missing from both alike, that is told where they are missing.
  if (partial !== undefined && sameBytes(wholeEntries(partial, width), wholeEntries(whole.bytes, width)))
    return;
  const text = partial === undefined ? `${path} is missing` : `${path} isn't the beginning of ${whole.path}`;
  keep(log.evidence.missing, [
    { path, index: index * tileWidth, text, kind: partial === undefined ? "redundant" : "file" },
  ]);
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

async function fullOrOpen(
  files: LogFiles,
  index: number,
): Promise<{ readonly path: string; readonly bytes: Uint8Array } | undefined> {
  // It may be renamed between two looks.
  for (const path of [bundlePath(index), `open/${index}`, bundlePath(index)]) {
    const bytes = await files(path);
    if (bytes !== undefined) return { path, bytes };
  }
  return undefined;
}

function wholeEntries(bundle: Uint8Array, width: number): Uint8Array {
  return framedBytes(splitBundle(bundle).entries.slice(0, width));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
