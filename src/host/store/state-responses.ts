/**
 * Restrictions in force, in the state database, with what was done until the audit log has it.
 *
 * Durability: each change is on disk when the call returns. Concurrency: every change is one transaction, whichever of
 * the processes that share the file makes it. Failure: throws, and nothing was changed.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import type { EntryEvent, EntryOutcome } from "../../model/entry.ts";
import type { Restriction } from "../../respond/restriction.ts";
import { openDatabase, transaction, withoutSync } from "./database.ts";

/** What was done, as the audit log is to have it; no payload. */
export interface ResponseEvent {
  readonly event: EntryEvent;
  readonly atUnixMs: number;
  /** Whom it is about; the gateway where nobody is named. */
  readonly principal?: string | undefined;
  /** `server/tool` */
  readonly tool?: string | undefined;
  readonly outcome?: EntryOutcome;
  readonly facts: Readonly<Record<string, string>>;
}

interface UnrecordedResponseEvent extends ResponseEvent {
  readonly id: number;
  /** The same however often it is written. */
  readonly callId: string;
}

/** What turns everything off. */
export const killSources = ["cli", "api", "signal", "file"] as const;
export type KillSource = (typeof killSources)[number];

/** A source of the kill switch that is on. */
export interface Kill {
  readonly source: KillSource;
  /** `operator:NAME`, or `drill:TOKEN` of a drill. */
  readonly by: string;
  /** One sentence. */
  readonly because: string;
  readonly sinceUnixMs: number;
}

/** Whose stop it is, when only that one is to be withdrawn. */
export type Standing = Pick<Kill, "by"> & Partial<Pick<Kill, "sinceUnixMs">>;

export interface Unkill {
  readonly by: string;
  readonly because: string;
  readonly nowUnixMs: number;
  /** Nothing else than this is withdrawn. */
  readonly only?: Standing;
}

/** How a drill's own stop is known. */
export const drillPrefix = "drill:";

export interface ResponseStore {
  /** All that were neither lifted nor forgotten, oldest first; whether they are over their stages say. */
  readonly restrictions: () => readonly Restriction[];
  /** A new one, or another in the place of that of the same id. */
  readonly put: (restriction: Restriction, event: ResponseEvent) => void;
  /** @returns whether there was one */
  readonly remove: (id: string, event: ResponseEvent) => boolean;
  /** Those that are on, the first one first. */
  readonly kills: () => readonly Kill[];
  /**
   * The newest word stands, and its moment is its own: a drill that withdraws its stop by them never withdraws another's. A
   * drill's takes nobody's place.
   * @returns whether that source wasn't on before, unless by a drill
   */
  readonly kill: (kill: Kill) => boolean;
  /** @returns whether that source was on */
  readonly unkill: (source: KillSource, why: Unkill) => boolean;
  /** Only tells. */
  readonly tell: (event: ResponseEvent) => void;
  readonly unrecorded: () => readonly UnrecordedResponseEvent[];
  readonly recorded: (id: number) => void;
  readonly close: () => void;
}

/** Entries that are written at once; the others come at the next look. */
const writtenAtOnce = 1000;

const schema = `
  create table if not exists restrictions (
    id text primary key, since_unix_ms integer not null, text text not null
  ) strict;
  create table if not exists kills (
    source text primary key, by text not null, because text not null, since_unix_ms integer not null
  ) strict;
  create table if not exists response_events (
    id integer primary key autoincrement, call_id text not null, text text not null
  ) strict;
`;

/**
 * @param patienceMs how long a change waits for another process's, during which nothing else is done; 5 s if absent
 * @throws Refusal `bad_state` if the file can't be opened
 */
export function openResponses(file: string, patienceMs?: number): ResponseStore {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  if (patienceMs !== undefined) db.exec(`pragma busy_timeout = ${Math.trunc(patienceMs)}`);
  const tell = telling(db);
  const put = db.prepare("insert or replace into restrictions values (?, ?, ?)");
  const remove = db.prepare("delete from restrictions where id = ?");
  const forget = db.prepare("delete from response_events where id = ?");
  return {
    restrictions: () =>
      db
        .prepare("select text from restrictions order by since_unix_ms, id")
        .all()
        .map((row) => JSON.parse(String(row["text"])) as Restriction),
    put: (restriction, event) =>
      transaction(db, () => {
        put.run(restriction.id, restriction.sinceUnixMs, JSON.stringify(restriction));
        tell(event);
      }),
    remove: (id, event) =>
      transaction(db, () => {
        if (Number(remove.run(id).changes) === 0) return false;
        tell(event);
        return true;
      }),
    ...killing(db, tell),
    tell,
    unrecorded: () =>
      db
        .prepare("select * from response_events order by id limit ?")
        .all(writtenAtOnce)
        .map((row) => ({
          ...(JSON.parse(String(row["text"])) as ResponseEvent),
          id: Number(row["id"]),
          callId: String(row["call_id"]),
        })),
    // One that is told again after a loss of power has the same call id; nobody waits for the disk for that.
    recorded: (id) => withoutSync(db, () => void forget.run(id)),
    close: () => db.close(),
  };
}

function killing(
  db: DatabaseSync,
  tell: ResponseStore["tell"],
): Pick<ResponseStore, "kills" | "kill" | "unkill"> {
  const all = db.prepare("select * from kills order by since_unix_ms, source");
  const find = db.prepare("select by from kills where source = ?");
  const put = db.prepare(`
    insert into kills values (?, ?, ?, ?) on conflict (source) do update set by = excluded.by,
      because = excluded.because, since_unix_ms = max(excluded.since_unix_ms, since_unix_ms + 1)
  `);
  const remove = db.prepare(`
    delete from kills where source = ? and by = coalesce(?, by) and since_unix_ms = coalesce(?, since_unix_ms)
  `);
  return {
    kills: () =>
      all.all().map((row) => ({
        source: killSources.find((each) => each === row["source"]) ?? "cli",
        by: String(row["by"]),
        because: String(row["because"]),
        sinceUnixMs: Number(row["since_unix_ms"]),
      })),
    kill: ({ source, by, because, sinceUnixMs }) =>
      transaction(db, () => {
        const before = find.get(source)?.["by"];
        if (before !== undefined && by.startsWith(drillPrefix)) return false;
        put.run(source, by, because, sinceUnixMs);
        tell({ event: "kill.on", atUnixMs: sinceUnixMs, facts: { source, because, by } });
        return before === undefined || String(before).startsWith(drillPrefix);
      }),
    unkill: (source, { by, because, nowUnixMs, only }) =>
      transaction(db, () => {
        const own = remove.run(source, only?.by ?? null, only?.sinceUnixMs ?? null);
        if (Number(own.changes) === 0) return false;
        tell({ event: "kill.off", atUnixMs: nowUnixMs, facts: { source, because, by } });
        return true;
      }),
  };
}

function telling(db: DatabaseSync): ResponseStore["tell"] {
  const insert = db.prepare("insert into response_events (call_id, text) values (?, ?)");
  return (event) => void insert.run(randomUUIDv7(), JSON.stringify(event));
}
