/** The file of an audit log's index: made, or replaced if it isn't one of this version. */
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";

const schema = `
create table about (name text primary key, value text not null) strict;
create table words (id integer primary key, word text not null unique) strict;
create table calls (
  first integer primary key, last integer, at integer not null, call text not null, event integer not null,
  caller integer not null, tool integer, server integer, rule integer, verdict integer not null, session integer
) strict;
create index open_calls on calls (call) where last is null;
create index events on calls (event, first) where last = first;
`;

/** @throws Refusal `bad_state` if the file can't be used, and not replaced either */
export function openIndexFile(file: string): {
  readonly db: DatabaseSync;
  /** Why another index had to be made; undefined for one that is there, or is new. */
  readonly replaced: string | undefined;
} {
  const first = tryOpen(file);
  if (typeof first !== "string") return { db: first, replaced: undefined };
  removeIndexFile(file);
  const second = tryOpen(file);
  if (typeof second === "string") throw new Refusal("bad_state", `${file} can't be made: ${second}.`);
  return { db: second, replaced: first };
}

/** With what SQLite keeps beside it. */
export function removeIndexFile(file: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
}

/** Whether the file itself is the reason of an error: then another one does better. */
export function isDamage(error: unknown): boolean {
  const cause: unknown = error instanceof Refusal ? error.cause : error;
  return cause instanceof Error && "errcode" in cause && damages.has(Number(cause.errcode) & 0xff);
}

/** SQLITE_ERROR (a column that isn't there), SQLITE_CORRUPT, SQLITE_MISMATCH, SQLITE_NOTADB. */
const damages: ReadonlySet<number> = new Set([1, 11, 20, 26]);

function tryOpen(file: string): DatabaseSync | string {
  try {
    const db = openDatabase(file, (opened) => {
      // Another process may be quicker.
      transaction(opened, () => {
        if (schemaOf(opened) === "") opened.exec(schema);
      });
    });
    // What is lost with the power is indexed again.
    db.exec("pragma synchronous = normal;");
    if (schemaOf(db) === expected()) return db;
    db.close();
    return "it is of another version";
  } catch (error) {
    if (isDamage(error)) return "it is damaged";
    const text = `${file} can't be used as the index of the audit log.`;
    throw new Refusal("bad_state", text, { cause: error });
  }
}

function schemaOf(db: DatabaseSync): string {
  const rows = db.prepare("select sql from sqlite_schema where sql is not null order by name").all();
  return rows.map(({ sql }) => String(sql)).join("\n");
}

/** As SQLite itself writes it down. */
function expected(): string {
  const db = new DatabaseSync(":memory:");
  db.exec(schema);
  const text = schemaOf(db);
  db.close();
  return text;
}
