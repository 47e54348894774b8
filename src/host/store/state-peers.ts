/**
 * What peers were seen to be capable of, in the state database: the running gateway writes, commands read and accept
 * changes. A row that a command touched has a higher epoch, and what was seen before it doesn't come back.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { z } from "zod";

import { bestSchema, type PeerRecord } from "../../identity/peer-memory.ts";
import { confidences } from "../../identity/regressions.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { transaction, withoutSync } from "./database.ts";

/** Who began the links. */
export const directions = ["incoming", "outgoing"] as const;
export type Direction = (typeof directions)[number];

const openSchema = z.array(
  z.object({
    kind: z.string(),
    confidence: z.enum(confidences),
    says: z.string(),
    verdict: z.enum(["refuse", "flag"]),
  }),
);

/** What of the newest link is less than it was, as the operator is told. */
export type OpenRegression = Readonly<z.output<typeof openSchema>[number]>;

export interface RememberedPeer extends PeerRecord {
  readonly direction: Direction;
  readonly peer: string;
  readonly open: readonly OpenRegression[];
  /** The id of the newest change an operator accepted of it; 0 before the first. */
  readonly epoch: number;
}

/** A change that an operator accepted, for the audit log. */
interface AcceptedChange {
  readonly id: number;
  /** Of the entry, the same however often it is written. */
  readonly callId: string;
  readonly atUnixMs: number;
  readonly facts: Readonly<Record<string, string>>;
}

export interface PeerStore {
  readonly peers: () => readonly RememberedPeer[];
  /** Those that a command touched after that one. */
  readonly touchedSince: (epoch: number) => readonly RememberedPeer[];
  /** Writes what changed as one; a row that a command touched meanwhile stays as it is, and one that it deleted stays away. */
  readonly save: (changed: readonly ChangedPeer[], dropped: readonly PeerName[]) => void;
  /** Looks, decides and changes as one. @returns what `decide` did */
  readonly accept: <T extends Acceptance | undefined>(
    decide: (peers: readonly RememberedPeer[]) => T,
    nowUnixMs: number,
  ) => T;
  readonly unrecorded: () => readonly AcceptedChange[];
  readonly recorded: (id: number) => void;
}

interface ChangedPeer extends RememberedPeer {
  /** It was there before; if it isn't any more, it was erased. */
  readonly wasStored?: boolean;
}

export type PeerName = Pick<RememberedPeer, "direction" | "peer">;

interface Acceptance {
  readonly after: RememberedPeer;
  readonly facts: Readonly<Record<string, string>>;
}

export const peerSchema = `
  create table if not exists peer_memory (
    direction text not null check (direction in ('incoming', 'outgoing')), peer text not null,
    best text not null, last text not null, first_unix_ms integer not null, last_unix_ms integer not null,
    links integer not null, open text not null, epoch integer not null, primary key (direction, peer)
  ) strict;
  create table if not exists peer_events (
    id integer primary key autoincrement, call_id text not null, at_unix_ms integer not null,
    facts text not null, recorded integer not null default 0
  ) strict;
`;

/** @param db the gateway's own connection: what it writes itself is no news to it */
export function peerStore(db: DatabaseSync): PeerStore {
  const all = (): readonly RememberedPeer[] =>
    db.prepare("select * from peer_memory order by direction, peer").all().map(peerOf);
  return {
    peers: all,
    touchedSince: (epoch) => db.prepare("select * from peer_memory where epoch > ?").all(epoch).map(peerOf),
    save: (changed, dropped) => withoutSync(db, () => transaction(db, () => write(db, changed, dropped))),
    accept: (decide, nowUnixMs) =>
      transaction(db, () => {
        const decided = decide(all());
        if (decided === undefined) return decided;
        const { lastInsertRowid } = db
          .prepare("insert into peer_events (call_id, at_unix_ms, facts) values (?, ?, ?)")
          .run(randomUUIDv7(), nowUnixMs, JSON.stringify(decided.facts));
        const after = { ...decided.after, epoch: Number(lastInsertRowid) };
        db.prepare("delete from peer_memory where direction = ? and peer = ?").run(
          after.direction,
          after.peer,
        );
        write(db, [after], []);
        return decided;
      }),
    unrecorded: () =>
      db
        .prepare("select id, call_id, at_unix_ms, facts from peer_events where recorded = 0 order by id")
        .all()
        .map((row) => ({
          id: Number(row["id"]),
          callId: String(row["call_id"]),
          atUnixMs: Number(row["at_unix_ms"]),
          facts: JSON.parse(String(row["facts"])) as Readonly<Record<string, string>>,
        })),
    recorded: (id) => void db.prepare("update peer_events set recorded = 1 where id = ?").run(id),
  };
}

function write(db: DatabaseSync, changed: readonly ChangedPeer[], dropped: readonly PeerName[]): void {
  const drop = db.prepare("delete from peer_memory where direction = ? and peer = ?");
  for (const { direction, peer } of dropped) drop.run(direction, peer);
  const isThere = db.prepare("select 1 from peer_memory where direction = ? and peer = ?");
  const kept = changed.filter(
    ({ direction, peer, wasStored }) => wasStored !== true || isThere.get(direction, peer) !== undefined,
  );
  const put = db.prepare(
    `insert into peer_memory values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (direction, peer) do update set
      best = excluded.best, last = excluded.last, first_unix_ms = excluded.first_unix_ms,
      last_unix_ms = excluded.last_unix_ms, links = excluded.links, open = excluded.open
      where epoch = excluded.epoch`,
  );
  for (const { direction, peer, best, last, firstUnixMs, lastUnixMs, links, open, epoch } of kept) {
    const [bestText, lastText, openText] = [best, last, open].map((value) => JSON.stringify(value));
    put.run(
      direction,
      peer,
      bestText ?? "{}",
      lastText ?? "{}",
      firstUnixMs,
      lastUnixMs,
      links,
      openText ?? "[]",
      epoch,
    );
  }
}

function peerOf(row: Record<string, unknown>): RememberedPeer {
  try {
    return {
      direction: row["direction"] === "outgoing" ? "outgoing" : "incoming",
      peer: String(row["peer"]),
      best: bestSchema.parse(JSON.parse(String(row["best"]))),
      last: bestSchema.parse(JSON.parse(String(row["last"]))),
      firstUnixMs: Number(row["first_unix_ms"]),
      lastUnixMs: Number(row["last_unix_ms"]),
      links: Number(row["links"]),
      open: openSchema.parse(JSON.parse(String(row["open"]))),
      epoch: Number(row["epoch"]),
    };
  } catch (cause) {
    throw new Refusal(
      "bad_state",
      `The state database remembers "${String(row["peer"])}" in a form that can't be read.`,
      { cause },
    );
  }
}
