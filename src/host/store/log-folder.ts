/** A log's folder: where things lie in it, and how they are read and written (docs/formats/log.md). */
import { mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export const checkpointFile = "checkpoint";
export const lockFile = "lock";
/** The bundle that is being filled: `open/<N>`, N in plain decimal. */
export const openFolder = "open";
/** The newest head of each UTC day, and the day's first with its SLH-DSA signature. */
export const headsFolder = "checkpoints";

export const fileMode = 0o600;
export const folderMode = 0o700;

export function openBundlePath(index: number): string {
  return `${openFolder}/${index}`;
}

/** The bytes of a file, or undefined if there is none. */
export function readIfThere(folder: string, path: string): Uint8Array | undefined {
  return orUndefined(() => readFileSync(join(folder, path)));
}

export async function readIfThereAsync(folder: string, path: string): Promise<Uint8Array | undefined> {
  const file = join(folder, path);
  // Days are asked for by the hundred, and few have a head: to look costs a hundredth of a failed read.
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

/** The size of a file, or undefined if there is none. */
export function sizeIfThere(folder: string, path: string): number | undefined {
  return orUndefined(() => statSync(join(folder, path)).size);
}

/** Readers see the old file or the whole new one, also after a loss of power. */
export async function writeAtomically(folder: string, path: string, bytes: Uint8Array): Promise<void> {
  const target = join(folder, path);
  const temporary = `${target}.tmp`;
  const file = await openCreatingFolders(temporary);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(temporary, target);
}

/** What was made in, or renamed into, the folders of these files survives a loss of power once this resolves. */
export async function syncFoldersOf(folder: string, paths: readonly string[]): Promise<void> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let above = dirname(path); above !== "."; above = dirname(above)) folders.add(above);
  }
  for (const below of [...folders, "."]) await syncFile(folder, below);
}

/** A file's content, or a folder's names. */
export async function syncFile(folder: string, path: string): Promise<void> {
  const handle = await open(join(folder, path));
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Renames, making the folders it needs. */
export function renameInto(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    undefinedIfMissing(error);
    mkdirSync(dirname(to), { recursive: true, mode: folderMode });
    renameSync(from, to);
  }
}

/** Keeps the widest `keep` partials in a `<N>.p` folder. */
export async function prunePartials(folder: string, path: string, keep: number): Promise<void> {
  const names = await readdir(join(folder, path)).catch(undefinedIfMissing);
  const widths = (names ?? []).filter((name) => /^\d{1,3}$/.test(name)).map(Number);
  for (const width of widths.sort((a, b) => b - a).slice(keep)) {
    await rm(join(folder, path, String(width)), { force: true });
  }
}

export async function removeFolder(folder: string, path: string): Promise<void> {
  await rm(join(folder, path), { recursive: true, force: true });
}

/** The code of a system error, such as ENOSPC. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

async function openCreatingFolders(path: string): Promise<FileHandle> {
  try {
    return await open(path, "w", fileMode);
  } catch (error) {
    undefinedIfMissing(error);
    await mkdir(dirname(path), { recursive: true, mode: folderMode });
    return open(path, "w", fileMode);
  }
}

function orUndefined<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCode(error) === "ENOENT") return undefined;
  throw error;
}
