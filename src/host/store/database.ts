/** The state database: one file on node:sqlite, in which each part of the state has tables of its own. */
import { closeSync, fchmodSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";

/** How long one change waits for another process's. */
const patienceMs = 5000;

/**
 * For its owner alone; each change is on disk when it is done.
 * @param prepare makes the tables that aren't there yet: lost with the machine's power, they are made again
 * @throws Refusal `bad_state` if the file can't be opened or isn't ours
 */
export function openDatabase(file: string, prepare: (db: DatabaseSync) => void): DatabaseSync {
  try {
    keepPrivate(file);
    const db = new DatabaseSync(file, { timeout: patienceMs });
    db.exec("pragma journal_mode = wal; pragma secure_delete = on;");
    withoutSync(db, () => prepare(db));
    return db;
  } catch (cause) {
    throw new Refusal("bad_state", `${file} can't be opened as the state database.`, { cause });
  }
}

/** Waits for its turn before it reads, so that nothing it has seen changes before it writes. Within another, it is a part of that one. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  if (db.isTransaction) return work();
  db.exec("begin immediate");
  try {
    const result = work();
    db.exec("commit");
    return result;
  } catch (error) {
    db.exec("rollback");
    throw error;
  }
}

/** Outlives this process all the same; only a machine that loses its power may forget the last second. */
export function withoutSync(db: DatabaseSync, work: () => void): void {
  db.exec("pragma synchronous = normal");
  try {
    work();
  } finally {
    db.exec("pragma synchronous = full");
  }
}

/** SQLite gives its further files the mode of this one. */
function keepPrivate(file: string): void {
  const descriptor = openSync(file, "a", 0o600);
  fchmodSync(descriptor, 0o600);
  closeSync(descriptor);
}
