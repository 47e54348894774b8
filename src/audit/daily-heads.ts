/**
 * The heads that a log keeps of each UTC day: `checkpoints/<date>`, the day's newest, and `checkpoints/<date>.first`,
 * its first with the SLH-DSA signature. A log's files can't be listed, so days are asked for one by one.
 */
import { everythingStands } from "../crypto/suites/fallen.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { bundlePath, tileWidth } from "../merkle/tiles.ts";
import { splitBundle } from "./bundle.ts";
import { readEntry } from "./entry.ts";
import { type Generations, readDueHead } from "./generations.ts";
import type { Head } from "./head.ts";
import type { LogFiles } from "./log-walk.ts";
import { findPruned } from "./prune.ts";

/** The days of a log: those of its entries and of its head. */
export interface LogDays {
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
}

export interface KeptHead {
  readonly path: string;
  readonly head: Pick<Head, "size" | "root">;
}

export interface DailyHeadFault {
  readonly what: "signature" | "rolled back" | "forked";
  readonly path: string;
  readonly text: string;
}

const dayMs = 86_400_000;
/** Of the years that four digits have. */
const lastDateUnixMs = Date.UTC(9999, 11, 31);
/** Forty years: clocks that were wrong make logs seem longer. */
const maxDays = 14_610;
/** How long a log may have had no head before its first entry that is there, and a clock may have been put back. */
const quietDays = 366;

/** When the first entry that is there and the last one of `size` happened, as they say; undefined for an empty log. */
export async function daysOf(files: LogFiles, size: number): Promise<LogDays | undefined> {
  const first = (await bundle(files, 0, size)) ?? (await bundle(files, await firstKept(files, size), size));
  const last = await bundle(files, Math.floor(Math.max(0, size - 1) / tileWidth), size);
  const covered = last?.slice(0, size % tileWidth || tileWidth);
  const [from, to] = [timeOf(first?.[0]), timeOf(covered?.at(-1))];
  if (size === 0 || from === undefined || to === undefined) return undefined;
  return { firstUnixMs: Math.min(from, to), lastUnixMs: Math.max(from, to) };
}

/**
 * The files there are of these days, and beyond them until a year has none, newest first.
 * @param ending `".first"`: the days' first heads alone
 */
export async function* dailyHeads(
  files: LogFiles,
  { firstUnixMs, lastUnixMs }: LogDays,
  ending?: ".first",
): AsyncGenerator<{ readonly path: string; readonly bytes: Uint8Array }, void, void> {
  const endings = ending === undefined ? ["", ".first"] : [ending];
  const ofDay = async (atUnixMs: number) => {
    const found: { readonly path: string; readonly bytes: Uint8Array }[] = [];
    if (atUnixMs < 0 || atUnixMs > lastDateUnixMs) return found;
    for (const each of endings) {
      const path = `checkpoints/${new Date(atUnixMs).toISOString().slice(0, 10)}${each}`;
      const bytes = await files(path);
      if (bytes !== undefined) found.push({ path, bytes });
    }
    return found;
  };
  let newest = lastUnixMs;
  for (let quiet = 0, days = 1; quiet < quietDays && days < maxDays; days++) {
    const at = lastUnixMs + days * dayMs;
    const isThere = (await ofDay(at)).length > 0;
    quiet = isThere ? 0 : quiet + 1;
    if (isThere) newest = at;
  }
  let quiet = 0;
  for (let at = newest, days = 0; days < maxDays && quiet < quietDays; at -= dayMs, days++) {
    const found = await ofDay(at);
    quiet = found.length > 0 || at >= firstUnixMs ? 0 : quiet + 1;
    yield* found;
  }
}

/** Of `days`, those that the log's keys vouch for, as they must at their sizes; the log itself isn't looked at. */
export async function readDailyHeads(
  files: LogFiles,
  days: LogDays | undefined,
  generations: Generations,
): Promise<{ readonly kept: readonly KeptHead[]; readonly faults: readonly DailyHeadFault[] }> {
  const kept: KeptHead[] = [];
  const faults: DailyHeadFault[] = [];
  if (days === undefined) return { kept, faults };
  for await (const { path, bytes } of dailyHeads(files, days)) {
    const reading = readDueHead(
      bytes,
      generations,
      everythingStands,
      path.endsWith(".first") ? firstOfDay : later,
    );
    if (reading.kind === "signed")
      kept.push({ path, head: { size: reading.head.size, root: reading.head.root } });
    else faults.push({ what: "signature", path, text: `${path} isn't to be trusted: ${reading.why}` });
  }
  return { kept, faults };
}

const later = ["required"] as const;
const firstOfDay = ["required", "daily"] as const;

/**
 * Whether each is a head of this log.
 * @param count of the entries that are there
 * @param roots at the sizes of the heads, by what the log's newest head vouches for; undefined if nothing has its root
 */
export function judgeDailyHeads(
  kept: readonly KeptHead[],
  count: number,
  roots: ReadonlyMap<number, Uint8Array> | undefined,
): readonly DailyHeadFault[] {
  return kept.flatMap(({ path, head: { size, root } }): readonly DailyHeadFault[] => {
    if (size > count) {
      const text = `the log was rolled back or cut: ${path} is a head of ${size} entries, the log has ${count}`;
      return [{ what: "rolled back", path, text }];
    }
    const is = roots?.get(size);
    if (is === undefined || equalInConstantTime(is, root)) return [];
    const text = `${path} is a head of another history: the first ${size} entries have another root`;
    return [{ what: "forked", path, text }];
  });
}

function timeOf(bytes: Uint8Array | undefined): number | undefined {
  const reading = readEntry(bytes ?? new Uint8Array());
  return reading.kind === "entry" ? reading.entry.atUnixMs : undefined;
}

async function firstKept(files: LogFiles, size: number): Promise<number> {
  return Math.floor((await findPruned(files, size)) / tileWidth);
}

async function bundle(
  files: LogFiles,
  index: number,
  size: number,
): Promise<readonly Uint8Array[] | undefined> {
  const width = Math.max(1, Math.min(tileWidth, size - index * tileWidth));
  const bytes =
    (await files(bundlePath(index, width))) ??
    (await files(bundlePath(index))) ??
    (await files(`open/${index}`));
  return bytes === undefined ? undefined : splitBundle(bytes).entries;
}
