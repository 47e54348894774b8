/** What is asked of the file of traffic, done: over time, by route, first seen, and the entries of changes. */
import { type Entry, readEntry } from "../../audit/entry.ts";
import { openLogBundles } from "../../host/store/log-bundles.ts";
import {
  type ChangesAsked,
  readTraffic,
  type TrafficAsked,
  type TrafficReader,
} from "../../host/store/traffic-reader.ts";

/** `file` is that of the traffic. */
export type TrafficOrder = { readonly file: string } & (
  | { readonly kind: "overTime" | "byRoute" | "spreads"; readonly asked: TrafficAsked }
  | { readonly kind: "firstSeen"; readonly asked: Pick<TrafficAsked, "caller" | "server"> }
  | {
      readonly kind: "changes";
      readonly asked: ChangesAsked;
      /** The folder of the log. */
      readonly log: string;
    }
);

export interface ChangedEntry {
  readonly index: number;
  /** Undefined: it can't be read any more. */
  readonly entry: Entry | undefined;
}

/** @returns what does it; the file stays open from one question to the next */
export function trafficWork(): (order: TrafficOrder) => unknown {
  let open: { readonly file: string; readonly reader: TrafficReader } | undefined;
  return (order) => {
    if (open?.file !== order.file) {
      open?.reader.close();
      open = { file: order.file, reader: readTraffic(order.file) };
    }
    return answered(open.reader, order);
  };
}

function answered(reader: TrafficReader, order: TrafficOrder): unknown {
  if (order.kind === "changes") return changedEntries(reader, order.asked, order.log);
  return order.kind === "firstSeen" ? reader.firstSeen(order.asked) : reader[order.kind](order.asked);
}

function changedEntries(reader: TrafficReader, asked: ChangesAsked, folder: string): readonly ChangedEntry[] {
  const log = openLogBundles(folder);
  return reader.changes(asked).map(({ index }) => {
    const bytes = log.entry(index);
    const reading = bytes === undefined ? undefined : readEntry(bytes);
    return { index, entry: reading?.kind === "entry" ? reading.entry : undefined };
  });
}
