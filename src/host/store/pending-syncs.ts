/** What is being synced to the disk, for whoever has to wait until all of it is there. */
import { basename, dirname, join } from "node:path";

import { bundlePath, tileWidth } from "../../merkle/tiles.ts";
import { openBundlePath, syncFile, syncFoldersOf } from "./log-folder.ts";

export interface PendingSyncs {
  /** To be waited for from now on; and the folders of these files are to be synced. */
  readonly add: (sync: Promise<void>, ...moved: readonly string[]) => void;
  /** Resolves when `now` and everything added before is on the disk. */
  readonly all: (now: Promise<void>) => Promise<void>;
}

/**
 * INVARIANT: fails for good once a sync failed, since what the kernel dropped then no retry brings back.
 * @param failed told why
 */
export function pendingSyncs(folder: string, failed: (cause: unknown) => void): PendingSyncs {
  let pending: readonly Promise<void>[] = [];
  let moved: readonly string[] = [];
  const add = (sync: Promise<void>, ...paths: readonly string[]): void => {
    // Whoever waits for it is told; nobody may.
    sync.catch(() => undefined);
    pending = [...pending, sync];
    moved = [...moved, ...paths];
  };
  return {
    add,
    all: async (now) => {
      // Once for all files that moved since the last time.
      if (moved.length > 0) add(syncFoldersOf(folder, moved));
      moved = [];
      const awaited = new Set([...pending, now]);
      try {
        await Promise.all(awaited);
      } catch (cause) {
        now.catch(() => undefined);
        add(Promise.reject(cause));
        failed(cause);
        throw cause;
      }
      pending = pending.filter((sync) => !awaited.has(sync));
    },
  };
}

/** Full bundles behind the head: the last run may have died before it synced what it wrote, or the folder that it made. */
export async function syncFound(
  folder: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  for (let index = Math.floor(from / tileWidth); index < to; index++)
    await syncFile(folder, bundlePath(index));
  await syncFoldersOf(dirname(folder), [join(basename(folder), openBundlePath(to))]);
  await syncFoldersOf(folder, to > 0 ? [bundlePath(to - 1)] : []);
}
