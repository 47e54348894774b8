/** What commands did, in the state database, until the gateway has copied it into the audit log. */
import type { DatabaseSync } from "node:sqlite";

const eventNames = ["identity.root", "crypto.change", "assess.test"] as const;
type StateEventName = (typeof eventNames)[number];

/** What was done; no secret. */
export interface StateEvent {
  /** As the audit log names it. */
  readonly event: StateEventName;
  readonly atUnixMs: number;
  readonly what: string;
  readonly facts: Readonly<Record<string, string>>;
}

export interface StateEvents {
  /** Those the audit log doesn't have yet, oldest first. */
  readonly unrecorded: () => readonly (StateEvent & { readonly id: number })[];
  readonly recorded: (id: number) => void;
}

/** Makes the table that isn't there yet, and widens one of before. */
export function prepareEvents(db: DatabaseSync): void {
  db.exec(`
    create table if not exists root_events (
      id integer primary key, at_unix_ms integer not null, what text not null, facts text not null,
      recorded integer not null default 0, event text not null default 'identity.root'
    ) strict;
  `);
  const columns = db.prepare("pragma table_info(root_events)").all();
  if (columns.some((column) => column["name"] === "event")) return;
  db.exec("alter table root_events add column event text not null default 'identity.root'");
}

export function tellEvent(db: DatabaseSync, { event, atUnixMs, what, facts }: StateEvent): void {
  db.prepare("insert into root_events (at_unix_ms, what, facts, event) values (?, ?, ?, ?)").run(
    atUnixMs,
    what,
    JSON.stringify(facts),
    event,
  );
}

export function stateEvents(db: DatabaseSync): StateEvents {
  return {
    unrecorded: () =>
      db
        .prepare("select id, at_unix_ms, what, facts, event from root_events where recorded = 0 order by id")
        .all()
        .map((row) => ({
          id: Number(row["id"]),
          event: eventNames.find((name) => name === row["event"]) ?? "identity.root",
          atUnixMs: Number(row["at_unix_ms"]),
          what: String(row["what"]),
          facts: JSON.parse(String(row["facts"])) as Readonly<Record<string, string>>,
        })),
    recorded: (id) => void db.prepare("update root_events set recorded = 1 where id = ?").run(id),
  };
}
