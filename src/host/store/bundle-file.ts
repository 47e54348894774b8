/** The bundle that is being filled: append-only, and after a write that failed exactly as it was before it. */
import {
  close,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

import { fileMode, folderMode, renameInto, systemCode } from "./log-folder.ts";

/** Writes `bytes` at `offset` and says how many it wrote: pwrite(2), or what a test puts in its place. */
export type Write = (fd: number, bytes: Uint8Array, offset: number) => number;

/** Resolves once all that was written to a file survives a loss of power: fdatasync(2), or a test's. */
export type Sync = (fd: number) => Promise<void>;

export interface Disk {
  readonly write?: Write | undefined;
  readonly sync?: Sync | undefined;
}

export interface BundleFile {
  readonly index: number;
  /** How many bytes of whole entries it has. */
  readonly length: () => number;
  /** All or nothing. Throws the system's error. */
  readonly append: (framed: Uint8Array) => void;
  /** Renames it; what is being read or synced goes on. */
  readonly moveTo: (path: string) => void;
  readonly read: (length: number) => Promise<Uint8Array>;
  /** Everything written so far survives a loss of power once this resolves. */
  readonly sync: () => Promise<void>;
  /** After what is still being read or synced. */
  readonly close: () => Promise<void>;
}

const syncFile = promisify(fdatasync);
const readFd = promisify(read);
const closeFile = promisify(close);
const writeAt: Write = (fd, bytes, offset) => writeSync(fd, bytes, 0, bytes.length, offset);

/** @param length bytes that are known to be whole entries; what stands behind them is cut off */
export function openBundleFile(
  at: { readonly index: number; readonly path: string },
  length: number,
  { write = writeAt, sync = syncFile }: Disk = {},
): BundleFile {
  const fd = openOrCreate(at.path);
  const turns = inTurns(at.path);
  let { path } = at;
  let end = length;
  let hasTornTail = fstatSync(fd).size !== length;
  const cutTail = (): void => {
    ftruncateSync(fd, end);
    hasTornTail = false;
  };

  return {
    index: at.index,
    length: () => end,
    append: (framed) => {
      if (turns.isOver()) throw new Error(`${path} is closed`);
      if (hasTornTail) cutTail();
      try {
        writeAll(fd, framed, { offset: end, write });
      } catch (error) {
        hasTornTail = true;
        try {
          cutTail();
        } catch {
          // The next append tries again before it writes anything.
        }
        throw error;
      }
      end += framed.length;
    },
    moveTo: (target) => {
      if (path === target) return;
      renameInto(path, target);
      path = target;
    },
    read: (length) => turns.take(() => readStart(fd, length)),
    sync: () => turns.take(() => sync(fd)),
    close: () => turns.takeLast(() => closeFile(fd)),
  };
}

/** One open for each bundle is on the path of a call; looking for its folder first would be another. */
function openOrCreate(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT;
  try {
    return openSync(path, flags, fileMode);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true, mode: folderMode });
    return openSync(path, flags, fileMode);
  }
}

/** Sync, read and close follow each other: the number of a closed descriptor soon belongs to another file. */
function inTurns(path: string): {
  readonly isOver: () => boolean;
  readonly take: <Value>(act: () => Promise<Value>) => Promise<Value>;
  readonly takeLast: (act: () => Promise<void>) => Promise<void>;
} {
  let isOver = false;
  let last: Promise<unknown> = Promise.resolve();
  const take = <Value>(act: () => Promise<Value>): Promise<Value> => {
    if (isOver) return Promise.reject(new Error(`${path} is closed`));
    const turn = last.then(act, act);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    isOver: () => isOver,
    take,
    takeLast: (act) => {
      const turn = take(act);
      isOver = true;
      return turn;
    },
  };
}

async function readStart(fd: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await readFd(fd, bytes, 0, length, 0);
  if (bytesRead !== length) throw new Error(`the open bundle has ${bytesRead} bytes of ${length}`);
  return bytes;
}

function writeAll(
  fd: number,
  bytes: Uint8Array,
  to: { readonly offset: number; readonly write: Write },
): void {
  let done = 0;
  while (done < bytes.length) {
    const count = to.write(fd, done === 0 ? bytes : bytes.subarray(done), to.offset + done);
    if (count <= 0) throw new Error("the disk takes no more bytes");
    done += count;
  }
}
