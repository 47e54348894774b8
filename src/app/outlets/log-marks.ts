/**
 * What an outlet remembers of the entries it passed, so that it notices when the log isn't the one it told: a machine
 * without power, or an older copy, takes the log's end away, and others get its numbers.
 */
import { sha256Hex } from "../../crypto/hash.ts";
import type { LogReader } from "../../host/store/log-reader.ts";
import type { LogMark, LostEnd, OutletRow, OutletStore } from "../../host/store/state-outlets.ts";
import type { Log } from "../../kernel/log.ts";

const digits = 32;

/** @param before the entry before the cursor; nothing is remembered of one that isn't there */
export function withMark(
  marks: readonly LogMark[],
  cursor: number,
  before: Uint8Array | undefined,
): readonly LogMark[] {
  if (before === undefined) return marks;
  const mark = { cursor, digest: sha256Hex(before).slice(0, digits) };
  const all = [...marks.filter((each) => each.cursor !== cursor), mark].toSorted(
    (a, b) => a.cursor - b.cursor,
  );
  return thinned(all);
}

/** Marks of the last batches, all of which are kept. */
const near = 16;

/** Farther off one for each doubling of the distance from the newest, so that a loss is found out to its double. */
function thinned(marks: readonly LogMark[]): readonly LogMark[] {
  const newest = marks.at(-1)?.cursor ?? 0;
  const kept = new Map<number, LogMark>();
  for (const mark of marks.slice(0, -near)) {
    const distance = Math.floor(Math.log2(newest - mark.cursor + 1));
    if (!kept.has(distance)) kept.set(distance, mark);
  }
  return [...kept.values(), ...marks.slice(-near)];
}

interface Finding {
  readonly name: string;
  readonly reader: Pick<LogReader, "forwards" | "size">;
  /** The log's. */
  readonly origin: string;
  readonly store: OutletStore;
  readonly log: Log;
}

/** Before it goes on: back to where the log is still the one that was told. */
export async function findAgain({ name, store, reader, origin, log }: Finding): Promise<void> {
  const row = store.of(name);
  if (row === undefined || row.origin !== origin) return;
  const lost = await lostEnd(reader, row);
  if (lost === undefined) return;
  const { from, to } = lost;
  log.warn("outlet.log_shorter", { outlet: name, from, to: to - 1 });
  store.change(name, {
    cursor: Math.min(row.cursor, from),
    marks: row.marks.filter(({ cursor }) => cursor <= from),
    doubtful: row.doubtful.filter((cursor) => cursor <= from),
    lost,
  });
}

/** What the log has lost of what was told; undefined if it has it all. */
async function lostEnd(
  reader: Pick<LogReader, "forwards" | "size">,
  { cursor, marks }: Pick<OutletRow, "cursor" | "marks">,
): Promise<LostEnd | undefined> {
  const newest = marks.at(-1);
  if (newest === undefined) {
    const size = await reader.size();
    return size < cursor ? { from: size, to: cursor, id: "end", isTold: false } : undefined;
  }
  const lost = { to: newest.cursor, id: newest.digest.slice(0, 8), isTold: false };
  for (const mark of marks.toReversed()) {
    if (await isThere(reader, mark)) return mark === newest ? undefined : { ...lost, from: mark.cursor };
  }
  return { ...lost, from: 0 };
}

async function isThere(reader: Pick<LogReader, "forwards">, { cursor, digest }: LogMark): Promise<boolean> {
  for await (const { index, bytes } of reader.forwards(cursor - 1)) {
    // Of what was removed, or cut out, nothing is known but that it stood before this.
    return index >= cursor || sha256Hex(bytes).startsWith(digest);
  }
  return false;
}
