/** Which profile is in force, and which were before, in the state database: commands write, the running gateway follows. */
import type { DatabaseSync } from "node:sqlite";

import { type ProfileDocument, profileSchema } from "../../crypto/suites/profiles.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";

/** One change of profile; the first one of a state folder is what its config said at the first start. */
export interface ProfileChange {
  /** From 1. */
  readonly id: number;
  readonly atUnixMs: number;
  readonly profile: ProfileDocument;
  /** What the config named when this was applied: a later edit of the file is a wish of its own. */
  readonly configured: string;
  /** Until then what the one before it had is still taken. */
  readonly outgoingUntilUnixMs: number;
}

export interface ProfileStore {
  /** Oldest first; empty before the first start. */
  readonly changes: () => readonly ProfileChange[];
  /** Looks, decides and changes as one. */
  readonly apply: (
    decide: (changes: readonly ProfileChange[]) => Omit<ProfileChange, "id"> | undefined,
  ) => ProfileChange | undefined;
  readonly close: () => void;
}

const schema = `
  create table if not exists profile_changes (
    id integer primary key, at_unix_ms integer not null, profile text not null,
    configured text not null, outgoing_until_unix_ms integer not null
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openProfiles(file: string): ProfileStore {
  const db = openDatabase(file, (db) => db.exec(schema));
  const changes = (): readonly ProfileChange[] =>
    db.prepare("select * from profile_changes order by id").all().map(changeOf);
  return {
    changes,
    apply: (decide) => transaction(db, () => added(db, decide(changes()))),
    close: () => db.close(),
  };
}

function added(db: DatabaseSync, change: Omit<ProfileChange, "id"> | undefined): ProfileChange | undefined {
  if (change === undefined) return undefined;
  const { atUnixMs, profile, configured, outgoingUntilUnixMs } = change;
  const { lastInsertRowid } = db
    .prepare(
      "insert into profile_changes (at_unix_ms, profile, configured, outgoing_until_unix_ms) values (?, ?, ?, ?)",
    )
    .run(atUnixMs, JSON.stringify(profile), configured, outgoingUntilUnixMs);
  return { ...change, id: Number(lastInsertRowid) };
}

function changeOf(row: Record<string, unknown>): ProfileChange {
  const profile = profileSchema.safeParse(JSON.parse(String(row["profile"])));
  if (!profile.success) {
    throw new Refusal("bad_state", "The state database has a profile that can't be read.", {
      cause: profile.error,
    });
  }
  return {
    id: Number(row["id"]),
    atUnixMs: Number(row["at_unix_ms"]),
    profile: profile.data,
    configured: String(row["configured"]),
    outgoingUntilUnixMs: Number(row["outgoing_until_unix_ms"]),
  };
}
