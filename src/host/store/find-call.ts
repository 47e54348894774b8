/**
 * The entries of a call, found by its id without an index: ids of calls say when they were made (UUIDv7, RFC 9562 §5.7),
 * and the log is in that order but for a little.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

import { type EntryReading, readEntry } from "../../audit/entry.ts";
import { tileWidth } from "../../merkle/tiles.ts";
import { type LogBundles, openLogBundles } from "./log-bundles.ts";

export interface FoundEntry {
  readonly index: number;
  readonly reading: EntryReading;
}

/** So much earlier than a call's id an entry behind it may say it is. */
const slackMs = 60_000;
/** What a person waits for: half a second. */
const maxBundles = 1024;
/** A call that isn't there so much later isn't there at all. */
const searchedMs = 15 * 60_000;

/** @returns oldest first; empty if there are none, or too far from where they should be */
export async function findCall(folder: string, callId: string): Promise<readonly FoundEntry[]> {
  const atUnixMs = timeOf(callId);
  if (atUnixMs === undefined) return [];
  const log = openLogBundles(folder);
  const needle = Buffer.from(`"${callId}/`);
  const found: FoundEntry[] = [];
  const from = bundleBefore(log, atUnixMs - slackMs);
  for (let at = from; at < from + maxBundles; at++) {
    const entries = log.bundle(at);
    if (entries === undefined) break;
    for (const [i, bytes] of entries.entries()) {
      if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(needle)) continue;
      const reading = readEntry(bytes);
      const isIts = reading.kind !== "entry" || reading.entry.callId === callId;
      if (isIts) found.push({ index: at * tileWidth + i, reading });
    }
    if (found.some(isOutcome)) break;
    const begin = momentOf(entries[0]);
    if (found.length === 0 && begin !== undefined && begin > atUnixMs + searchedMs) break;
    // Calls go on in between.
    await nextTurn();
  }
  return found;
}

function isOutcome({ reading }: FoundEntry): boolean {
  return reading.kind === "entry" && reading.entry.event === "call.outcome";
}

/** Undefined for ids that aren't a call's. */
function timeOf(callId: string): number | undefined {
  const [, high = "", low = ""] =
    /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.exec(callId) ?? [];
  return high === "" ? undefined : Number.parseInt(high + low, 16);
}

/** The last bundle that began before then; the first one if none did. */
function bundleBefore(log: LogBundles, atUnixMs: number): number {
  const first = log.first();
  let [from, to] = [first, Math.floor(log.headSize() / tileWidth)];
  while (from < to) {
    const middle = Math.ceil((from + to) / 2);
    const begin = momentOf(log.bundle(middle)?.[0]);
    // What isn't there yet is later.
    if (begin === undefined || begin > atUnixMs) to = middle - 1;
    else from = middle;
  }
  return from;
}

function momentOf(bytes: Uint8Array | undefined): number | undefined {
  const reading = bytes === undefined ? undefined : readEntry(bytes);
  return reading?.kind === "entry" ? reading.entry.atUnixMs : undefined;
}
