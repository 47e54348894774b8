/**
 * The control room's people, in the state database: their passkeys, and when each came in last.
 *
 * Durability: a change of passkeys is on disk when the call returns; when somebody came in last may be older after a loss
 * of power. Concurrency: every change is one statement, so that of two logins with one counter one counts. Bounds: of
 * passkeys for each person, of logins for people that nobody named.
 */
import type { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction, withoutSync } from "./database.ts";

export interface Passkey {
  /** Of the credential, base64url. */
  readonly id: string;
  /** Whom it lets in, as the audit log has that one. */
  readonly person: string;
  /** As that one calls it. */
  readonly name: string;
  /** Name of the host it is for (WebAuthn's RP ID). */
  readonly host: string;
  /** The person to authenticators, base64url (WebAuthn's user handle). */
  readonly handle: string;
  /** A COSE key (RFC 9052 §7). */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly algorithm: string;
  /** Uses, as the authenticator counts them; 0 where it doesn't. */
  readonly counter: number;
  readonly transports: readonly string[];
  /** Whether it is kept elsewhere, too: in an account of its maker's. */
  readonly isSynced: boolean;
  readonly createdUnixMs: number;
  readonly usedUnixMs: number | undefined;
}

interface LastLogin {
  readonly way: string;
  readonly atUnixMs: number;
}

export interface PeopleStore {
  /** Oldest first; of one person, or of all. */
  readonly passkeys: (person?: string) => readonly Passkey[];
  readonly passkey: (id: string) => Passkey | undefined;
  /** Whether anybody has one for that host. */
  readonly hasPasskeys: (host: string) => boolean;
  /** @throws Refusal `bad_state` if that person has as many as there may be, or somebody has this one */
  readonly addPasskey: (passkey: Omit<Passkey, "usedUnixMs">) => void;
  /** @returns false if it is gone, or its counter isn't ahead of the one that is known */
  readonly usedPasskey: (
    id: string,
    use: { readonly counter: number; readonly isSynced: boolean; readonly atUnixMs: number },
  ) => boolean;
  readonly removePasskey: (id: string) => boolean;
  /** @param person of that one's; absent: all there are. @returns how many */
  readonly removePasskeys: (person?: string) => number;
  readonly loggedIn: (person: string, login: LastLogin) => void;
  /** By person. */
  readonly lastLogins: () => ReadonlyMap<string, LastLogin>;
  readonly close: () => void;
}

/** People have a few devices and a key in a drawer. */
export const maxPasskeysEach = 16;
/** Members of groups come and go. */
const maxLogins = 1000;

const schema = `
  create table if not exists passkeys (
    id text primary key, person text not null, name text not null, host text not null, handle text not null,
    public_key blob not null, algorithm text not null, counter integer not null, transports text not null,
    is_synced integer not null, created_unix_ms integer not null, used_unix_ms integer
  ) strict;
  create index if not exists passkeys_person on passkeys (person, created_unix_ms);
  create table if not exists control_logins (
    person text primary key, way text not null, at_unix_ms integer not null
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openPeople(file: string): PeopleStore {
  const db = openDatabase(file, (db) => db.exec(schema));
  return { ...passkeyRows(db), ...loginRows(db), close: () => db.close() };
}

function passkeyRows(db: DatabaseSync): Omit<PeopleStore, "loggedIn" | "lastLogins" | "close"> {
  const order = "order by created_unix_ms, id";
  return {
    passkeys: (person) =>
      (person === undefined
        ? db.prepare(`select * from passkeys ${order}`).all()
        : db.prepare(`select * from passkeys where person = ? ${order}`).all(person)
      ).map(passkeyOf),
    passkey: (id) => {
      const row = db.prepare("select * from passkeys where id = ?").get(id);
      return row && passkeyOf(row);
    },
    hasPasskeys: (host) =>
      db.prepare("select 1 from passkeys where host = ? limit 1").get(host) !== undefined,
    addPasskey: (passkey) => transaction(db, () => add(db, passkey)),
    usedPasskey: (id, { counter, isSynced, atUnixMs }) =>
      db
        .prepare(
          `update passkeys set counter = ?1, is_synced = ?2, used_unix_ms = ?3
            where id = ?4 and (counter < ?1 or (counter = 0 and ?1 = 0))`,
        )
        .run(counter, isSynced ? 1 : 0, atUnixMs, id).changes > 0,
    removePasskey: (id) => db.prepare("delete from passkeys where id = ?").run(id).changes > 0,
    removePasskeys: (person) =>
      Number(
        (person === undefined
          ? db.prepare("delete from passkeys").run()
          : db.prepare("delete from passkeys where person = ?").run(person)
        ).changes,
      ),
  };
}

function add(db: DatabaseSync, passkey: Omit<Passkey, "usedUnixMs">): void {
  const { id, person, name, host, handle, publicKey, algorithm, counter, transports } = passkey;
  const row = db.prepare("select count(*) as n from passkeys where person = ?").get(person);
  if (Number(row?.["n"]) >= maxPasskeysEach)
    throw new Refusal("bad_state", `You have ${maxPasskeysEach} passkeys; remove one first.`);
  const { changes } = db
    .prepare(
      "insert into passkeys values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null) on conflict (id) do nothing",
    )
    .run(
      id,
      person,
      name,
      host,
      handle,
      publicKey,
      algorithm,
      counter,
      JSON.stringify(transports),
      passkey.isSynced ? 1 : 0,
      passkey.createdUnixMs,
    );
  if (changes === 0) throw new Refusal("bad_state", "That passkey is somebody's already.");
}

function passkeyOf(row: Record<string, unknown>): Passkey {
  const used = row["used_unix_ms"];
  return {
    id: String(row["id"]),
    person: String(row["person"]),
    name: String(row["name"]),
    host: String(row["host"]),
    handle: String(row["handle"]),
    publicKey: new Uint8Array(row["public_key"] as Uint8Array<ArrayBuffer>),
    algorithm: String(row["algorithm"]),
    counter: Number(row["counter"]),
    transports: JSON.parse(String(row["transports"])) as readonly string[],
    isSynced: row["is_synced"] === 1,
    createdUnixMs: Number(row["created_unix_ms"]),
    usedUnixMs: used === null ? undefined : Number(used),
  };
}

function loginRows(db: DatabaseSync): Pick<PeopleStore, "loggedIn" | "lastLogins"> {
  return {
    loggedIn: (person, { way, atUnixMs }) =>
      withoutSync(db, () =>
        transaction(db, () => {
          db.prepare("insert or replace into control_logins values (?, ?, ?)").run(person, way, atUnixMs);
          db.prepare(
            `delete from control_logins where person in
              (select person from control_logins order by at_unix_ms desc, person limit -1 offset ?)`,
          ).run(maxLogins);
        }),
      ),
    lastLogins: () =>
      new Map(
        db
          .prepare("select * from control_logins order by at_unix_ms desc, person")
          .all()
          .map((row) => [
            String(row["person"]),
            { way: String(row["way"]), atUnixMs: Number(row["at_unix_ms"]) },
          ]),
      ),
  };
}
