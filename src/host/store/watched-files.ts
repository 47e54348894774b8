/** Files that others replace while we run (certificates, and what is mounted into containers): looked at every second. */
import { statSync } from "node:fs";

const watchMs = 1000;

/**
 * Calls `onChange` after one of them was replaced or written to. Links are followed, as they are swapped whole.
 * INVARIANT: a change is told only when two looks in a row agree: a file that is still being written may be whole in
 * form and lack what comes last, such as rules that deny.
 */
export function watchFiles(files: readonly string[], onChange: () => void): { readonly stop: () => void } {
  let told = looksOf(files);
  let before = told;
  const timer = setInterval(() => {
    const now = looksOf(files);
    const isSettled = now === before;
    before = now;
    if (!isSettled || now === told) return;
    told = now;
    onChange();
  }, watchMs).unref();
  return { stop: () => clearInterval(timer) };
}

function looksOf(files: readonly string[]): string {
  return JSON.stringify(files.map(looks));
}

function looks(file: string): readonly string[] {
  try {
    const found = statSync(file, { throwIfNoEntry: false, bigint: true });
    return found === undefined ? [] : [found.ino, found.size, found.mtimeNs].map(String);
  } catch (error) {
    // A loop of links, a folder that may not be entered: whoever reads the file says what is wrong with it.
    return [error instanceof Error ? error.message : "unknown"];
  }
}
