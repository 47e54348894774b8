/** One change of a database, whole or not at all. */
import type { DatabaseSync } from "node:sqlite";

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
