/**
 * How far each outlet has told the log, in a database of its own: what is written with every batch would otherwise make
 * the gateway look through its state each time.
 *
 * Durability: a cursor outlives this process; after a loss of power it may be older, and what it had passed is told again.
 */
import type { DatabaseSync } from "node:sqlite";

import { openDatabase, withoutSync } from "./database.ts";

/** @property digest of the entry before the cursor, in hexadecimal digits */
export interface LogMark {
  readonly cursor: number;
  readonly digest: string;
}

/** What the log had under these numbers was told, and isn't in it any more. */
export interface LostEnd {
  readonly from: number;
  /** The first that wasn't told. */
  readonly to: number;
  /** Tells one such end from another. */
  readonly id: string;
  readonly isTold: boolean;
}

export interface OutletRow {
  readonly name: string;
  /** Of the log that the cursor counts in. */
  readonly origin: string;
  /** The first entry that isn't acknowledged. */
  readonly cursor: number;
  /** From where an operator wants it told again; the running gateway takes it up. */
  readonly replayFrom: number | undefined;
  /** Events that were acknowledged. */
  readonly sent: number;
  /** Events that the other end will never take. */
  readonly dead: number;
  readonly lastSentUnixMs: number | undefined;
  /** Since when nothing gets through; undefined while it does. */
  readonly failingSinceUnixMs: number | undefined;
  readonly lastError: string | undefined;
  /** What TLS negotiated, as it was last. */
  readonly link: string | undefined;
  /** Where the last batches that were taken began that its end may lose yet, oldest first. */
  readonly doubtful: readonly number[];
  /** What it was told of, to be found again in the log; oldest first. */
  readonly marks: readonly LogMark[];
  readonly lost: LostEnd | undefined;
}

type OutletChange = Partial<Omit<OutletRow, "name">>;

export interface OutletStore {
  readonly all: () => readonly OutletRow[];
  readonly of: (name: string) => OutletRow | undefined;
  /** A first row, if there is none. */
  readonly begin: (name: string, origin: string, cursor: number) => void;
  /** Only what is named; `undefined` makes it none. */
  readonly change: (name: string, change: OutletChange) => void;
  readonly close: () => void;
}

const schema = `
  create table if not exists outlets (
    name text primary key, origin text not null, cursor integer not null, replay_from integer,
    sent integer not null default 0, dead integer not null default 0, last_sent_unix_ms integer,
    failing_since_unix_ms integer, last_error text, link text
  ) strict;
`;

/** In JSON. */
const listed = { doubtful: "doubtful", marks: "marks", lost: "lost" } as const;

const columns = {
  ...listed,
  origin: "origin",
  cursor: "cursor",
  replayFrom: "replay_from",
  sent: "sent",
  dead: "dead",
  lastSentUnixMs: "last_sent_unix_ms",
  failingSinceUnixMs: "failing_since_unix_ms",
  lastError: "last_error",
  link: "link",
} as const satisfies Record<keyof OutletChange, string>;

/** @throws Refusal `bad_state` if the file can't be opened */
export function openOutletStore(file: string): OutletStore {
  const db = openDatabase(file, prepare);
  return {
    all: () => db.prepare("select * from outlets order by name").all().map(rowOf),
    of: (name) => db.prepare("select * from outlets where name = ?").all(name).map(rowOf)[0],
    begin: (name, origin, cursor) =>
      void db
        .prepare("insert or ignore into outlets (name, origin, cursor) values (?, ?, ?)")
        .run(name, origin, cursor),
    change: (name, change) => withoutSync(db, () => write(db, name, change)),
    close: () => db.close(),
  };
}

function prepare(db: DatabaseSync): void {
  db.exec(schema);
  const there = new Set(
    db
      .prepare("pragma table_info(outlets)")
      .all()
      .map(({ name }) => name),
  );
  for (const column of Object.values(listed))
    if (!there.has(column)) db.exec(`alter table outlets add column ${column} text`);
}

function write(db: DatabaseSync, name: string, change: OutletChange): void {
  const named = (Object.keys(columns) as (keyof OutletChange)[]).filter((key) => Object.hasOwn(change, key));
  if (named.length === 0) return;
  const sets = named.map((key) => `${columns[key]} = ?`).join(", ");
  const values = named.map((key) => stored(change[key]));
  db.prepare(`update outlets set ${sets} where name = ?`).run(...values, name);
}

function stored(value: OutletChange[keyof OutletChange]): string | number | null {
  return typeof value === "object" ? JSON.stringify(value) : (value ?? null);
}

function rowOf(row: Record<string, unknown>): OutletRow {
  const text = (column: string): string | undefined =>
    typeof row[column] === "string" ? row[column] : undefined;
  const number = (column: string): number | undefined =>
    typeof row[column] === "number" ? row[column] : undefined;
  return {
    name: text("name") ?? "",
    origin: text("origin") ?? "",
    cursor: number("cursor") ?? 0,
    replayFrom: number("replay_from"),
    sent: number("sent") ?? 0,
    dead: number("dead") ?? 0,
    lastSentUnixMs: number("last_sent_unix_ms"),
    failingSinceUnixMs: number("failing_since_unix_ms"),
    lastError: text("last_error"),
    link: text("link"),
    doubtful: JSON.parse(text("doubtful") ?? "[]") as readonly number[],
    marks: JSON.parse(text("marks") ?? "[]") as readonly LogMark[],
    lost: (JSON.parse(text("lost") ?? "null") as LostEnd | null) ?? undefined,
  };
}
