/** What the file of traffic says of a time, read beside who writes it. A long time takes seconds: ask in a thread. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";

import { openDatabase } from "./database.ts";
import {
  partsIn,
  resolutions,
  type StoredChange,
  type StoredSpread,
  type StoredTraffic,
} from "./state-traffic.ts";

export interface TrafficAsked {
  /** A multiple of one of the `resolutions`. */
  readonly stepMs: number;
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  readonly caller?: string;
  readonly server?: string;
}

export interface ChangesAsked {
  readonly sinceUnixMs: number;
  readonly before: number;
  readonly limit: number;
}

export interface TrafficReader {
  /** Summed over callers and servers, by step, oldest first. */
  readonly overTime: (asked: TrafficAsked) => readonly StoredTraffic[];
  /** Summed over time, the busiest `maxRoutes`; callers of the others are nobody. `atUnixMs` is when each was last seen. */
  readonly byRoute: (asked: TrafficAsked) => readonly StoredTraffic[];
  /** By step. */
  readonly spreads: (asked: TrafficAsked) => readonly StoredSpread[];
  /** When it was seen first, as far as is still known. */
  readonly firstSeen: (what: Pick<TrafficAsked, "caller" | "server">) => number | undefined;
  /** Newest first, those before `before`. */
  readonly changes: (asked: ChangesAsked) => readonly StoredChange[];
  readonly close: () => void;
}

/** Callers may be another one each minute, for months. */
export const maxRoutes = 2000;

/** @throws Refusal `bad_state` if the file can't be opened */
export function readTraffic(file: string): TrafficReader {
  const db = openDatabase(file, () => undefined);
  return {
    overTime: (asked) => overTime(db, asked),
    byRoute: (asked) => byRoute(db, asked),
    spreads: (asked) => spreadsIn(db, asked),
    firstSeen: (what) => firstSeen(db, what),
    changes: ({ sinceUnixMs, before, limit }) =>
      db
        .prepare("select entry, at from changes where at >= ? and entry < ? order by entry desc limit ?")
        .all(sinceUnixMs, before, limit)
        .map(({ entry, at }) => ({ index: Number(entry), atUnixMs: Number(at) })),
    close: () => db.close(),
  };
}

const sums = `sum(calls) calls, sum(request_bytes) request_bytes, sum(answer_bytes) answer_bytes, sum(ms) ms,
  sum(risky) risky`;

function overTime(db: DatabaseSync, asked: TrafficAsked): readonly StoredTraffic[] {
  const { where, values } = within(asked);
  const sql = `select at - at % ? last, verdict, link, ${sums} from traffic where ${where}
    group by last, verdict, link order by last`;
  return db
    .prepare(sql)
    .all(asked.stepMs, ...values)
    .map(storedRow);
}

function byRoute(db: DatabaseSync, asked: TrafficAsked): readonly StoredTraffic[] {
  const { where, values } = within(asked);
  const sql = `with routes as (
      select caller, server, verdict, link, server_link, max(at) last, ${sums} from traffic where ${where}
      group by caller, server, verdict, link, server_link order by calls desc),
    numbered as (select *, row_number() over () as number from routes)
    select iif(number <= ${maxRoutes}, caller, '') as caller, server, verdict, link, server_link, max(last) last, ${sums}
    from numbered group by 1, server, verdict, link, server_link order by 1`;
  return db
    .prepare(sql)
    .all(...values)
    .map(storedRow);
}

function storedRow(row: Readonly<Record<string, unknown>>): StoredTraffic {
  return {
    atUnixMs: Number(row["last"]),
    caller: text(row["caller"]),
    server: text(row["server"]),
    verdict: text(row["verdict"]),
    link: text(row["link"]),
    serverLink: text(row["server_link"]),
    calls: Number(row["calls"]),
    requestBytes: Number(row["request_bytes"]),
    answerBytes: Number(row["answer_bytes"]),
    ms: Number(row["ms"]),
    risky: Number(row["risky"]),
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function spreadsIn(db: DatabaseSync, asked: TrafficAsked): readonly StoredSpread[] {
  const { stepMs, fromUnixMs, toUnixMs } = asked;
  const byStep = new Map<number, { readonly ms: number[]; readonly risk: number[] }>();
  const rows = db
    .prepare("select at, ms, risk from spread where step = ? and at >= ? and at < ? order by at")
    .all(keptStepMs(asked), fromUnixMs, toUnixMs);
  for (const { at, ms, risk } of rows) {
    const step = Number(at) - (Number(at) % stepMs);
    const sum = byStep.get(step) ?? { ms: [], risk: [] };
    byStep.set(step, sum);
    addTo(sum.ms, partsIn(ms));
    addTo(sum.risk, partsIn(risk));
  }
  return [...byStep].map(([atUnixMs, sum]) => ({ atUnixMs, ...sum }));
}

function addTo(sum: number[], parts: readonly number[]): void {
  for (const [i, part] of parts.entries()) sum[i] = (sum[i] ?? 0) + part;
}

function firstSeen(db: DatabaseSync, what: Pick<TrafficAsked, "caller" | "server">): number | undefined {
  const { where, values } = conditions(named(what));
  const at = db.prepare(`select min(at) at from traffic where ${where}`).get(...values)?.["at"];
  return at === null || at === undefined ? undefined : Number(at);
}

interface Conditions {
  readonly where: string;
  readonly values: readonly SQLInputValue[];
}

function within(asked: TrafficAsked): Conditions {
  const { where, values } = conditions({ step: keptStepMs(asked), ...named(asked) });
  return {
    where: `${where} and at >= ? and at < ?`,
    values: [...values, asked.fromUnixMs, asked.toUnixMs],
  };
}

function named({ caller, server }: Pick<TrafficAsked, "caller" | "server">): Record<string, SQLInputValue> {
  return { ...(caller !== undefined && { caller }), ...(server !== undefined && { server }) };
}

function conditions(equal: Readonly<Record<string, SQLInputValue>>): Conditions {
  const names = Object.keys(equal);
  return {
    where: names.length === 0 ? "true" : names.map((name) => `${name} = ?`).join(" and "),
    values: Object.values(equal),
  };
}

/** The coarsest that its steps are made of. */
function keptStepMs({ stepMs }: TrafficAsked): number {
  const fits = resolutions.findLast((resolution) => stepMs % resolution.stepMs === 0);
  return (fits ?? resolutions[0]).stepMs;
}
