/** What an outlet has to tell next, as the log has it: in order, without a hole that isn't spoken of. */
import type { LogReader } from "../../host/store/log-reader.ts";
import { type EventGroup, isPicked } from "../../respond/events/event-groups.ts";
import { type Teller, type Told, toldEntry, toldGap } from "../../respond/events/told.ts";
import type { Naming } from "../subject-names.ts";

export interface TellingOf {
  readonly reader: Pick<LogReader, "forwards">;
  readonly teller: Teller;
  readonly named: Naming;
  readonly picked: ReadonlySet<EventGroup>;
}

export interface NextTold {
  readonly events: readonly NextEvent[];
  /** The first entry behind all that was looked at. */
  readonly upTo: number;
}

/** @property next the first entry that isn't told when this is */
interface NextEvent {
  readonly told: Told;
  readonly next: number;
}

/** Entries that are looked through at once when few of them are picked. */
const maxLooked = 5000;

export async function nextTold(
  { reader, teller, named, picked }: TellingOf,
  from: number,
  { most, nowUnixMs }: { readonly most: number; readonly nowUnixMs: number },
): Promise<NextTold> {
  const events: NextEvent[] = [];
  let upTo = from;
  for await (const { index, reading } of reader.forwards(from)) {
    if (index > upTo) {
      const says = "These entries were removed from the log before they could be told here.";
      events.push({ told: toldGap(teller, { from: upTo, to: index, says }, nowUnixMs), next: index });
    }
    upTo = index + 1;
    if (reading.kind === "unreadable") {
      const says = `This entry of the log can't be read: ${reading.why}.`;
      events.push({ told: toldGap(teller, { from: index, to: upTo, says }, nowUnixMs), next: upTo });
    } else {
      const told = toldEntry(teller.origin, index, named(reading.entry));
      if (isPicked(told, picked)) events.push({ told, next: upTo });
    }
    if (events.length >= most || upTo - from >= maxLooked) break;
  }
  return { events, upTo };
}
