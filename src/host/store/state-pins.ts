/**
 * Whose message keys an end knows, in its state database: the running end pins what it meets, commands approve and
 * forget. What changes a pin stands beside it until it is in the audit log.
 *
 * Durability: each change is on disk when the call returns. Concurrency: every change is one transaction; the process
 * that runs sees in `version` that another one wrote. Failure: throws, and nothing was changed.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";

/** `approved` by a person; `cut` by this end, until a person approves it again. */
const pinStates = ["first-use", "approved", "cut"] as const;
type PinState = (typeof pinStates)[number];

/** A public key set as it is kept: its fingerprint, and its JSON text. */
interface PinnedKeys {
  readonly fingerprint: string;
  readonly keys: string;
  /** Whoever said them has proven the name on its own link. */
  readonly isProven?: boolean;
}

export interface Pin {
  /** The SPIFFE ID of the other end. */
  readonly name: string;
  readonly fingerprint: string;
  /** Absent as long as the key set was approved and never seen. */
  readonly keys?: string;
  readonly state: PinState;
  /** Since when it is in that state. */
  readonly sinceUnixMs: number;
  /** Fingerprint of the other key set it showed last, which was refused. */
  readonly refused?: string;
  /** Why it was cut. */
  readonly because?: string;
}

/** A change of a pin, for the audit log. */
interface PinChange {
  readonly id: number;
  /** Of the entry, the same however often it is written. */
  readonly callId: string;
  readonly atUnixMs: number;
  readonly facts: Readonly<Record<string, string>>;
}

export interface PinStore {
  readonly list: () => readonly Pin[];
  readonly of: (name: string) => Pin | undefined;
  /**
   * Pins a key set under a name that has none, or that was approved before it was seen; one that isn't the pinned one
   * is noted as refused, and changes nothing else, unless nobody approved that and the link itself proves the name: who
   * keeps no state comes with new keys each time.
   * @returns the pin there is now: whether it is of these keys, its fingerprint says
   * @throws Refusal `busy` if there are too many
   */
  readonly meet: (name: string, found: PinnedKeys, nowUnixMs: number) => Pin;
  /** Whether there was anything to cut. */
  readonly cut: (name: string, because: string, nowUnixMs: number) => boolean;
  /** From now on this key set counts under that name, and no other; it needn't have been seen yet. */
  readonly approve: (name: string, fingerprint: string, nowUnixMs: number) => Pin;
  /** Whether there was one, or the name was known to sign. */
  readonly forget: (name: string, nowUnixMs: number) => boolean;
  /** Names that have signed, so that they have to go on; those that have a pin are among them. */
  readonly hasSigned: (name: string) => boolean;
  /** @throws Refusal `busy` if there are too many */
  readonly signed: (name: string, nowUnixMs: number) => void;
  /** Names that have signed and have no pin of their own: ends that pass on what others signed. */
  readonly signers: () => readonly string[];
  /** An end without an audit log marks them as recorded all the same. */
  readonly unrecorded: () => readonly PinChange[];
  readonly recorded: (id: number) => void;
}

/** On a connection of its own. */
export interface OpenPins extends PinStore {
  /** Changes when another process, or another connection, has written. */
  readonly version: () => number;
  readonly close: () => void;
}

/** Who may call bounds them; a peer that brings ever new names costs no more than this. */
const defaultMaxNames = 10_000;

export const pinSchema = `
  create table if not exists key_pins (
    name text primary key, fingerprint text not null, keys text,
    state text not null check (state in ('first-use', 'approved', 'cut')), since_unix_ms integer not null,
    refused text, because text
  ) strict;
  create table if not exists key_signers (name text primary key, since_unix_ms integer not null) strict;
  create table if not exists pin_events (
    id integer primary key autoincrement, call_id text not null, at_unix_ms integer not null,
    facts text not null, recorded integer not null default 0
  ) strict;
`;

/**
 * @param maxNames of those with a pin, and of those that have signed without one
 * @throws Refusal `bad_state` if the file can't be opened
 */
export function openPins(file: string, maxNames?: number): OpenPins {
  const db = openDatabase(file, (opened) => opened.exec(pinSchema));
  const version = db.prepare("pragma data_version");
  return {
    ...pinStore(db, maxNames),
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}

/** @param db the end's own connection: what it writes itself is no news to it */
export function pinStore(db: DatabaseSync, maxNames = defaultMaxNames): PinStore {
  const find = db.prepare("select * from key_pins where name = ?");
  const of = (name: string): Pin | undefined => {
    const row = find.get(name);
    return row === undefined ? undefined : pinOf(row);
  };
  return {
    of,
    list: () => db.prepare("select * from key_pins order by name").all().map(pinOf),
    ...changes(db, of, maxNames),
    ...signers(db, maxNames),
    unrecorded: () =>
      db
        .prepare("select id, call_id, at_unix_ms, facts from pin_events where recorded = 0 order by id")
        .all()
        .map((row) => ({
          id: Number(row["id"]),
          callId: String(row["call_id"]),
          atUnixMs: Number(row["at_unix_ms"]),
          facts: JSON.parse(String(row["facts"])) as PinChange["facts"],
        })),
    // Those that are marked were recorded by earlier versions, which kept them.
    recorded: (id) => void db.prepare("delete from pin_events where id = ? or recorded = 1").run(id),
  };
}

function changes(
  db: DatabaseSync,
  of: (name: string) => Pin | undefined,
  maxNames: number,
): Pick<PinStore, "meet" | "cut" | "approve" | "forget"> {
  const keep = (pin: Pin, what: string, nowUnixMs: number): Pin => {
    const before = of(pin.name);
    if (before === undefined) checkRoom(db, "key_pins", maxNames);
    write(db, pin);
    const { name, fingerprint, because } = pin;
    const facts = { peer: name, what, fingerprint, ...(because !== undefined && { because }) };
    const was = before && before.fingerprint !== fingerprint && { before: before.fingerprint };
    note(db, { ...facts, ...was }, nowUnixMs);
    return pin;
  };
  return {
    meet: (name, { fingerprint, keys, isProven }, nowUnixMs) =>
      transaction(db, () => {
        const known = of(name);
        const isNew = isProven === true && known?.state === "first-use" && known.fingerprint !== fingerprint;
        if (known === undefined || isNew) {
          const pin = { name, fingerprint, keys, state: "first-use", sinceUnixMs: nowUnixMs } as const;
          return keep(pin, "first-use", nowUnixMs);
        }
        const next =
          known.fingerprint === fingerprint ? seen(known, keys) : { ...known, refused: fingerprint };
        if (next.keys !== known.keys || next.refused !== known.refused) write(db, next);
        return next;
      }),
    cut: (name, because, nowUnixMs) =>
      transaction(db, () => {
        const known = of(name);
        if (known === undefined || known.state === "cut") return false;
        keep({ ...known, state: "cut", because, sinceUnixMs: nowUnixMs }, "cut", nowUnixMs);
        return true;
      }),
    approve: (name, fingerprint, nowUnixMs) =>
      transaction(db, () => {
        const known = of(name);
        const keys = known?.fingerprint === fingerprint ? known.keys : undefined;
        const pin = { name, fingerprint, state: "approved", sinceUnixMs: nowUnixMs } as const;
        return keep({ ...pin, ...(keys !== undefined && { keys }) }, "approved", nowUnixMs);
      }),
    forget: (name, nowUnixMs) =>
      transaction(db, () => {
        const known = of(name);
        const pins = db.prepare("delete from key_pins where name = ?").run(name).changes;
        const marks = db.prepare("delete from key_signers where name = ?").run(name).changes;
        if (Number(pins) + Number(marks) === 0) return false;
        note(db, { peer: name, what: "forgotten", ...(known && { before: known.fingerprint }) }, nowUnixMs);
        return true;
      }),
  };
}

function signers(db: DatabaseSync, maxNames: number): Pick<PinStore, "hasSigned" | "signed" | "signers"> {
  const isKnown = db.prepare(
    "select 1 from key_signers where name = :name union all select 1 from key_pins where name = :name",
  );
  const hasSigned = (name: string): boolean => isKnown.get({ name }) !== undefined;
  return {
    hasSigned,
    signed: (name, nowUnixMs) =>
      transaction(db, () => {
        if (hasSigned(name)) return;
        checkRoom(db, "key_signers", maxNames);
        db.prepare("insert into key_signers values (?, ?)").run(name, nowUnixMs);
      }),
    signers: () =>
      db
        .prepare("select name from key_signers where name not in (select name from key_pins) order by name")
        .all()
        .map((row) => String(row["name"])),
  };
}

/** The key set it was approved with, now that it is seen; what was refused before is over with that. */
function seen(known: Pin, keys: string): Pin {
  const { refused: _, ...pin } = known;
  return { ...pin, keys };
}

function checkRoom(db: DatabaseSync, table: "key_pins" | "key_signers", maxNames: number): void {
  const row = db.prepare(`select count(*) as n from ${table}`).get();
  if (Number(row?.["n"]) < maxNames) return;
  throw new Refusal("busy", "There are too many pinned message keys; the operator can forget some.");
}

function write(
  db: DatabaseSync,
  { name, fingerprint, keys, state, sinceUnixMs, refused, because }: Pin,
): void {
  db.prepare("insert or replace into key_pins values (?, ?, ?, ?, ?, ?, ?)").run(
    name,
    fingerprint,
    keys ?? null,
    state,
    sinceUnixMs,
    refused ?? null,
    because ?? null,
  );
}

function note(db: DatabaseSync, facts: PinChange["facts"], nowUnixMs: number): void {
  db.prepare("insert into pin_events (call_id, at_unix_ms, facts) values (?, ?, ?)").run(
    randomUUIDv7(),
    nowUnixMs,
    JSON.stringify(facts),
  );
}

function pinOf(row: Record<string, unknown>): Pin {
  const state = pinStates.find((each) => each === row["state"]);
  if (state === undefined) throw new Refusal("bad_state", "A pin in the state database can't be read.");
  const [keys, refused, because] = [row["keys"], row["refused"], row["because"]];
  return {
    name: String(row["name"]),
    fingerprint: String(row["fingerprint"]),
    ...(typeof keys === "string" && { keys }),
    state,
    sinceUnixMs: Number(row["since_unix_ms"]),
    ...(typeof refused === "string" && { refused }),
    ...(typeof because === "string" && { because }),
  };
}
