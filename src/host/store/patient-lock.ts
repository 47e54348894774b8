/** Work that one process at a time may do: the others wait their turn at a lock file, and not for ever. */
import { setTimeout as pause } from "node:timers/promises";

import { Refusal } from "../../kernel/refusal.ts";
import { takeWriterLock } from "./writer-lock.ts";

const pauseMs = 50;
/** Longer than anybody asks a gateway that says nothing. */
const longestWaitMs = 60_000;

/**
 * Does `work` while it holds that lock; one whose process is gone is taken over.
 * @param taken what is wrong if another held it all the time
 * @throws Refusal `bad_state` then, and whatever `work` throws
 */
export async function whileLocked<T>(
  path: string,
  taken: (pid: string) => string,
  work: () => Promise<T>,
): Promise<T> {
  const release = await taking(() => takeWriterLock(path, taken));
  try {
    return await work();
  } finally {
    release();
  }
}

async function taking<T>(take: () => T): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof Refusal) || waitedMs >= longestWaitMs) throw error;
    }
    await pause(pauseMs);
  }
}
