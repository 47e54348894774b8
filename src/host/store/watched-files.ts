/** Files that others replace while we run (certificates, and what is mounted into containers): looked at every second. */
import { statSync } from "node:fs";

const watchMs = 1000;

/** Calls `onChange` after one of them was replaced or written to. Links are followed, as they are swapped whole. */
export function watchFiles(files: readonly string[], onChange: () => void): { readonly stop: () => void } {
  let seen = looksOf(files);
  const timer = setInterval(() => {
    const now = looksOf(files);
    if (now === seen) return;
    seen = now;
    onChange();
  }, watchMs).unref();
  return { stop: () => clearInterval(timer) };
}

function looksOf(files: readonly string[]): string {
  return JSON.stringify(files.map(looks));
}

function looks(file: string): readonly string[] {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? [] : [found.ino, found.size, found.mtimeNs].map(String);
}
