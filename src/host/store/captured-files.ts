/**
 * Files of captured calls: a line each, in segments that are deleted whole, by age and by size. What stands in a line is
 * sealed by who writes it. Losing the newest lines to a crash costs captures and nothing else, so nobody waits for the disk.
 */
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";

import { ensurePrivateFolder } from "./files.ts";

/** A segment ends after so long or so much, so that what is too old goes soon. */
const segmentMs = 15 * 60_000;
const maxSegmentBytes = 16 * 1024 ** 2;

export interface CapturedFiles {
  /** Adds these lines to the newest segment. Failure: throws, and none of them counts as written. */
  readonly append: (lines: readonly string[], nowUnixMs: number) => Promise<void>;
  /** Deletes segments whose newest line is older than that, and the oldest until all fit into `most`. */
  readonly expire: (beforeUnixMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** @param most bytes that all segments may have */
export function capturedFiles(folder: string, most: number): CapturedFiles {
  const segmentBytes = Math.min(maxSegmentBytes, Math.floor(most / 4));
  let current: { readonly handle: FileHandle; readonly sinceUnixMs: number; bytes: number } | undefined;
  const finish = async (): Promise<void> => {
    const ended = current;
    current = undefined;
    await ended?.handle.close();
  };
  const segmentAt = async (nowUnixMs: number): Promise<NonNullable<typeof current>> => {
    const isOver =
      current !== undefined &&
      (nowUnixMs - current.sinceUnixMs >= segmentMs ||
        nowUnixMs < current.sinceUnixMs ||
        current.bytes >= segmentBytes);
    if (isOver) await finish();
    if (current !== undefined) return current;
    await ensurePrivateFolder(folder);
    // A new one at each start: whatever a crash left behind ends the old one.
    const handle = await freshSegment(folder, nowUnixMs);
    return (current = { handle, sinceUnixMs: nowUnixMs, bytes: 0 });
  };
  return {
    append: async (lines, nowUnixMs) => {
      const segment = await segmentAt(nowUnixMs);
      const bytes = Buffer.from(`${lines.join("\n")}\n`);
      try {
        await segment.handle.appendFile(bytes);
        segment.bytes += bytes.length;
      } catch (error) {
        // Half a line may stand there: nothing is written behind it.
        await finish().catch(() => undefined);
        throw error;
      }
    },
    expire: async (beforeUnixMs) => {
      const segments = await Promise.all(
        (await segmentsIn(folder)).map(async (name) => ({ name, ...(await sizeOf(folder, name)) })),
      );
      let total = segments.reduce((sum, { bytes }) => sum + bytes, 0);
      for (const { name, bytes, lastUnixMs } of segments) {
        if (lastUnixMs >= beforeUnixMs && total <= most) continue;
        if (current !== undefined && name === segments.at(-1)?.name) await finish();
        await rm(path.join(folder, name), { force: true });
        total -= bytes;
      }
    },
    close: finish,
  };
}

async function freshSegment(folder: string, nowUnixMs: number): Promise<FileHandle> {
  for (let unixMs = nowUnixMs; ; unixMs++) {
    try {
      return await open(path.join(folder, `${unixMs}.jsonl`), "ax", 0o600);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}

/** The last line of a segment is younger than its name by no more than a segment's time. */
async function sizeOf(
  folder: string,
  name: string,
): Promise<{ readonly bytes: number; readonly lastUnixMs: number }> {
  const { size } = await stat(path.join(folder, name));
  return { bytes: size, lastUnixMs: Number.parseInt(name, 10) + segmentMs };
}

/** Names of the segments, oldest first; none where nothing was ever captured. */
export async function segmentsIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}
