/**
 * The authority's roots by generation, and what was done with them, in the state database. Keys aren't here:
 * they stay sealed in the key folder. Commands and the running gateway open the same file; each change is one
 * transaction together with its event, which the gateway copies into the audit log.
 */
import type { DatabaseSync } from "node:sqlite";

import { isSignatureSuiteId, type SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import type { Purpose } from "../../identity/authority.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";
import { prepareEvents, type StateEvent, stateEvents, type StateEvents, tellEvent } from "./state-events.ts";

export interface RootRecord {
  readonly purpose: Purpose;
  /** From 1, never used twice. */
  readonly generation: number;
  readonly suite: SignatureSuiteId;
  /** PEM; null while an outside authority is asked to sign it. */
  readonly certificate: string | null;
  /** PEM of what an outside authority signed for this key, issuing certificate first; null without one. */
  readonly outside: string | null;
  readonly createdUnixMs: number;
  readonly issuesFromUnixMs: number;
  readonly ended: RootEnd | null;
}

interface RootEnd {
  readonly how: "retired" | "compromised";
  readonly atUnixMs: number;
}

/** What was done, for the audit log; no secret. */
export type RootEvent = Omit<StateEvent, "event"> & Partial<Pick<StateEvent, "event">>;

export interface RootStore extends StateEvents {
  /** By purpose, oldest generation first. */
  readonly roots: () => readonly RootRecord[];
  /** Looks, decides and changes as one: nobody else changes anything between. */
  readonly change: <T>(work: (roots: readonly RootRecord[], change: RootChange) => T) => T;
  readonly close: () => void;
}

export interface RootChange {
  readonly add: (root: Omit<RootRecord, "ended">) => void;
  /** Gives a requested generation its certificate. */
  readonly complete: (
    root: Pick<RootRecord, "purpose" | "generation">,
    signed: Pick<RootRecord, "outside" | "issuesFromUnixMs"> & { readonly certificate: string },
  ) => void;
  /** A generation that was announced issues from then on. */
  readonly issueFrom: (root: Pick<RootRecord, "purpose" | "generation">, unixMs: number) => void;
  readonly end: (root: Pick<RootRecord, "purpose" | "generation">, end: RootEnd) => void;
  readonly tell: (event: RootEvent) => void;
}

const schema = `
  create table if not exists roots (
    purpose text not null check (purpose in ('server', 'client')), generation integer not null,
    suite text not null, certificate text, outside text, created_unix_ms integer not null,
    issues_from_unix_ms integer not null,
    ended text check (ended in ('retired', 'compromised')), ended_unix_ms integer,
    primary key (purpose, generation)
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openRoots(file: string): RootStore {
  const db = openDatabase(file, (db) => {
    db.exec(schema);
    prepareEvents(db);
  });
  const roots = (): readonly RootRecord[] =>
    db.prepare("select * from roots order by purpose, generation").all().map(recordOf);
  return {
    roots,
    change: (work) => transaction(db, () => work(roots(), changeOf(db))),
    ...stateEvents(db),
    close: () => db.close(),
  };
}

/** Writes a consistent copy of the whole state database, also while others write to it. */
export function copyState(file: string, to: string): void {
  const db = openDatabase(file, (db) => db.exec(schema));
  try {
    db.prepare("vacuum into ?").run(to);
  } finally {
    db.close();
  }
}

function changeOf(db: DatabaseSync): RootChange {
  return {
    add: (root) => {
      db.prepare("insert into roots values (?, ?, ?, ?, ?, ?, ?, null, null)").run(
        root.purpose,
        root.generation,
        root.suite,
        root.certificate,
        root.outside,
        root.createdUnixMs,
        root.issuesFromUnixMs,
      );
    },
    complete: ({ purpose, generation }, { certificate, outside, issuesFromUnixMs }) => {
      db.prepare(
        "update roots set certificate = ?, outside = ?, issues_from_unix_ms = ? where purpose = ? and generation = ?",
      ).run(certificate, outside, issuesFromUnixMs, purpose, generation);
    },
    issueFrom: ({ purpose, generation }, unixMs) => {
      db.prepare("update roots set issues_from_unix_ms = ? where purpose = ? and generation = ?").run(
        unixMs,
        purpose,
        generation,
      );
    },
    end: ({ purpose, generation }, { how, atUnixMs }) => {
      db.prepare("update roots set ended = ?, ended_unix_ms = ? where purpose = ? and generation = ?").run(
        how,
        atUnixMs,
        purpose,
        generation,
      );
    },
    tell: (event) => tellEvent(db, { event: "identity.root", ...event }),
  };
}

function recordOf(row: Record<string, unknown>): RootRecord {
  const suite = String(row["suite"]);
  if (!isSignatureSuiteId(suite)) {
    throw new Refusal(
      "bad_state",
      `The state database has a root of an algorithm that isn't known, ${suite}.`,
    );
  }
  const certificate = row["certificate"];
  const outside = row["outside"];
  const ended = row["ended"];
  return {
    purpose: row["purpose"] === "server" ? "server" : "client",
    generation: Number(row["generation"]),
    suite,
    certificate: typeof certificate === "string" ? certificate : null,
    outside: typeof outside === "string" ? outside : null,
    createdUnixMs: Number(row["created_unix_ms"]),
    issuesFromUnixMs: Number(row["issues_from_unix_ms"]),
    ended:
      ended === null
        ? null
        : {
            how: ended === "compromised" ? "compromised" : "retired",
            atUnixMs: Number(row["ended_unix_ms"]),
          },
  };
}
