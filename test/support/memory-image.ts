/** A process's memory as a core dump has it: every readable mapping of proc(5), read through /proc/PID/mem. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** What a search looks for. */
export interface Needle {
  readonly what: string;
  readonly bytes: Buffer;
}

export interface Image {
  readonly bytes: number;
  /** What was found, each needle named once. */
  readonly found: readonly string[];
}

const pieceBytes = 16 * 1024 * 1024;

/** Why this process can't read the memory of `pid`; undefined if it can. */
export function unreadable(pid: number): string | undefined {
  try {
    const file = openSync(`/proc/${pid}/mem`, "r");
    closeSync(file);
    return undefined;
  } catch (error) {
    return `the memory of another process can't be read here (${error instanceof Error ? error.message : "unknown"})`;
  }
}

/** Searches the whole image, piece by piece. The process goes on meanwhile. */
export function searchImage(pid: number, needles: readonly Needle[]): Image {
  const file = openSync(`/proc/${pid}/mem`, "r");
  const found = new Set<string>();
  const overlap = Math.max(...needles.map(({ bytes }) => bytes.length)) - 1;
  const buffer = Buffer.alloc(pieceBytes);
  let total = 0;
  try {
    for (const [start, end] of mappings(pid)) {
      for (let at = start; at < end;) {
        const length = Math.min(pieceBytes, end - at);
        const read = tryRead(file, buffer, length, at);
        if (read === 0) break;
        const piece = buffer.subarray(0, read);
        for (const { what, bytes } of needles) if (piece.includes(bytes)) found.add(what);
        total += read;
        if (at + read >= end) break;
        // What lies across two pieces is whole in the second.
        at += Math.max(1, read - overlap);
      }
    }
  } finally {
    closeSync(file);
  }
  return { bytes: total, found: [...found].toSorted() };
}

function mappings(pid: number): readonly (readonly [number, number])[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, start, end, what] = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \d+\s*(.*)$/.exec(line) ?? [];
      // The kernel's own pages; nobody's secrets.
      if (start === undefined || end === undefined || /^\[v(var|syscall|var_vclock)\]$/.test(what ?? ""))
        return [];
      return [[Number.parseInt(start, 16), Number.parseInt(end, 16)] as const];
    });
}

function tryRead(file: number, buffer: Buffer, length: number, at: number): number {
  try {
    return readSync(file, buffer, 0, length, at);
  } catch {
    // A guard page, or one that is gone by now.
    return 0;
  }
}
