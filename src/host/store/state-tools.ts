/**
 * What servers' tools were when they were pinned, in the state database: the running gateway writes what it saw,
 * commands what an operator decided, and the gateway follows.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";

/** What the audit log is to say: names and hashes, no texts. */
export interface ToolEvent {
  readonly event: "tools.finding" | "tools.change";
  readonly tool: string | null;
  readonly facts: Readonly<Record<string, string>>;
}

/** One that the audit log doesn't have yet. */
export interface UnrecordedToolEvent extends ToolEvent {
  readonly id: number;
  /** Of the entry, the same however often it is written. */
  readonly callId: string;
  readonly server: string;
  readonly atUnixMs: number;
}

/**
 * Pins are JSON values here; whoever reads them makes a type of them. Durability: a change is on disk when the call
 * returns. Concurrency: other processes wait, for at most five seconds. Failure: `bad_state` for what can't be read,
 * and whatever SQLite throws; then nothing was changed.
 */
export interface ToolStore {
  readonly servers: () => readonly string[];
  /** undefined for a server whose tools nobody saw. */
  readonly pins: (server: string) => unknown;
  /** Looks, decides and changes as one; what is found goes with it. @returns what `decide` did */
  readonly change: <T extends ToolChange>(
    server: string,
    atUnixMs: number,
    decide: (pins: unknown) => T,
  ) => T;
  /** Oldest first. */
  readonly unrecorded: () => readonly UnrecordedToolEvent[];
  /** It isn't kept any longer. */
  readonly recorded: (id: number) => void;
  /** Of each server's pins another number after each change, whoever made it. */
  readonly revisions: () => ReadonlyMap<string, number>;
  /** Another one after a change by another process; its own are no news. */
  readonly version: () => number;
  readonly close: () => void;
}

interface ToolChange {
  /** Absent where the pins stay as they are. */
  readonly pins?: object;
  readonly events: readonly ToolEvent[];
}

const schema = `
  create table if not exists tool_pins (server text primary key, pins text not null, revision integer not null) strict;
  create table if not exists tool_events (
    id integer primary key autoincrement, call_id text not null, at_unix_ms integer not null, event text not null,
    server text not null, tool text, facts text not null, recorded integer not null default 0
  ) strict;
  create index if not exists tool_events_unrecorded on tool_events (id) where recorded = 0;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openTools(file: string): ToolStore {
  const db = openDatabase(file, (db) => db.exec(schema));
  const find = db.prepare("select pins from tool_pins where server = ?");
  const revisions = db.prepare("select server, revision from tool_pins");
  const version = db.prepare("pragma data_version");
  const pins = (server: string): unknown => {
    const row = find.get(server);
    return row === undefined ? undefined : parsed(String(row["pins"]), server);
  };
  return {
    servers: () =>
      db
        .prepare("select server from tool_pins order by server")
        .all()
        .map((row) => String(row["server"])),
    pins,
    change: (server, atUnixMs, decide) =>
      transaction(db, () => {
        const decided = decide(pins(server));
        if (decided.pins !== undefined) put(db, server, decided.pins);
        for (const event of decided.events) tell(db, { ...event, server, atUnixMs });
        return decided;
      }),
    unrecorded: () =>
      db.prepare("select * from tool_events where recorded = 0 order by id").all().map(eventOf),
    // Those that are marked were recorded by earlier versions, which kept them.
    recorded: (id) => void db.prepare("delete from tool_events where id = ? or recorded = 1").run(id),
    revisions: () => new Map(revisions.all().map((row) => [String(row["server"]), Number(row["revision"])])),
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}

function put(db: DatabaseSync, server: string, pins: object): void {
  db.prepare(
    `insert into tool_pins values (?, ?, 1)
      on conflict (server) do update set pins = excluded.pins, revision = revision + 1`,
  ).run(server, JSON.stringify(pins));
}

function tell(
  db: DatabaseSync,
  { event, server, tool, facts, atUnixMs }: ToolEvent & Pick<UnrecordedToolEvent, "server" | "atUnixMs">,
): void {
  db.prepare(
    "insert into tool_events (call_id, at_unix_ms, event, server, tool, facts) values (?, ?, ?, ?, ?, ?)",
  ).run(randomUUIDv7(), atUnixMs, event, server, tool, JSON.stringify(facts));
}

function eventOf(row: Record<string, unknown>): UnrecordedToolEvent {
  return {
    id: Number(row["id"]),
    callId: String(row["call_id"]),
    atUnixMs: Number(row["at_unix_ms"]),
    event: row["event"] === "tools.change" ? "tools.change" : "tools.finding",
    server: String(row["server"]),
    tool: typeof row["tool"] === "string" ? row["tool"] : null,
    facts: JSON.parse(String(row["facts"])) as Readonly<Record<string, string>>,
  };
}

function parsed(text: string, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `The state database holds the tools of "${server}" in a form that can't be read.`;
    throw new Refusal("bad_state", message, { cause });
  }
}
