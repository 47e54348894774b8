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
  type TrafficAsked,
  type TrafficStore,
} from "../../host/store/state-traffic.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { AuditLog } from "../audit-log.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import type { SeenTraffic } from "./seen-traffic.ts";

export interface KeptTraffic {
  /** By time, verdict and link; what isn't written down yet is among it. */
  readonly overTime: (asked: TrafficAsked) => readonly TrafficRow[];
  /** By caller, server, verdict and links. */
  readonly byRoute: (asked: TrafficAsked) => readonly TrafficRow[];
  readonly spreads: TrafficStore["spreads"];
  readonly firstSeen: TrafficStore["firstSeen"];
  /** Newest first. */
  readonly changes: TrafficStore["changes"];
}

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
  const store = opened(statePaths(config.state).traffic, needs.log);
  const names = storedNames(needs, config.trust_domain);
  if (store !== undefined) opening.defer(writeDown(store, names, needs));
  return readTraffic(store, names, needs.seen);
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

function readTraffic(store: TrafficStore | undefined, names: StoredNames, seen: SeenTraffic): KeptTraffic {
  const unwritten = (asked: TrafficAsked): readonly TrafficRow[] =>
    seen.traffic
      .current()
      .flatMap((minute) => minute.cells.map((cell) => rowOf(cell, minute)))
      .filter((row) => isAsked(row, asked));
  const stored = <T extends { readonly caller?: string }>(asked: T): T =>
    asked.caller === undefined ? asked : { ...asked, caller: names.veil(asked.caller) };
  return {
    overTime: (asked) => [...(store?.overTime(stored(asked)) ?? []), ...unwritten(asked)],
    byRoute: (asked) => [
      ...(store?.byRoute(stored(asked)) ?? []).map((row) => ({ ...row, caller: names.unveil(row.caller) })),
      ...unwritten(asked),
    ],
    spreads: (asked) => [
      ...(store?.spreads(asked) ?? []),
      ...seen.traffic.current().filter(({ atUnixMs }) => isWithin(atUnixMs, asked)),
    ],
    firstSeen: (what) => store?.firstSeen(stored(what)),
    changes: (asked) => {
      if (store === undefined) return [];
      noteChanges(store, seen);
      return store.changes(asked);
    },
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
