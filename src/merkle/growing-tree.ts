/**
 * A Merkle tree that only grows: it keeps the roots of its full subtrees (a binary counter, RFC 6962 §2.1)
 * and the unfinished tile of each level, so a leaf costs one node hash on average and a few kilobytes stay
 * in memory however long the log is.
 */
import { emptyRoot, type Hash, hashBytes, nodeHash, rootOf } from "./hashing.ts";
import { levelWidth, type Tile, tileHashes, tileWidth } from "./tiles.ts";

export interface GrowingTree {
  readonly size: () => number;
  readonly append: (leaf: Uint8Array) => void;
  readonly root: () => Uint8Array;
  /** The inclusion proof of the leaf that is appended next, in the tree that it will be the last leaf of. */
  readonly pathOfNext: () => readonly Uint8Array[];
  /** The tiles that became full since the last time this was asked, lowest level first within a moment. */
  readonly takeFullTiles: () => readonly Tile[];
  /** Copies of the unfinished tiles: what `partialTileIds(size())` names. */
  readonly partialTiles: () => readonly Tile[];
}

interface Row {
  index: number;
  width: number;
  bytes: Uint8Array;
}

/** Levels of tiles: 256^6 entries is 2.8 · 10^14. */
const maxLevels = 7;
const tileHeight = 8;

/**
 * A tree of `size` leaves that goes on from its unfinished tiles.
 * @param rows the unfinished tile of each level that has one, in bytes; the caller answers for them
 */
export function growTree(
  hash: Hash,
  size: number = 0,
  rows: (level: number) => Uint8Array | undefined = () => undefined,
): GrowingTree {
  const levels = Array.from({ length: maxLevels }, (_, level) => unfinishedRow(size, level, rows(level)));
  const peaks = levels.toReversed().flatMap((row) => peaksOf(hash, row));
  let count = size;
  let full: Tile[] = [];

  const put = (level: number, node: Uint8Array): void => {
    const row = levels[level];
    if (row === undefined) throw new Error("the log is full");
    row.bytes.set(node, row.width * hashBytes);
    row.width++;
    if (row.width < tileWidth) return;
    full.push({ level, index: row.index, width: tileWidth, bytes: row.bytes });
    levels[level] = { index: row.index + 1, width: 0, bytes: newTile() };
  };

  return {
    size: () => count,
    append: (leaf) => {
      let node = leaf;
      put(0, node);
      // INVARIANT: one peak for every 1 in the binary form of `count`, highest first.
      let height = 0;
      for (let carry = count; carry % 2 === 1; carry = (carry - 1) / 2) {
        node = nodeHash(hash, peaks.pop() ?? node, node);
        height++;
        if (height % tileHeight === 0) put(height / tileHeight, node);
      }
      peaks.push(node);
      count++;
    },
    root: () => {
      const last = peaks.at(-1);
      if (last === undefined) return emptyRoot(hash);
      return peaks.slice(0, -1).reduceRight((right, left) => nodeHash(hash, left, right), last);
    },
    // Its siblings are the full subtrees there are, the smallest first (RFC 6962 §2.1.1).
    pathOfNext: () => peaks.toReversed(),
    takeFullTiles: () => {
      const taken = full;
      full = [];
      return taken;
    },
    partialTiles: () =>
      levels.flatMap((row, level) =>
        row.width === 0
          ? []
          : [{ level, index: row.index, width: row.width, bytes: row.bytes.slice(0, row.width * hashBytes) }],
      ),
  };
}

function newTile(): Uint8Array {
  return new Uint8Array(tileWidth * hashBytes);
}

function unfinishedRow(size: number, level: number, known: Uint8Array | undefined): Row {
  const count = levelWidth(size, level);
  const width = count % tileWidth;
  const bytes = newTile();
  if (width > 0) {
    if (known?.length !== width * hashBytes) {
      throw new Error(`level ${level} of a tree of ${size} needs a tile of ${width} hashes`);
    }
    bytes.set(known);
  }
  return { index: Math.floor(count / tileWidth), width, bytes };
}

/** The roots of the full subtrees that a row's hashes make up, highest first. */
function peaksOf(hash: Hash, row: Row): readonly Uint8Array[] {
  const nodes = tileHashes(row.bytes.slice(0, row.width * hashBytes));
  const peaks: Uint8Array[] = [];
  let at = 0;
  for (let run = tileWidth / 2; run >= 1; run /= 2) {
    if (row.width % (run * 2) < run) continue;
    peaks.push(rootOf(hash, nodes.slice(at, at + run)));
    at += run;
  }
  return peaks;
}
