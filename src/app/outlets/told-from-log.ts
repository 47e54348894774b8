/** What an outlet has to tell next, as the log has it: in order, without a hole that isn't spoken of. */
import type { LogReader } from "../../host/store/log-reader.ts";
import { type EventGroup, isPicked } from "../../respond/events/event-groups.ts";
import { type Teller, type Told, toldEntry, toldGap } from "../../respond/events/told.ts";
import type { Naming } from "../subject-names.ts";

export interface TellingOf {
  readonly reader: Pick<LogReader, "forwards" | "headSize">;
  readonly teller: Teller;
  readonly named: Naming;
  readonly picked: ReadonlySet<EventGroup>;
}

export interface NextTold {
  readonly events: readonly NextEvent[];
  /** The first entry behind all that was looked at. */
  readonly upTo: number;
  /** The one before, if it is there. */
  readonly before?: Uint8Array;
}

/** @property next the first entry that isn't told when this is */
interface NextEvent {
  readonly told: Told;
  readonly next: number;
  /** The entry before that one, if it is there. */
  readonly before?: Uint8Array;
}

/** Entries that are looked through at once when few of them are picked. */
const maxLooked = 5000;

/** @throws where the log doesn't have what its head covers */
export async function nextTold(
  { reader, teller, named, picked }: TellingOf,
  from: number,
  { most, nowUnixMs }: { readonly most: number; readonly nowUnixMs: number },
): Promise<NextTold> {
  const events: NextEvent[] = [];
  let upTo = from;
  let before: Uint8Array | undefined;
  for await (const { index, bytes, reading } of reader.forwards(from)) {
    if (index > upTo) {
      const says =
        "These entries were removed from the log, or cut out of its files, before they could be told here.";
      events.push({ told: toldGap(teller, { from: upTo, to: index, says }, nowUnixMs), next: index });
    }
    upTo = index + 1;
    before = bytes;
    if (reading.kind === "unreadable") {
      const says = `This entry of the log can't be read: ${reading.why}.`;
      events.push({ told: toldGap(teller, { from: index, to: upTo, says }, nowUnixMs), next: upTo, before });
    } else {
      const told = toldEntry(teller.origin, index, named(reading.entry));
      if (isPicked(told, picked)) events.push({ told, next: upTo, before });
    }
    if (events.length >= most || upTo - from >= maxLooked) break;
  }
  if (upTo === from && (await reader.headSize()) > from)
    throw new Error(`entry ${from} isn't in the log's files, and its head covers it`);
  return { events, upTo, ...(before && { before }) };
}
