/** C2SP tlog-tiles: "Merkle Tree" (paths, tiles, partial tiles) and "Log entries" (entry bundles), as a folder. */
import { readdirSync } from "node:fs";
import path from "node:path";

import { demand, exists, readBounded, same } from "./bytes.ts";
import { hashBytes } from "./merkle.ts";

export const tileWidth = 256;
const fullTileBytes = tileWidth * hashBytes;
/** 256 entries of 8,192 bytes (docs/formats/entry.md) behind two bytes each. */
export const mostBundleBytes = tileWidth * (2 + 8192);
const mostTileFiles = 1_000_000;

export interface TileFile {
  /** Below `tile/`. */
  readonly name: string;
  readonly level: number | "entries";
  readonly index: number;
  /** 256 if it is full. */
  readonly width: number;
}

/** "zero-padded 3-digit path elements. All but the last path element MUST begin with an `x`" */
export function indexPath(index: number): string {
  const groups = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return groups.join("/");
}

export function tilePath(level: number | "entries", index: number, width: number): string {
  return `tile/${level}/${indexPath(index)}${width === tileWidth ? "" : `.p/${width}`}`;
}

/** Undefined if it isn't the one path of a tile. */
export function parseTileName(name: string): TileFile | undefined {
  const match = /^(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(name);
  if (match === null) return undefined;
  const [, first = "", groups = "", partial] = match;
  const level = first === "entries" ? "entries" : Number(first);
  const index = Number(groups.replaceAll(/[x/]/g, ""));
  const width = partial === undefined ? tileWidth : Number(partial);
  const right =
    (level === "entries" || level <= 63) &&
    Number.isSafeInteger(index) &&
    indexPath(index) === groups &&
    (partial === undefined || width < tileWidth);
  return right ? { name, level, index, width } : undefined;
}

/** Every file below `tile/`, whatever its name. */
export function tileNames(folder: string): readonly string[] {
  const root = path.join(folder, "tile");
  if (!exists(root)) return [];
  const found = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (file) => !file.isDirectory(),
  );
  demand(found.length <= mostTileFiles, `more than ${mostTileFiles} tiles`);
  return found
    .map((file) => path.relative(root, path.join(file.parentPath, file.name)).replaceAll("\\", "/"))
    .sort();
}

/** "partial tile … floor(s / 256**l) mod 256", and how many full ones there are beside it. */
export function shapeOf(size: number, level: number): { readonly full: number; readonly partial: number } {
  const hashes = Math.floor(size / tileWidth ** level);
  return { full: Math.floor(hashes / tileWidth), partial: hashes % tileWidth };
}

/** The hashes of a tile that a tree needs; a partial one may have been taken away once the full one is there. */
export function readTile(folder: string, level: number, index: number, width: number): readonly Uint8Array[] {
  const asked = path.join(folder, tilePath(level, index, width));
  const full = path.join(folder, tilePath(level, index, tileWidth));
  const useFull = width < tileWidth && !exists(asked) && exists(full);
  const bytes = readBounded(useFull ? full : asked, fullTileBytes);
  demand(bytes.length === (useFull ? fullTileBytes : width * hashBytes), `has ${bytes.length} bytes`);
  return Array.from({ length: width }, (_, at) => bytes.subarray(at * hashBytes, (at + 1) * hashBytes));
}

export function readBundle(folder: string, index: number, width: number): readonly Uint8Array[] {
  const asked = path.join(folder, tilePath("entries", index, width));
  const full = path.join(folder, tilePath("entries", index, tileWidth));
  const useFull = width < tileWidth && !exists(asked) && exists(full);
  const { entries, rest } = splitBundle(readBounded(useFull ? full : asked, mostBundleBytes));
  demand(rest === 0, `ends in ${rest} bytes that are no entry`);
  demand(entries.length === (useFull ? tileWidth : width), `has ${entries.length} entries`);
  return entries.slice(0, width);
}

/** "sequences of big-endian uint16 length-prefixed log entries"; no entry of ours is empty. */
export function splitBundle(bytes: Uint8Array): {
  readonly entries: readonly Uint8Array[];
  readonly rest: number;
} {
  const entries: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + 2 <= bytes.length) {
    const length = view.getUint16(at);
    if (length === 0 || at + 2 + length > bytes.length) break;
    entries.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return { entries, rest: bytes.length - at };
}

export function bundleOf(entries: readonly Uint8Array[]): Uint8Array {
  const parts = entries.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]);
  return new Uint8Array(Buffer.concat(parts));
}

/** Compares a stored file with what the entries make of it. */
export function demandSameTile(folder: string, tile: TileFile, expected: Uint8Array): void {
  const most = tile.level === "entries" ? mostBundleBytes : fullTileBytes;
  demand(same(readBounded(path.join(folder, "tile", tile.name), most), expected), "differs from the entries");
}
