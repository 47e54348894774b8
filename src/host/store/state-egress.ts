/**
 * Where an exposed server has been by itself, and where it may not go any more, in its sidecar's state database: the
 * running sidecar blocks, commands lift. What was lifted stands beside it until it is in the audit log.
 *
 * Durability: a block is on disk when the call returns; what was learned, when it is kept. Concurrency: every change is
 * one transaction, and a block that another process lifted is gone at the next look. Failure: throws, nothing changed.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { openDatabase, transaction } from "./database.ts";

export interface EgressBlock {
  /** `host:port` */
  readonly destination: string;
  readonly sinceUnixMs: number;
  readonly because: string;
}

/** A block that an operator lifted, for the audit log. */
interface LiftedBlock {
  readonly id: number;
  /** Of the entry, the same however often it is written. */
  readonly callId: string;
  readonly destination: string;
}

export interface EgressStore {
  readonly blocks: () => readonly EgressBlock[];
  readonly blockOf: (destination: string) => EgressBlock | undefined;
  readonly block: (block: EgressBlock) => void;
  /** Whether there are so many that there is no room for another: nothing unknown may be let out then. */
  readonly isFull: () => boolean;
  /** Whether there was one. */
  readonly lift: (destination: string) => boolean;
  readonly unrecorded: () => readonly LiftedBlock[];
  readonly recorded: (id: number) => void;
  /** The text that was kept last. */
  readonly memory: () => string | undefined;
  readonly keepMemory: (text: string) => void;
  readonly close: () => void;
}

const maxBlocks = 1000;

const schema = `
  create table if not exists egress_blocks (
    destination text primary key, since_unix_ms integer not null, because text not null
  ) strict;
  create table if not exists egress_lifts (
    id integer primary key autoincrement, call_id text not null, destination text not null
  ) strict;
  create table if not exists egress_memory (id integer primary key check (id = 1), text text not null) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened */
export function openEgress(file: string): EgressStore {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  const find = db.prepare("select * from egress_blocks where destination = ?");
  const count = db.prepare("select count(*) as n from egress_blocks");
  const keep = db.prepare("insert or replace into egress_memory values (1, ?)");
  return {
    blocks: () => db.prepare("select * from egress_blocks order by since_unix_ms").all().map(blockIn),
    blockOf: (destination) => {
      const row = find.get(destination);
      return row === undefined ? undefined : blockIn(row);
    },
    block: ({ destination, sinceUnixMs, because }) =>
      void db
        .prepare("insert or replace into egress_blocks values (?, ?, ?)")
        .run(destination, sinceUnixMs, because),
    isFull: () => Number(count.get()?.["n"]) >= maxBlocks,
    lift: (destination) => lift(db, destination),
    unrecorded: () =>
      db
        .prepare("select * from egress_lifts order by id limit 100")
        .all()
        .map((row) => ({
          id: Number(row["id"]),
          callId: String(row["call_id"]),
          destination: String(row["destination"]),
        })),
    recorded: (id) => void db.prepare("delete from egress_lifts where id = ?").run(id),
    memory: () => {
      const text = db.prepare("select text from egress_memory").get()?.["text"];
      return typeof text === "string" ? text : undefined;
    },
    keepMemory: (text) => void keep.run(text),
    close: () => db.close(),
  };
}

function lift(db: DatabaseSync, destination: string): boolean {
  return transaction(db, () => {
    const { changes } = db.prepare("delete from egress_blocks where destination = ?").run(destination);
    if (Number(changes) === 0) return false;
    db.prepare("insert into egress_lifts (call_id, destination) values (?, ?)").run(
      randomUUIDv7(),
      destination,
    );
    return true;
  });
}

function blockIn(row: Record<string, unknown>): EgressBlock {
  return {
    destination: String(row["destination"]),
    sinceUnixMs: Number(row["since_unix_ms"]),
    because: String(row["because"]),
  };
}
