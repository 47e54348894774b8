/** Reads a log's folder, of a running gateway or a copy: one bundle in memory at a time, nothing verified. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { splitBundle } from "../../audit/bundle.ts";
import { readCheckpointBody, readNote } from "../../audit/checkpoint.ts";
import { type EntryReading, readEntry } from "../../audit/entry.ts";
import type { LogFiles } from "../../audit/log-walk.ts";
import { findPruned } from "../../audit/prune.ts";
import { bundlePath, tileWidth } from "../../merkle/tiles.ts";
import { checkpointFile, openBundlePath, readIfThereAsync } from "./log-folder.ts";

export interface LoggedEntry {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** What it says; `unreadable` if somebody changed it. */
  readonly reading: EntryReading;
}

export interface LogReader {
  readonly folder: string;
  /** For `verifyLog`. */
  readonly files: LogFiles;
  /** How many entries there are now. */
  readonly size: () => Promise<number>;
  /** How many the head covers, unverified; 0 without one. */
  readonly headSize: () => Promise<number>;
  /** The first entry that is there; 0 unless older ones were removed. */
  readonly first: () => Promise<number>;
  /** The first entry that retention keeps, as the log itself says, unverified; 0 if it says nothing. */
  readonly prunedBefore: () => Promise<number>;
  /** From entry `from`, or the first that is there, to the last one there is; what a bundle has lost is passed over. */
  readonly forwards: (from?: number) => AsyncGenerator<LoggedEntry, void, void>;
  /** From the last entry, or the one before `before`, to the first. */
  readonly backwards: (before?: number) => AsyncGenerator<LoggedEntry, void, void>;
  /** From entry `from` on, and every later one as it is written, until `signal` aborts. */
  readonly follow: (from: number, signal?: AbortSignal) => AsyncGenerator<LoggedEntry, void, void>;
  /** All entries of a call (or of whatever else has an id), oldest first. */
  readonly find: (callId: string) => Promise<readonly LoggedEntry[]>;
}

/** How late `follow` may be. */
const pollMs = 250;

export function openLogReader(folder: string): LogReader {
  const files: LogFiles = (path) => readIfThereAsync(folder, safePath(path));

  async function* forwards(asked = 0): AsyncGenerator<LoggedEntry, void, void> {
    const from = Math.max(asked, await firstFrom(files, asked));
    for (let index = Math.floor(from / tileWidth); ; index++) {
      const { entries, isLast } = await bundleAt(files, index);
      for (const entry of logged(entries, index * tileWidth)) if (entry.index >= from) yield entry;
      if (isLast) return;
    }
  }

  async function* backwards(before?: number): AsyncGenerator<LoggedEntry, void, void> {
    const end = before ?? (await sizeOf(files));
    for (let index = Math.ceil(end / tileWidth) - 1; index >= 0; index--) {
      const entries = (await readBundle(files, index)) ?? [];
      const first = index * tileWidth;
      for (let i = Math.min(entries.length, end - first) - 1; i >= 0; i--) {
        yield* logged(entries.slice(i, i + 1), first + i);
      }
    }
  }

  async function* follow(from: number, signal?: AbortSignal): AsyncGenerator<LoggedEntry, void, void> {
    let next = from;
    do {
      for await (const entry of forwards(next)) {
        yield entry;
        next = entry.index + 1;
      }
    } while (await sleepUnlessAborted(signal));
  }

  return {
    folder,
    files,
    size: () => sizeOf(files),
    headSize: () => headSize(files),
    first: () => firstFrom(files, 0),
    prunedBefore: async () => findPruned(files, await headSize(files)),
    forwards,
    backwards,
    follow,
    find: find(files),
  };
}

/** The first entry of the first bundle from there on that is there; the log's end if none is. */
async function firstFrom(files: LogFiles, from: number): Promise<number> {
  const size = await headSize(files);
  const isThere = async (index: number): Promise<boolean> => (await readBundle(files, index)) !== undefined;
  let index = Math.floor(from / tileWidth);
  if (await isThere(index)) return index * tileWidth;
  // A run of retention that died may have left some of what it was to remove.
  let kept = Math.floor((await findPruned(files, size)) / tileWidth);
  while (kept > index && (await isThere(kept - 1))) kept--;
  index = Math.max(index, kept);
  while (index * tileWidth < size && !(await isThere(index))) index++;
  return index * tileWidth;
}

/** Backwards, since what is asked for is mostly recent; no further than the entry that began the call. */
function find(files: LogFiles): LogReader["find"] {
  return async (callId) => {
    const needle = Buffer.from(callId);
    const found: LoggedEntry[] = [];
    for (let index = Math.ceil((await sizeOf(files)) / tileWidth) - 1; index >= 0; index--) {
      const entries = (await readBundle(files, index)) ?? [];
      // The bytes are searched first: parsing is what costs.
      const rows = entries.flatMap((bytes, i) =>
        includes(bytes, needle) ? logged([bytes], index * tileWidth + i) : [],
      );
      const ofCall = rows.filter(
        ({ reading }) => reading.kind === "entry" && reading.entry.callId === callId,
      );
      found.unshift(...ofCall);
      const isWhole = ofCall.some(
        ({ reading }) => reading.kind === "entry" && reading.entry.event !== "call.outcome",
      );
      if (isWhole) break;
    }
    return found;
  };
}

function includes(bytes: Uint8Array, needle: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(needle);
}

function logged(entries: readonly Uint8Array[], first: number): readonly LoggedEntry[] {
  return entries.map((bytes, i) => ({ index: first + i, bytes, reading: readEntry(bytes) }));
}

/** The whole entries of a bundle: full, being filled, or, in a copy without `open/`, the head's partial one. */
async function readBundle(files: LogFiles, index: number): Promise<readonly Uint8Array[] | undefined> {
  const open = async (): Promise<Uint8Array | undefined> =>
    // It may be renamed between two looks.
    (await files(bundlePath(index))) ?? (await files(openBundlePath(index))) ?? files(bundlePath(index));
  const bytes = (await open()) ?? (await partialOfHead(files, index));
  return bytes === undefined ? undefined : splitBundle(bytes).entries;
}

/** With what is left of it where it isn't the last and has been cut. */
async function bundleAt(
  files: LogFiles,
  index: number,
): Promise<{ readonly entries: readonly Uint8Array[]; readonly isLast: boolean }> {
  const entries = await readBundle(files, index);
  if (entries === undefined) return { entries: [], isLast: true };
  if (entries.length >= tileWidth) return { entries: entries.slice(0, tileWidth), isLast: false };
  if ((await readBundle(files, index + 1)) === undefined) return { entries, isLast: true };
  // It may have been filled between two looks.
  return { entries: (await readBundle(files, index)) ?? [], isLast: false };
}

async function partialOfHead(files: LogFiles, index: number): Promise<Uint8Array | undefined> {
  const size = await headSize(files);
  const isLast = Math.floor(size / tileWidth) === index && size % tileWidth > 0;
  return isLast ? files(bundlePath(index, size % tileWidth)) : undefined;
}

/** What the head claims; 0 without one. */
async function headSize(files: LogFiles): Promise<number> {
  const bytes = await files(checkpointFile);
  const note = bytes === undefined ? undefined : readNote(bytes);
  return (note === undefined ? undefined : readCheckpointBody(note.text))?.size ?? 0;
}

async function sizeOf(files: LogFiles): Promise<number> {
  let index = Math.floor((await headSize(files)) / tileWidth);
  for (;;) {
    const entries = await readBundle(files, index);
    if (entries === undefined || entries.length < tileWidth) {
      return index * tileWidth + (entries?.length ?? 0);
    }
    index++;
  }
}

/** False once `signal` aborts. */
async function sleepUnlessAborted(signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
    return true;
  } catch (error) {
    if (signal?.aborted === true) return false;
    throw error;
  }
}

/** Paths come from arithmetic, never from a log's content; this keeps it so. */
function safePath(path: string): string {
  if (!/^[a-z0-9][a-z0-9.-]*(\/[a-z0-9][a-z0-9.-]*)*$/.test(path))
    throw new Error(`${join(path)} isn't a log's file`);
  return path;
}
