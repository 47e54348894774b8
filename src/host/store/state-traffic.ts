/**
 * Traffic over time, in a file of its own: minutes for some hours, then tens of minutes, then hours. Losing it loses
 * charts, nothing else. INVARIANT: callers stand in it as the audit log names them, so that whoever is erased there is
 * nobody's here.
 */
import type { DatabaseSync } from "node:sqlite";

import { openDatabase, transaction } from "./database.ts";

/** Calls that have all this in common; `caller` is empty for those that aren't told apart. */
export interface StoredTraffic {
  readonly atUnixMs: number;
  readonly caller: string;
  readonly server: string;
  readonly verdict: string;
  readonly link: string;
  readonly serverLink: string;
  readonly calls: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly ms: number;
  readonly risky: number;
}

/** How many calls were how long, and how risky. */
export interface StoredSpread {
  readonly atUnixMs: number;
  readonly ms: readonly number[];
  readonly risk: readonly number[];
}

export interface StoredMinute {
  readonly rows: readonly StoredTraffic[];
  readonly spread: StoredSpread;
}

/** An entry of the log that people want to be told of. */
export interface StoredChange {
  readonly index: number;
  readonly atUnixMs: number;
}

export interface TrafficStore {
  readonly add: (minutes: readonly StoredMinute[], nowUnixMs: number) => void;
  readonly noteChanges: (changes: readonly StoredChange[]) => void;
  readonly close: () => void;
}

/** From fine to coarse: how long each is kept. */
export const resolutions = [
  { stepMs: 60_000, keptMs: 6 * 3_600_000 },
  { stepMs: 600_000, keptMs: 7 * 86_400_000 },
  { stepMs: 3_600_000, keptMs: 60 * 86_400_000 },
] as const;

/** Rows of one stretch of time; callers beyond are summed up as nobody's. */
const maxRows = 200;
const maxChanges = 20_000;

const schema = `
  create table if not exists traffic (
    step integer not null, at integer not null, caller text not null, server text not null, verdict text not null,
    link text not null, server_link text not null, calls integer not null, request_bytes integer not null,
    answer_bytes integer not null, ms integer not null, risky integer not null,
    primary key (step, at, caller, server, verdict, link, server_link)
  ) strict, without rowid;
  create table if not exists spread (
    step integer not null, at integer not null, ms text not null, risk text not null, primary key (step, at)
  ) strict, without rowid;
  create table if not exists changes (entry integer primary key, at integer not null) strict;
  create index if not exists changes_at on changes (at);
`;

/** @throws Refusal `bad_state` if the file can't be opened */
export function openTraffic(file: string): TrafficStore {
  const db = openDatabase(file, (made) => made.exec(schema));
  // Of what a machine without power loses here, nobody misses the last minute.
  db.exec("pragma synchronous = normal");
  return {
    add: (minutes, nowUnixMs) =>
      transaction(db, () => {
        const write = writer(db);
        for (const minute of minutes) for (const { stepMs } of resolutions) write(minute, stepMs);
        prune(db, nowUnixMs);
      }),
    noteChanges: (changes) =>
      transaction(db, () => {
        const add = db.prepare("insert or replace into changes values (?, ?)");
        for (const { index, atUnixMs } of changes) add.run(index, atUnixMs);
        db.prepare(
          "delete from changes where entry <= (select entry from changes order by entry desc limit 1 offset ?)",
        ).run(maxChanges);
      }),
    close: () => db.close(),
  };
}

function writer(db: DatabaseSync): (minute: StoredMinute, stepMs: number) => void {
  const count = db.prepare("select count(*) n from traffic where step = ? and at = ?");
  const isThere = db.prepare(
    "select 1 from traffic where step = ? and at = ? and caller = ? and server = ? and verdict = ? and link = ? and server_link = ?",
  );
  const put = db.prepare(
    `insert into traffic values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set
      calls = calls + excluded.calls, request_bytes = request_bytes + excluded.request_bytes,
      answer_bytes = answer_bytes + excluded.answer_bytes, ms = ms + excluded.ms, risky = risky + excluded.risky`,
  );
  const spreadAt = db.prepare("select ms, risk from spread where step = ? and at = ?");
  const putSpread = db.prepare("insert or replace into spread values (?, ?, ?, ?)");
  return ({ rows, spread }, stepMs) => {
    const at = spread.atUnixMs - (spread.atUnixMs % stepMs);
    let room = maxRows - Number(count.get(stepMs, at)?.["n"] ?? 0);
    for (const row of rows) {
      const { server, verdict, link, serverLink, calls, requestBytes, answerBytes, ms, risky } = row;
      const rest = [server, verdict, link, serverLink] as const;
      const isOld = isThere.get(stepMs, at, row.caller, ...rest) !== undefined;
      const caller = isOld || room > 0 ? row.caller : "";
      if (!isOld) room--;
      put.run(stepMs, at, caller, ...rest, calls, requestBytes, answerBytes, ms, risky);
    }
    const before = spreadAt.get(stepMs, at);
    const ms = added(spread.ms, before?.["ms"]);
    putSpread.run(stepMs, at, JSON.stringify(ms), JSON.stringify(added(spread.risk, before?.["risk"])));
  };
}

function added(parts: readonly number[], before: unknown): readonly number[] {
  const had = partsIn(before);
  return parts.map((part, i) => part + (had[i] ?? 0));
}

export function partsIn(text: unknown): readonly number[] {
  return typeof text === "string" ? (JSON.parse(text) as number[]) : [];
}

function prune(db: DatabaseSync, nowUnixMs: number): void {
  for (const { stepMs, keptMs } of resolutions) {
    for (const table of ["traffic", "spread"])
      db.prepare(`delete from ${table} where step = ? and at < ?`).run(stepMs, nowUnixMs - keptMs);
  }
}
