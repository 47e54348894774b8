/**
 * The keys of those the audit log speaks of, in the state database, sealed together with whose they are under a secret of
 * the key folder: the database alone, or a copy of it, doesn't say who is in it. Destroying a row destroys the link.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { z } from "zod";

import type { Subject } from "../../audit/personal-facts.ts";
import { hmacSha256 } from "../../crypto/hash.ts";
import { randomSecret } from "../../crypto/keys.ts";
import { openSecret, sealSecret } from "../../crypto/sealed.ts";
import { pseudonymOf, subjectKeyBytes } from "../../crypto/subject-keys.ts";
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";
import { forgetRecords, type StayingRecord, stayingRecords } from "./state-personal.ts";

export interface StoredSubject extends Subject {
  readonly firstUnixMs: number;
}

/** One subject's key was destroyed. */
export interface Erasure {
  readonly id: number;
  /** Of its entry, the same however often that is written. */
  readonly callId: string;
  readonly pseudonym: string;
  readonly atUnixMs: number;
  /** What destroyed it, for its entry. */
  readonly by: string;
  /** Entries of the log under that pseudonym, as they were counted then. */
  readonly entries: number;
}

/**
 * Durability: what `of` made is on disk when it returns. Concurrency: of two processes that make the same subject the
 * first wins, and both get its key. Failure: throws, with nothing changed.
 */
export interface SubjectStore {
  /** What `of` makes within `work` is on disk when this returns, with one wait for the disk; none of it if it throws. */
  readonly together: <T>(work: () => T) => T;
  readonly of: (id: string, nowUnixMs: number) => StoredSubject;
  readonly known: (id: string) => StoredSubject | undefined;
  readonly byPseudonym: (pseudonym: string) => StoredSubject | undefined;
  /** At most that many, by when they were seen first. */
  readonly list: (limit: number) => readonly StoredSubject[];
  /** Destroys the key, and what else is only on record of the id. @returns undefined if it isn't there (any more) */
  readonly erase: (
    pseudonym: string,
    how: Pick<Erasure, "atUnixMs" | "by" | "entries">,
  ) => Erasure | undefined;
  /** What speaks of the id and stays, because it is in force. */
  readonly staying: (id: string, nowUnixMs: number) => readonly StayingRecord[];
  /** Overwrites what was deleted wherever the database has it. @throws Refusal `bad_state` if somebody reads just then */
  readonly scrub: () => void;
  readonly lastErasure: () => number;
  readonly erasedSince: (id: number) => readonly Erasure[];
  /** Erasures the audit log doesn't have yet, oldest first. */
  readonly unrecorded: () => readonly Erasure[];
  readonly recorded: (id: number) => void;
  /** Changes when somebody else has written to the database. */
  readonly version: () => number;
  readonly close: () => void;
}

const schema = `
  create table if not exists subjects (
    lookup text primary key, pseudonym text not null unique, nonce text not null, sealed text not null
  ) strict;
  create table if not exists subject_erasures (
    id integer primary key autoincrement, call_id text not null, pseudonym text not null,
    at_unix_ms integer not null, by text not null, entries integer not null, recorded integer not null default 0
  ) strict;
`;
const sealedSchema = z.strictObject({ id: z.string(), key: z.string(), first: z.number() });

/**
 * @param secret 32 bytes of the key folder
 * @param patienceMs how long a change waits for another process's, and everything else with it: 5,000 if absent
 * @throws Refusal `bad_state` if the file can't be opened or isn't ours
 */
export function openSubjects(file: string, secret: Uint8Array, patienceMs?: number): SubjectStore {
  const db = openDatabase(file, (db) => db.exec(schema));
  if (patienceMs !== undefined) db.exec(`pragma busy_timeout = ${patienceMs}`);
  const rows = subjectRows(db, secret);
  const version = db.prepare("pragma data_version");
  return {
    ...rows,
    ...erasures(db),
    erase: (pseudonym, how) =>
      transaction(db, () => {
        const subject = rows.byPseudonym(pseudonym);
        if (subject === undefined) return undefined;
        db.prepare("delete from subjects where pseudonym = ?").run(pseudonym);
        forgetRecords(db, subject.id, how.atUnixMs);
        return addErasure(db, { ...how, pseudonym });
      }),
    staying: (id, nowUnixMs) => stayingRecords(db, id, nowUnixMs),
    scrub: () => {
      const done = db.prepare("pragma wal_checkpoint(truncate)").get();
      if (done?.["busy"] === 0) return;
      throw new Refusal(
        "bad_state",
        `${file}-wal is being read by another process, so older pages may still stand in it. Run the command again.`,
      );
    },
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}

/** Deletes the keys of these, without a look at whose they are: for a database that was restored. */
export function dropSubjects(file: string, pseudonyms: Iterable<string>): void {
  const db = openDatabase(file, (db) => db.exec(schema));
  try {
    const drop = db.prepare("delete from subjects where pseudonym = ?");
    transaction(db, () => {
      for (const pseudonym of pseudonyms) drop.run(pseudonym);
    });
  } finally {
    db.close();
  }
}

type Rows = Pick<SubjectStore, "together" | "of" | "known" | "byPseudonym" | "list">;

function subjectRows(db: DatabaseSync, secret: Uint8Array): Rows {
  const sealingKey = hmacSha256(secret, utf8("dev.latticegate/subject-sealing@v1"));
  const lookupKey = hmacSha256(secret, utf8("dev.latticegate/subject-lookup@v1"));
  const lookupOf = (id: string): string => toBase64url(hmacSha256(lookupKey, utf8(id)));
  const byLookup = db.prepare("select * from subjects where lookup = ?");
  const byPseudonym = db.prepare("select * from subjects where pseudonym = ?");
  const insert = db.prepare("insert into subjects values (?, ?, ?, ?) on conflict do nothing");
  const read = (row: Record<string, unknown> | undefined): StoredSubject | undefined =>
    row && opened(row, sealingKey);
  const known = (id: string): StoredSubject | undefined => read(byLookup.get(lookupOf(id)));
  let isTogether = false;
  return {
    together: (work) => {
      isTogether = true;
      try {
        const result = work();
        if (db.isTransaction) db.exec("commit");
        return result;
      } catch (error) {
        if (db.isTransaction) db.exec("rollback");
        throw error;
      } finally {
        isTogether = false;
      }
    },
    known,
    byPseudonym: (pseudonym) => read(byPseudonym.get(pseudonym)),
    of: (id, nowUnixMs) => {
      const found = known(id);
      if (found !== undefined) return found;
      const [key, lookup] = [randomSecret(subjectKeyBytes), lookupOf(id)];
      const text = JSON.stringify({ id, key: toBase64url(key), first: nowUnixMs });
      const { nonce, sealed } = sealSecret(sealingKey, `subject/${lookup}`, utf8(text));
      // Most entries name nobody new, and wait for nobody.
      if (isTogether && !db.isTransaction) db.exec("begin immediate");
      const made = insert.run(lookup, pseudonymOf(key, id), nonce, sealed);
      if (made.changes > 0) return { id, key, pseudonym: pseudonymOf(key, id), firstUnixMs: nowUnixMs };
      const theirs = known(id); // Another process was quicker.
      if (theirs !== undefined) return theirs;
      throw new Refusal("bad_state", "A subject's key couldn't be kept in the state database.");
    },
    list: (limit) =>
      db
        .prepare("select * from subjects order by rowid limit ?")
        .all(limit)
        .map((row) => opened(row, sealingKey)),
  };
}

/** INVARIANT: the key belongs to the id beside it: a row that was moved, or changed, doesn't open. */
function opened(row: Record<string, unknown>, sealingKey: Uint8Array): StoredSubject {
  const [lookup, pseudonym] = [String(row["lookup"]), String(row["pseudonym"])];
  const sealed = { nonce: String(row["nonce"]), sealed: String(row["sealed"]) };
  const text = fromUtf8(openSecret(sealingKey, `subject/${lookup}`, sealed));
  const { id, key: keyText, first } = sealedSchema.parse(JSON.parse(text ?? ""));
  const key = fromBase64url(keyText);
  if (key?.length !== subjectKeyBytes || pseudonymOf(key, id) !== pseudonym) {
    throw new Refusal("bad_state", "The state database has a subject under a pseudonym that isn't its own.");
  }
  return { id, key, pseudonym, firstUnixMs: first };
}

function addErasure(db: DatabaseSync, how: Omit<Erasure, "id" | "callId">): Erasure {
  const { pseudonym, atUnixMs, by, entries } = how;
  const callId = randomUUIDv7();
  const { lastInsertRowid } = db
    .prepare(
      "insert into subject_erasures (call_id, pseudonym, at_unix_ms, by, entries) values (?, ?, ?, ?, ?)",
    )
    .run(callId, pseudonym, atUnixMs, by, entries);
  return { ...how, id: Number(lastInsertRowid), callId };
}

type Erasures = Pick<SubjectStore, "lastErasure" | "erasedSince" | "unrecorded" | "recorded">;

function erasures(db: DatabaseSync): Erasures {
  const last = db.prepare("select coalesce(max(id), 0) as id from subject_erasures");
  const since = db.prepare("select * from subject_erasures where id > ? order by id");
  const unrecorded = db.prepare("select * from subject_erasures where recorded = 0 order by id");
  return {
    lastErasure: () => Number(last.get()?.["id"] ?? 0),
    erasedSince: (id) => since.all(id).map(erasureOf),
    unrecorded: () => unrecorded.all().map(erasureOf),
    recorded: (id) => void db.prepare("update subject_erasures set recorded = 1 where id = ?").run(id),
  };
}

function erasureOf(row: Record<string, unknown>): Erasure {
  return {
    id: Number(row["id"]),
    callId: String(row["call_id"]),
    pseudonym: String(row["pseudonym"]),
    atUnixMs: Number(row["at_unix_ms"]),
    by: String(row["by"]),
    entries: Number(row["entries"]),
  };
}
