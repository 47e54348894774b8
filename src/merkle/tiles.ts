/** Tiles of 256 hashes and where they lie (C2SP tlog-tiles). Pure arithmetic on sizes, indexes and paths. */
import { type Hash, hashBytes, nodeHash, rootOf, splitPoint } from "./hashing.ts";

export const tileWidth = 256;

/** Hashes `index * 256 …` of one level. Level 0 holds leaf hashes, level n+1 the roots of level n's full tiles. */
export interface TileId {
  readonly level: number;
  readonly index: number;
  /** 1…256; 256 is a full tile. */
  readonly width: number;
}

export interface Tile extends TileId {
  readonly bytes: Uint8Array;
}

/** `tile/<L>/<N>[.p/<W>]`. */
export function tilePath(tile: TileId): string {
  return `tile/${tile.level}/${nth(tile.index)}${partial(tile.width)}`;
}

/** What the paths of all bundles of entries begin with. */
export const bundleFolder = "tile/entries/";

/** `tile/entries/<N>[.p/<W>]`. */
export function bundlePath(index: number, width: number = tileWidth): string {
  return `${bundleFolder}${nth(index)}${partial(width)}`;
}

/** How many hashes of that level a tree of that size has. */
export function levelWidth(size: number, level: number): number {
  return Math.floor(size / tileWidth ** level);
}

/** The tiles at the right edge that aren't full, lowest level first. */
export function partialTileIds(size: number): readonly TileId[] {
  const ids: TileId[] = [];
  for (let level = 0; levelWidth(size, level) > 0; level++) {
    const count = levelWidth(size, level);
    if (count % tileWidth > 0) {
      ids.push({ level, index: Math.floor(count / tileWidth), width: count % tileWidth });
    }
  }
  return ids;
}

/** The hashes in a tile's bytes. */
export function tileHashes(bytes: Uint8Array): readonly Uint8Array[] {
  const hashes: Uint8Array[] = [];
  for (let at = 0; at + hashBytes <= bytes.length; at += hashBytes) {
    hashes.push(bytes.subarray(at, at + hashBytes));
  }
  return hashes;
}

/** MTH(D[start:end]) for a range that some proof needs. */
export type Subtree = (start: number, end: number) => Uint8Array;

/**
 * Subtree roots out of tiles.
 * @param readTile the bytes of a tile, as wide as the tree allows; throws if it isn't there
 */
export function subtreeFromTiles(
  hash: Hash,
  readTile: (level: number, index: number) => Uint8Array,
): Subtree {
  const subtree: Subtree = (start, end) => {
    const count = end - start;
    if (!isPowerOfTwo(count) || start % count !== 0) {
      const split = start + splitPoint(count);
      return nodeHash(hash, subtree(start, split), subtree(split, end));
    }
    const level = Math.floor(Math.log2(count) / 8);
    const unit = tileWidth ** level;
    const first = start / unit;
    const from = (first % tileWidth) * hashBytes;
    const row = readTile(level, Math.floor(first / tileWidth));
    return rootOf(hash, tileHashes(row.subarray(from, from + (count / unit) * hashBytes)));
  };
  return subtree;
}

/** Subtree roots out of all leaf hashes. */
export function subtreeFromLeaves(hash: Hash, leaves: readonly Uint8Array[]): Subtree {
  return (start, end) => rootOf(hash, leaves.slice(start, end));
}

function isPowerOfTwo(count: number): boolean {
  return 2 ** Math.round(Math.log2(count)) === count;
}

/** 1234067 → `x001/x234/067`. */
function nth(index: number): string {
  const groups: string[] = [];
  for (let rest = index; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(String(rest % 1000).padStart(3, "0"));
  }
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
}

function partial(width: number): string {
  return width === tileWidth ? "" : `.p/${width}`;
}
