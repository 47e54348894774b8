/**
 * A head of the log on disk: first what it vouches for, then the head itself, each file whole or not at all.
 * A crash in between leaves the older head and files that nobody points at yet.
 */
import { signHead } from "../../audit/head.ts";
import type { NoteSigner } from "../../crypto/note-keys.ts";
import { bundlePath, type Tile, tilePath, tileWidth } from "../../merkle/tiles.ts";
import {
  checkpointFile,
  headsFolder,
  prunePartials,
  removeFolder,
  sizeIfThere,
  syncFoldersOf,
  writeAtomically,
} from "./log-folder.ts";

/** The log at one size. */
export interface TreeSnapshot {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** Not yet on disk. */
  readonly fullTiles: readonly Tile[];
  readonly partialTiles: readonly Tile[];
  /** The entries of the unfinished bundle; empty if the size asks for none. */
  readonly partialBundle: Promise<Uint8Array>;
}

export interface HeadSigning {
  readonly signers: readonly NoteSigner[];
  /** Too slow for every head (FIPS 205 signs in a quarter of a second): one of each UTC day that hasn't one yet. */
  readonly dailySigner: NoteSigner | undefined;
  readonly atUnixMs: number;
  /** What has to be on disk before the head is, made of its note: nothing in general. */
  readonly before?: (checkpoint: Uint8Array) => { readonly path: string; readonly bytes: Uint8Array };
}

/** Older partials that readers of the last head may still be fetching. */
const keptPartials = 2;

/** Under load a head has hundreds, and each waits for the disk. */
const tilesAtOnce = 64;

/** Publishes what `snapshot` needs and then its signed head. Entries of full bundles are on disk already. */
export async function publishHead(
  folder: string,
  snapshot: TreeSnapshot,
  signing: HeadSigning,
): Promise<void> {
  const written: string[] = [];
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    await writeAtomically(folder, path, bytes);
    written.push(path);
  };
  const tiles = [...snapshot.fullTiles, ...snapshot.partialTiles];
  await someAtOnce(tiles, (tile) => write(tilePath(tile), tile.bytes));
  const [index, width] = [Math.floor(snapshot.size / tileWidth), snapshot.size % tileWidth];
  const partial = await snapshot.partialBundle;
  if (width > 0) await write(bundlePath(index, width), partial);
  // Or a loss of power could keep the head's rename and lose one of these.
  await syncFoldersOf(folder, written);
  await writeHead(folder, snapshot, signing);
  await prune(folder, snapshot);
}

/** Whether a log that isn't empty has a head of that UTC day with the daily signature. */
export function hasDailyHead(folder: string, atUnixMs: number): boolean {
  return sizeIfThere(folder, dailyHeadFile(atUnixMs)) !== undefined;
}

function dailyHeadFile(atUnixMs: number): string {
  return `${dayFile(atUnixMs)}.first`;
}

function dayFile(atUnixMs: number): string {
  return `${headsFolder}/${new Date(atUnixMs).toISOString().slice(0, 10)}`;
}

async function writeHead(
  folder: string,
  snapshot: TreeSnapshot,
  { signers, dailySigner, atUnixMs, before }: HeadSigning,
): Promise<void> {
  const isFirst = dailySigner !== undefined && snapshot.size > 0 && !hasDailyHead(folder, atUnixMs);
  const bytes = await signHead(
    snapshot,
    isFirst ? [...signers, dailySigner] : signers,
    Math.floor(atUnixMs / 1000),
  );
  const ahead = before?.(bytes);
  if (ahead !== undefined) await writeAtomically(folder, ahead.path, ahead.bytes);
  await writeAtomically(folder, checkpointFile, bytes);
  if (isFirst) await writeAtomically(folder, dailyHeadFile(atUnixMs), bytes);
  await writeAtomically(folder, dayFile(atUnixMs), bytes);
}

async function prune(folder: string, snapshot: TreeSnapshot): Promise<void> {
  await someAtOnce(snapshot.fullTiles, async (tile) => {
    await removeFolder(folder, `${tilePath(tile)}.p`);
    if (tile.level === 0) await removeFolder(folder, `${bundlePath(tile.index)}.p`);
  });
  for (const tile of snapshot.partialTiles) {
    await prunePartials(folder, `${tilePath({ ...tile, width: tileWidth })}.p`, keptPartials);
  }
  const index = Math.floor(snapshot.size / tileWidth);
  if (snapshot.size % tileWidth > 0) await prunePartials(folder, `${bundlePath(index)}.p`, keptPartials);
}

async function someAtOnce(tiles: readonly Tile[], act: (tile: Tile) => Promise<void>): Promise<void> {
  for (let done = 0; done < tiles.length; done += tilesAtOnce) {
    await Promise.all(tiles.slice(done, done + tilesAtOnce).map(act));
  }
}
