/**
 * Renewals of the log that a command asked for, in the state database: whoever writes the log carries them out. One
 * that died on the way is done again from its beginning: a second renewal harms nothing.
 */
import { openDatabase } from "./database.ts";

interface RenewalRequest {
  readonly id: number;
  /** What asked for it, as its entry will say. */
  readonly by: string;
  /** The hash it asked for: unread. */
  readonly hash: string;
}

export interface RenewalDone {
  readonly number: number;
  readonly size: number;
  /** Of its evidence. */
  readonly files: number;
}

export type RenewalOutcome =
  | { readonly kind: "open" }
  | ({ readonly kind: "done" } & RenewalDone)
  | { readonly kind: "failed"; readonly why: string };

export interface RenewalRequests {
  readonly ask: (request: Omit<RenewalRequest, "id"> & { readonly atUnixMs: number }) => number;
  /** The oldest that is open. */
  readonly open: () => RenewalRequest | undefined;
  readonly settle: (id: number, outcome: Exclude<RenewalOutcome, { kind: "open" }>) => void;
  readonly outcome: (id: number) => RenewalOutcome;
  /** Changes when somebody else has written to the database. */
  readonly version: () => number;
  readonly close: () => void;
}

const schema = `
  create table if not exists log_renewals (
    id integer primary key, at_unix_ms integer not null, by text not null, hash text not null,
    settled text check (settled in ('done', 'failed')), number integer, size integer, files integer, why text
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openRenewalRequests(file: string): RenewalRequests {
  const db = openDatabase(file, (db) => db.exec(schema));
  const version = db.prepare("pragma data_version");
  const firstOpen = db.prepare("select * from log_renewals where settled is null order by id limit 1");
  return {
    ask: ({ atUnixMs, by, hash }) => {
      const insert = db.prepare("insert into log_renewals (at_unix_ms, by, hash) values (?, ?, ?)");
      return Number(insert.run(atUnixMs, by, hash).lastInsertRowid);
    },
    open: () => {
      const row = firstOpen.get();
      return row && { id: Number(row["id"]), by: String(row["by"]), hash: String(row["hash"]) };
    },
    settle: (id, outcome) => {
      const { number, size, files } =
        outcome.kind === "done" ? outcome : { number: null, size: null, files: null };
      const why = outcome.kind === "failed" ? outcome.why : null;
      db.prepare(
        "update log_renewals set settled = ?, number = ?, size = ?, files = ?, why = ? where id = ?",
      ).run(outcome.kind, number, size, files, why, id);
    },
    outcome: (id) => {
      const row = db.prepare("select * from log_renewals where id = ?").get(id) ?? {};
      const { settled, number, size, files, why } = row;
      if (settled === "failed") return { kind: "failed", why: String(why) };
      if (settled !== "done") return { kind: "open" };
      return { kind: "done", number: Number(number), size: Number(size), files: Number(files) };
    },
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}
