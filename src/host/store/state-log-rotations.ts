/**
 * Rotations of the log's keys that a command asked for, in the state database: whoever writes the log carries them
 * out, the running gateway or the command itself. What came of them stands in the log.
 */
import { openDatabase, transaction } from "./database.ts";

export interface RotationRequest {
  readonly id: number;
  readonly atUnixMs: number;
  /** What asked for it, as its entry will say. */
  readonly by: string;
  /** The generation that it leads to; null until somebody has begun. */
  readonly generation: number | null;
}

export type RotationOutcome =
  | { readonly kind: "open" }
  | { readonly kind: "done"; readonly generation: number }
  | { readonly kind: "failed"; readonly why: string };

export interface RotationRequests {
  /** @returns its id, or that of the one that is open already */
  readonly ask: (request: Pick<RotationRequest, "atUnixMs" | "by">) => number;
  readonly open: () => RotationRequest | undefined;
  readonly begin: (id: number, generation: number) => void;
  readonly settle: (id: number, outcome: Exclude<RotationOutcome, { kind: "open" }>) => void;
  readonly outcome: (id: number) => RotationOutcome;
  /** Changes when somebody else has written to the database. */
  readonly version: () => number;
  readonly close: () => void;
}

const schema = `
  create table if not exists log_rotations (
    id integer primary key, at_unix_ms integer not null, by text not null, generation integer,
    settled text check (settled in ('done', 'failed')), why text
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openRotationRequests(file: string): RotationRequests {
  const db = openDatabase(file, (db) => db.exec(schema));
  const version = db.prepare("pragma data_version");
  const firstOpen = db.prepare("select * from log_rotations where settled is null order by id limit 1");
  const open = (): RotationRequest | undefined => {
    const row = firstOpen.get();
    if (row === undefined) return undefined;
    const { id, at_unix_ms: at, by, generation } = row;
    return {
      id: Number(id),
      atUnixMs: Number(at),
      by: String(by),
      generation: generation === null ? null : Number(generation),
    };
  };
  return {
    open,
    ask: ({ atUnixMs, by }) =>
      transaction(db, () => {
        const known = open();
        if (known !== undefined) return known.id;
        const added = db
          .prepare("insert into log_rotations (at_unix_ms, by) values (?, ?)")
          .run(atUnixMs, by);
        return Number(added.lastInsertRowid);
      }),
    begin: (id, generation) =>
      void db.prepare("update log_rotations set generation = ? where id = ?").run(generation, id),
    settle: (id, outcome) => {
      const [generation, why] = outcome.kind === "done" ? [outcome.generation, null] : [null, outcome.why];
      db.prepare("update log_rotations set settled = ?, generation = ?, why = ? where id = ?").run(
        outcome.kind,
        generation,
        why,
        id,
      );
    },
    outcome: (id) => {
      const row = db.prepare("select settled, generation, why from log_rotations where id = ?").get(id);
      if (row?.["settled"] === "done") return { kind: "done", generation: Number(row["generation"]) };
      if (row?.["settled"] === "failed") return { kind: "failed", why: String(row["why"]) };
      return { kind: "open" };
    },
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}
