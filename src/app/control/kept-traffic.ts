/** Traffic and changes over restarts: what was seen is written down once a minute, callers as the log names them. */
import { rmSync } from "node:fs";

import { isPersonal, veiledNames } from "../../audit/personal-facts.ts";
import type { TrafficRow } from "../../control/traffic-report.ts";
import { minuteMs, type TrafficCell, type TrafficMinute } from "../../control/traffic.ts";
import { pseudonymPattern } from "../../crypto/subject-keys.ts";
import {
  openTraffic,
  type StoredChange,
  type StoredMinute,
  type TrafficStore,
} from "../../host/store/state-traffic.ts";
import type { ChangesAsked, TrafficAsked } from "../../host/store/traffic-reader.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { AuditLog } from "../audit-log.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { type AskedTraffic, askTraffic } from "./asked-traffic.ts";
import type { SeenTraffic } from "./seen-traffic.ts";
import type { ChangedEntry } from "./traffic-work.ts";

export interface KeptTraffic {
  /** By time, verdict and link; what isn't written down yet is among it. */
  readonly overTime: (asked: TrafficAsked) => Promise<readonly TrafficRow[]>;
  /** By caller, server, verdict and links. */
  readonly byRoute: (asked: TrafficAsked) => Promise<readonly TrafficRow[]>;
  readonly spreads: (asked: TrafficAsked) => Promise<readonly Spread[]>;
  readonly firstSeen: AskedTraffic["firstSeen"];
  /** Newest first. */
  readonly changes: (asked: ChangesAsked) => Promise<readonly ChangedEntry[]>;
}

type Spread = Pick<TrafficMinute, "atUnixMs" | "ms" | "risk">;

interface Needs {
  readonly seen: SeenTraffic;
  readonly audit: Pick<AuditLog, "names" | "subjectOf">;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** It ends with `opening`. */
export function keepTraffic(
  config: Pick<Config, "state" | "trust_domain">,
  needs: Needs,
  opening: AsyncDisposableStack,
): KeptTraffic {
  const { traffic: file, log } = statePaths(config.state);
  const names = storedNames(needs, config.trust_domain);
  const store = opened(file, needs.log);
  if (store === undefined) return toldOf(undefined, { names, ...needs });
  const asked = askTraffic({ file, log });
  opening.defer(asked.close);
  const written = writtenTo(store, asked.written);
  opening.defer(writeDown(written, names, needs));
  return toldOf({ asked, noteChanges: () => noteChanges(written, needs.seen) }, { names, ...needs });
}

/** @param heard told of each change */
function writtenTo(store: TrafficStore, heard: () => void): TrafficStore {
  return {
    ...store,
    add: (minutes, nowUnixMs) => {
      store.add(minutes, nowUnixMs);
      heard();
    },
    noteChanges: (changes) => {
      store.noteChanges(changes);
      heard();
    },
  };
}

/** @returns how to end it, with all that is seen written down */
function writeDown(store: TrafficStore, names: StoredNames, { seen, clock, log }: Needs): () => void {
  const write = (beforeUnixMs: number): void => {
    try {
      names.refresh();
      const minutes = seen.traffic.take(beforeUnixMs).map((minute) => storedMinute(minute, names.veil));
      if (minutes.length > 0) store.add(minutes, clock.nowUnixMs());
      noteChanges(store, seen);
    } catch (error) {
      log.error("traffic.unwritten", { reason: error instanceof Error ? error.message : "unknown" });
    }
  };
  const timer = setInterval(() => write(clock.nowUnixMs()), minuteMs).unref();
  return () => {
    clearInterval(timer);
    write(Number.POSITIVE_INFINITY);
    store.close();
  };
}

interface Written {
  readonly asked: AskedTraffic;
  readonly noteChanges: () => void;
}

/** What was written, and what is still to be. Without a file there is only the second. */
function toldOf(
  written: Written | undefined,
  { names, seen }: { readonly names: StoredNames; readonly seen: SeenTraffic },
): KeptTraffic {
  const asked = written?.asked;
  const unwritten = (question: TrafficAsked): readonly TrafficRow[] =>
    seen.traffic
      .current()
      .flatMap((minute) => minute.cells.map((cell) => rowOf(cell, minute)))
      .filter((row) => isAsked(row, question));
  const stored = <T extends { readonly caller?: string }>(question: T): T =>
    question.caller === undefined ? question : { ...question, caller: names.veil(question.caller) };
  return {
    overTime: async (question) => [
      ...((await asked?.rows("overTime", stored(question))) ?? []),
      ...unwritten(question),
    ],
    byRoute: async (question) => {
      const rows = (await asked?.rows("byRoute", stored(question))) ?? [];
      const known = unveiled(names);
      return [...rows.map((row) => ({ ...row, caller: known(row.caller) })), ...unwritten(question)];
    },
    spreads: async (question) => [
      ...((await asked?.spreads(question)) ?? []),
      ...seen.traffic.current().filter(({ atUnixMs }) => isWithin(atUnixMs, question)),
    ],
    firstSeen: async (what) => await asked?.firstSeen(stored(what)),
    changes: async (question) => {
      written?.noteChanges();
      return (await asked?.changes(question)) ?? [];
    },
  };
}

/** Each name looked up once: a caller has a row for each server and verdict. */
function unveiled({ unveil }: StoredNames): (stored: string) => string {
  const known = new Map<string, string>();
  return (stored) => {
    const found = known.get(stored) ?? unveil(stored);
    known.set(stored, found);
    return found;
  };
}

/** What is damaged is begun anew: it holds charts, and nothing that is needed. */
function opened(file: string, log: Log): TrafficStore | undefined {
  try {
    return openTraffic(file);
  } catch (error) {
    log.warn("traffic.begun_anew", { reason: error instanceof Error ? error.message : "unknown" });
  }
  try {
    for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
    return openTraffic(file);
  } catch (error) {
    log.error("traffic.unwritten", { reason: error instanceof Error ? error.message : "unknown" });
    return undefined;
  }
}

function noteChanges(store: TrafficStore, seen: SeenTraffic): void {
  const changes: readonly StoredChange[] = seen.takeChanges();
  if (changes.length > 0) store.noteChanges(changes);
}

interface StoredNames {
  /** Takes over what was erased. */
  readonly refresh: () => void;
  /** Nobody's is the empty text. */
  readonly veil: (caller: string) => string;
  readonly unveil: (stored: string) => string;
}

function storedNames({ audit, gatewayId }: Needs, trustDomain: string): StoredNames {
  const { names } = audit;
  return {
    refresh: () => void audit.subjectOf(gatewayId),
    veil: (caller) => {
      let isGone = false;
      const veiled = veiledNames(caller, (id) => {
        const name = names.callersOf(id).at(-1) ?? id;
        // INVARIANT: whose key was destroyed has no name on disk any more.
        if (name === id && isPersonal(id, trustDomain)) isGone = true;
        return name;
      });
      return isGone ? "" : veiled;
    },
    unveil: (stored) => {
      const name = names.named({ principal: stored, facts: {} }).principal;
      return name.search(pseudonymPattern) >= 0 ? "" : name;
    },
  };
}

function storedMinute({ atUnixMs, cells, ms, risk }: TrafficMinute, veil: StoredNames["veil"]): StoredMinute {
  const rows = cells.map((cell) => ({
    ...rowOf(cell, { atUnixMs }),
    caller: cell.caller === null ? "" : veil(cell.caller),
  }));
  return { rows, spread: { atUnixMs, ms, risk } };
}

function rowOf(cell: TrafficCell, { atUnixMs }: { readonly atUnixMs: number }): TrafficRow {
  return { ...cell, atUnixMs, caller: cell.caller ?? "" };
}

function isAsked(row: TrafficRow, asked: TrafficAsked): boolean {
  return (
    isWithin(row.atUnixMs, asked) &&
    (asked.caller === undefined || asked.caller === row.caller) &&
    (asked.server === undefined || asked.server === row.server)
  );
}

function isWithin(atUnixMs: number, { fromUnixMs, toUnixMs }: TrafficAsked): boolean {
  return atUnixMs >= fromUnixMs && atUnixMs < toUnixMs;
}
