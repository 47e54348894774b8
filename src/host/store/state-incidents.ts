/**
 * Incidents, what is suppressed and what was held back, in the state database: the running gateway adds, commands close
 * and suppress, and what is to stand in the audit log waits here until it does.
 *
 * Durability: what is opened, closed or suppressed is on disk when the call returns; what an open incident grows by, at
 * the next `update`. Concurrency: every change is one transaction; one that was closed isn't opened again by an update.
 * Failure: throws, and nothing was changed.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import type { EntryDraft } from "../../model/entry.ts";
import type { Incident } from "../../respond/incidents/incident.ts";
import type { Suppression } from "../../respond/incidents/suppression.ts";
import { openDatabase, transaction, withoutSync } from "./database.ts";

/** For the audit log; whoever acts is named by the one who writes it. */
export type IncidentRecord = Pick<EntryDraft, "event" | "principal" | "tool" | "facts" | "atUnixMs">;

interface UnrecordedIncident extends IncidentRecord {
  readonly id: number;
  /** The same however often it is written. */
  readonly callId: string;
}

/** A model's signal that wasn't told. */
export interface HeldBackRow {
  readonly atUnixMs: number;
  readonly kind: string;
  readonly score: number;
  readonly threshold: number;
  readonly why: string;
  readonly caller?: string;
  readonly target?: string;
  readonly source?: string;
  readonly callId: string;
  readonly says: string;
}

export interface IncidentStore {
  /** Newest first, `limit` at most. */
  readonly list: (which: "open" | "all", limit: number) => readonly Incident[];
  readonly of: (id: string) => Incident | undefined;
  readonly open: (incident: Incident, record: IncidentRecord) => void;
  /** Those that are open still, as they are now. */
  readonly update: (incidents: readonly Incident[], records: readonly IncidentRecord[]) => void;
  /** @returns whether it was open */
  readonly close: (incident: Incident, record: IncidentRecord) => boolean;
  readonly suppressions: () => readonly Suppression[];
  readonly suppress: (suppression: Suppression, record: IncidentRecord) => void;
  /** @returns whether there was one */
  readonly lift: (id: string, record: (was: Suppression) => IncidentRecord) => boolean;
  readonly holdBack: (rows: readonly HeldBackRow[]) => void;
  /** Newest first; and how many there were in all, kept or not. */
  readonly heldBack: (limit: number) => { readonly rows: readonly HeldBackRow[]; readonly total: number };
  /** When incidents of models were opened since then. */
  readonly spentSince: (unixMs: number) => readonly number[];
  readonly unrecorded: () => readonly UnrecordedIncident[];
  readonly recorded: (id: number) => void;
  /** Another number once another process has changed something. */
  readonly version: () => number;
  readonly end: () => void;
}

/** What is over is kept for people to look back; what is older stands in the audit log. */
const maxClosed = 5000;
const maxHeldBack = 1000;
const writtenAtOnce = 1000;

const schema = `
  create table if not exists incidents (
    id text primary key, opened_unix_ms integer not null, state text not null, hard integer not null,
    text text not null
  ) strict;
  create index if not exists incidents_by_time on incidents (opened_unix_ms);
  create table if not exists incident_suppressions (id text primary key, text text not null) strict;
  create table if not exists incidents_held_back (
    id integer primary key autoincrement, text text not null
  ) strict;
  create table if not exists incident_events (
    id integer primary key autoincrement, call_id text not null, text text not null
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened */
export function openIncidents(file: string): IncidentStore {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  const version = db.prepare("pragma data_version");
  const tell = telling(db);
  return {
    ...incidentRows(db, tell),
    ...suppressionRows(db, tell),
    ...heldBackRows(db),
    unrecorded: () =>
      db
        .prepare("select * from incident_events order by id limit ?")
        .all(writtenAtOnce)
        .map((row) => ({
          ...(JSON.parse(String(row["text"])) as IncidentRecord),
          id: Number(row["id"]),
          callId: String(row["call_id"]),
        })),
    recorded: (id) => void db.prepare("delete from incident_events where id = ?").run(id),
    version: () => Number(version.get()?.["data_version"]),
    end: () => db.close(),
  };
}

type Tell = (record: IncidentRecord) => void;

function telling(db: DatabaseSync): Tell {
  const insert = db.prepare("insert into incident_events (call_id, text) values (?, ?)");
  return (record) => void insert.run(randomUUIDv7(), JSON.stringify(record));
}

function incidentIn(row: Record<string, unknown>): Incident {
  return JSON.parse(String(row["text"])) as Incident;
}

function incidentRows(
  db: DatabaseSync,
  tell: Tell,
): Pick<IncidentStore, "list" | "of" | "open" | "update" | "close" | "spentSince"> {
  const find = db.prepare("select text from incidents where id = ?");
  const put = db.prepare("insert or replace into incidents values (?, ?, ?, ?, ?)");
  const change = db.prepare("update incidents set hard = ?, text = ? where id = ? and state = 'open'");
  const shut = db.prepare("update incidents set state = 'closed', text = ? where id = ? and state = 'open'");
  const prune = db.prepare(`
    delete from incidents where state = 'closed' and id not in
      (select id from incidents where state = 'closed' order by opened_unix_ms desc limit ${maxClosed})
  `);
  const listed = (where: string) =>
    db.prepare(`select text from incidents ${where} order by opened_unix_ms desc, id limit ?`);
  const lists = { open: listed("where state = 'open'"), all: listed("") };
  return {
    list: (which, limit) => lists[which].all(limit).map(incidentIn),
    of: (id) => {
      const row = find.get(id);
      return row === undefined ? undefined : incidentIn(row);
    },
    open: (incident, record) =>
      transaction(db, () => {
        const { id, openedUnixMs, state, isHard } = incident;
        put.run(id, openedUnixMs, state, Number(isHard), JSON.stringify(incident));
        tell(record);
      }),
    update: (incidents, records) =>
      withoutSync(db, () =>
        transaction(db, () => {
          for (const each of incidents) change.run(Number(each.isHard), JSON.stringify(each), each.id);
          for (const record of records) tell(record);
        }),
      ),
    close: (incident, record) =>
      transaction(db, () => {
        if (Number(shut.run(JSON.stringify(incident), incident.id).changes) === 0) return false;
        tell(record);
        prune.run();
        return true;
      }),
    spentSince: (unixMs) =>
      db
        .prepare("select opened_unix_ms from incidents where hard = 0 and opened_unix_ms > ?")
        .all(unixMs)
        .map((row) => Number(row["opened_unix_ms"])),
  };
}

function suppressionRows(
  db: DatabaseSync,
  tell: Tell,
): Pick<IncidentStore, "suppressions" | "suppress" | "lift"> {
  const read = (row: Record<string, unknown>): Suppression => JSON.parse(String(row["text"])) as Suppression;
  return {
    suppressions: () => db.prepare("select text from incident_suppressions order by id").all().map(read),
    suppress: (suppression, record) =>
      transaction(db, () => {
        db.prepare("insert into incident_suppressions values (?, ?)").run(
          suppression.id,
          JSON.stringify(suppression),
        );
        tell(record);
      }),
    lift: (id, record) =>
      transaction(db, () => {
        const row = db.prepare("select text from incident_suppressions where id = ?").get(id);
        if (row === undefined) return false;
        db.prepare("delete from incident_suppressions where id = ?").run(id);
        tell(record(read(row)));
        return true;
      }),
  };
}

function heldBackRows(db: DatabaseSync): Pick<IncidentStore, "holdBack" | "heldBack"> {
  const insert = db.prepare("insert into incidents_held_back (text) values (?)");
  return {
    holdBack: (rows) =>
      withoutSync(db, () =>
        transaction(db, () => {
          for (const row of rows) insert.run(JSON.stringify(row));
          db.prepare(
            `delete from incidents_held_back where id <= (select max(id) from incidents_held_back) - ${maxHeldBack}`,
          ).run();
        }),
      ),
    heldBack: (limit) => ({
      rows: db
        .prepare("select text from incidents_held_back order by id desc limit ?")
        .all(limit)
        .map((row) => JSON.parse(String(row["text"])) as HeldBackRow),
      // Autoincrement: the highest number is how many there ever were.
      total: Number(
        db.prepare("select seq from sqlite_sequence where name = 'incidents_held_back'").get()?.["seq"] ?? 0,
      ),
    }),
  };
}
