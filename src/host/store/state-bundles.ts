/**
 * Bundles of policies in the state database: those that were in force, the newest last, and what became of the last one
 * that wasn't taken. The gateway writes what it took, commands what an operator decided, and the gateway follows.
 * Durability: each change is on disk when the call returns. Concurrency: other processes wait, for at most five seconds.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { openDatabase, transaction } from "./database.ts";

/** How a bundle came into force: by itself, by an operator's decision, or, with `reset`, whatever number follows. */
export type BundleStep = "taken" | "rolled-back" | "followed" | "reset";

/** A bundle came into force. */
export interface BundleRow {
  readonly id: number;
  /** Of its entry in the audit log, the same however often that is written. */
  readonly callId: string;
  readonly atUnixMs: number;
  readonly what: BundleStep;
  readonly sequence: number;
  readonly digest: string;
  readonly publisher: string;
  readonly signedBy: string;
  readonly issuedAtUnixMs: number;
  readonly expiresAtUnixMs: number;
  /** Where it came from. */
  readonly source: string;
  /** Of the git checkout it came from. */
  readonly commit: string | null;
  /** Whoever decided: `gateway`, or an operator's name on this machine. */
  readonly by: string;
  readonly because: string | null;
}

/** The highest number that was taken, which others must exceed. */
export interface HighestBundle {
  readonly sequence: number;
  readonly digest: string;
}

/** Why what the source has isn't in force. */
export interface BundleTrouble {
  /** `away`: the source can't be reached or read; `refused`: what it has isn't taken. */
  readonly kind: "away" | "refused";
  /** A short code. */
  readonly why: string;
  readonly text: string;
  /** Of the document that was refused. */
  readonly digest: string | null;
  readonly sinceUnixMs: number;
}

export interface BundleStore {
  /** The newest first; at most `keptRows`. */
  readonly history: () => readonly BundleRow[];
  /** The one in force. */
  readonly newest: () => BundleRow | undefined;
  readonly document: (digest: string) => Uint8Array | undefined;
  readonly highest: () => HighestBundle | undefined;
  /**
   * Puts a bundle in force, if none came into force since `after` was the newest.
   * @param document of one that isn't kept yet
   * @returns false if another one did
   */
  readonly put: (row: NewBundleRow, after: number | undefined, document?: Uint8Array) => boolean;
  readonly trouble: () => BundleTrouble | undefined;
  readonly setTrouble: (trouble: BundleTrouble | undefined) => void;
  /** Those that the audit log doesn't have yet, oldest first. */
  readonly unrecorded: () => readonly BundleRow[];
  readonly recorded: (id: number) => void;
  readonly version: () => number;
  readonly close: () => void;
}

interface NewBundleRow extends Omit<BundleRow, "id" | "callId"> {
  /** Those that commands write aren't in the audit log yet. */
  readonly isRecorded: boolean;
}

/** With their documents at most 64 MiB. */
const keptRows = 32;

const schema = `
  create table if not exists policy_bundles (
    id integer primary key autoincrement, call_id text not null, at_unix_ms integer not null,
    what text not null check (what in ('taken', 'rolled-back', 'followed', 'reset')), sequence integer not null,
    digest text not null, publisher text not null, signed_by text not null, issued_at_unix_ms integer not null,
    expires_at_unix_ms integer not null, source text not null, commit_id text, by text not null, because text,
    recorded integer not null
  ) strict;
  create table if not exists policy_bundle_documents (digest text primary key, document blob not null) strict;
  create table if not exists policy_bundle_highest (
    id integer primary key check (id = 1), sequence integer not null, digest text not null
  ) strict;
  create table if not exists policy_bundle_trouble (
    id integer primary key check (id = 1), kind text not null, why text not null, text text not null, digest text,
    since_unix_ms integer not null
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openBundles(file: string): BundleStore {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  const version = db.prepare("pragma data_version");
  const all = db.prepare("select * from policy_bundles order by id desc");
  const newestRow = db.prepare("select * from policy_bundles order by id desc limit 1");
  const newest = (): BundleRow | undefined => {
    const row = newestRow.get();
    return row && rowOf(row);
  };
  return {
    history: () => all.all().map(rowOf),
    newest,
    document: (digest) => {
      const row = db.prepare("select document from policy_bundle_documents where digest = ?").get(digest);
      return row?.["document"] instanceof Uint8Array ? row["document"] : undefined;
    },
    highest: () => highestIn(db),
    put: (row, after, document) =>
      transaction(db, () => {
        if (newest()?.id !== after) return false;
        if (document !== undefined) keepDocument(db, row.digest, document);
        addRow(db, row);
        raise(db, row);
        prune(db);
        return true;
      }),
    ...troubleIn(db),
    unrecorded: () =>
      db.prepare("select * from policy_bundles where recorded = 0 order by id").all().map(rowOf),
    recorded: (id) => void db.prepare("update policy_bundles set recorded = 1 where id = ?").run(id),
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}

function keepDocument(db: DatabaseSync, digest: string, document: Uint8Array): void {
  db.prepare("insert or replace into policy_bundle_documents values (?, ?)").run(digest, document);
}

function addRow(db: DatabaseSync, row: NewBundleRow): void {
  db.prepare(
    `insert into policy_bundles (call_id, at_unix_ms, what, sequence, digest, publisher, signed_by,
       issued_at_unix_ms, expires_at_unix_ms, source, commit_id, by, because, recorded)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    randomUUIDv7(),
    row.atUnixMs,
    row.what,
    row.sequence,
    row.digest,
    row.publisher,
    row.signedBy,
    row.issuedAtUnixMs,
    row.expiresAtUnixMs,
    row.source,
    row.commit,
    row.by,
    row.because,
    row.isRecorded ? 1 : 0,
  );
}

/** INVARIANT: it falls by an operator's `reset` alone. */
function raise(db: DatabaseSync, { what, sequence, digest }: NewBundleRow): void {
  if (what === "reset") db.exec("delete from policy_bundle_highest");
  else if (what === "taken") {
    db.prepare("insert or replace into policy_bundle_highest values (1, ?, ?)").run(sequence, digest);
  }
}

/** What isn't in the audit log yet stays. */
function prune(db: DatabaseSync): void {
  db.prepare(
    `delete from policy_bundles where recorded = 1
      and id not in (select id from policy_bundles order by id desc limit ?)`,
  ).run(keptRows);
  db.exec(
    `delete from policy_bundle_documents where digest not in (select digest from policy_bundles)
      and digest not in (select digest from policy_bundle_highest)`,
  );
}

function highestIn(db: DatabaseSync): HighestBundle | undefined {
  const row = db.prepare("select sequence, digest from policy_bundle_highest").get();
  return row && { sequence: Number(row["sequence"]), digest: String(row["digest"]) };
}

function troubleIn(db: DatabaseSync): Pick<BundleStore, "trouble" | "setTrouble"> {
  return {
    trouble: () => {
      const row = db.prepare("select * from policy_bundle_trouble").get();
      if (row === undefined) return undefined;
      return {
        kind: row["kind"] === "away" ? "away" : "refused",
        why: String(row["why"]),
        text: String(row["text"]),
        digest: textOrNull(row["digest"]),
        sinceUnixMs: Number(row["since_unix_ms"]),
      };
    },
    setTrouble: (trouble) => {
      if (trouble === undefined) return db.exec("delete from policy_bundle_trouble");
      const { kind, why, text, digest, sinceUnixMs } = trouble;
      db.prepare("insert or replace into policy_bundle_trouble values (1, ?, ?, ?, ?, ?)").run(
        kind,
        why,
        text,
        digest,
        sinceUnixMs,
      );
    },
  };
}

function rowOf(row: Record<string, unknown>): BundleRow {
  return {
    id: Number(row["id"]),
    callId: String(row["call_id"]),
    atUnixMs: Number(row["at_unix_ms"]),
    what: stepOf(String(row["what"])),
    sequence: Number(row["sequence"]),
    digest: String(row["digest"]),
    publisher: String(row["publisher"]),
    signedBy: String(row["signed_by"]),
    issuedAtUnixMs: Number(row["issued_at_unix_ms"]),
    expiresAtUnixMs: Number(row["expires_at_unix_ms"]),
    source: String(row["source"]),
    commit: textOrNull(row["commit_id"]),
    by: String(row["by"]),
    because: textOrNull(row["because"]),
  };
}

function stepOf(what: string): BundleStep {
  const steps: readonly BundleStep[] = ["taken", "rolled-back", "followed", "reset"];
  return steps.find((step) => step === what) ?? "taken";
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
