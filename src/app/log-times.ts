/** Where in a log a time is. */
import type { LogReader } from "../host/store/log-reader.ts";

/** Clocks are put back, and entries of calls come late: some more are read than is needed. */
const lateMs = 60 * 60_000;
const nearEnough = 512;

/** The first entry since then, by halves: entries stand in the order of their times, nearly. */
export async function firstSince(reader: LogReader, sinceUnixMs: number): Promise<number> {
  let [from, to] = [await reader.first(), await reader.size()];
  const earlyUnixMs = sinceUnixMs - lateMs;
  while (to - from > nearEnough) {
    const middle = Math.floor((from + to) / 2);
    const at = await timeAt(reader, middle);
    if (at !== undefined && at < earlyUnixMs) from = middle;
    else to = middle;
  }
  return from;
}

async function timeAt(reader: LogReader, index: number): Promise<number | undefined> {
  for await (const { reading } of reader.forwards(index)) {
    return reading.kind === "entry" ? reading.entry.atUnixMs : undefined;
  }
  return undefined;
}
