/** Files that others put there: read whole, up to a bound, and without waiting for whoever might write to a pipe. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/**
 * @returns at most `maxBytes` and one more, by which a longer file is known
 * @throws whatever the file system says; an Error for what is no file
 */
export function readBoundedFile(file: string, maxBytes: number): Uint8Array {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new Error(`${file} is no file`);
    const bytes = Buffer.alloc(Math.min(stat.size, maxBytes + 1));
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
