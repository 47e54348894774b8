/** Which profile is in force, and which were before, in the state database: commands write, the running gateway follows. */
import type { DatabaseSync } from "node:sqlite";

import { z } from "zod";

import type { Applied } from "../../crypto/suites/in-force.ts";
import { type ProfileDocument, profileSchema } from "../../crypto/suites/profiles.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";
import { prepareEvents, type StateEvent, tellEvent } from "./state-events.ts";

/** What a config says of its profile, whatever the release makes of that name. */
const wishSchema = z.strictObject({
  name: z.string(),
  based_on: z.string(),
  /** Of a profile of the operator's own, what is left; sorted. */
  allowed: z.array(z.string()).optional(),
  /** What `p2p_connectivity` leaves of any profile; sorted. */
  allowed_between_peers: z.array(z.string()).optional(),
});
export type ProfileWish = Readonly<z.output<typeof wishSchema>>;

/** A change of profile; the first one of a state folder is what its config said at the first start. */
export interface ProfileChange extends Applied {
  /** From 1. */
  readonly id: number;
  /**
   * What the config said when this was applied: a later edit of the file is a wish of its own. Earlier releases wrote
   * what the profile had.
   */
  readonly configured: ProfileWish | ProfileDocument;
}

/** What is told of a change. */
type ProfileEvent = Omit<StateEvent, "event">;

export interface ProfileStore {
  /** Oldest first; empty before the first start. */
  readonly changes: () => readonly ProfileChange[];
  /** Looks, decides and changes as one, together with what the audit log will say of it. */
  readonly apply: (
    decide: (
      changes: readonly ProfileChange[],
    ) => { readonly change: Omit<ProfileChange, "id">; readonly event: ProfileEvent } | undefined,
  ) => ProfileChange | undefined;
  /** The file says what is in force already, or what it said before, in other words. */
  readonly noteConfigured: (configured: ProfileWish) => void;
  /** Since when sidecars and gateway have had to have fresh TLS keys; 0 if nobody ever asked for that. */
  readonly freshKeysSinceUnixMs: () => number;
  readonly askForFreshKeys: (atUnixMs: number, event: ProfileEvent) => void;
  readonly close: () => void;
}

const schema = `
  create table if not exists profile_changes (
    id integer primary key, at_unix_ms integer not null, profile text not null,
    configured text not null, outgoing_until_unix_ms integer not null
  ) strict;
  create table if not exists fresh_keys (at_unix_ms integer not null) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openProfiles(file: string): ProfileStore {
  const db = openDatabase(file, (db) => {
    db.exec(schema);
    prepareEvents(db);
  });
  const changes = (): readonly ProfileChange[] =>
    db.prepare("select * from profile_changes order by id").all().map(changeOf);
  const newestKeys = db.prepare("select max(at_unix_ms) as at from fresh_keys");
  return {
    changes,
    apply: (decide) =>
      transaction(db, () => {
        const decided = decide(changes());
        if (decided === undefined) return undefined;
        tellEvent(db, { event: "crypto.change", ...decided.event });
        return added(db, decided.change);
      }),
    noteConfigured: (configured) => {
      db.prepare(
        "update profile_changes set configured = ? where id = (select max(id) from profile_changes)",
      ).run(JSON.stringify(configured));
    },
    freshKeysSinceUnixMs: () => Number(newestKeys.get()?.["at"] ?? 0),
    askForFreshKeys: (atUnixMs, event) =>
      transaction(db, () => {
        db.prepare("insert into fresh_keys values (?)").run(atUnixMs);
        tellEvent(db, { event: "crypto.change", ...event });
      }),
    close: () => db.close(),
  };
}

function added(db: DatabaseSync, change: Omit<ProfileChange, "id">): ProfileChange {
  const { atUnixMs, profile, configured, outgoingUntilUnixMs } = change;
  const { lastInsertRowid } = db
    .prepare(
      "insert into profile_changes (at_unix_ms, profile, configured, outgoing_until_unix_ms) values (?, ?, ?, ?)",
    )
    .run(atUnixMs, JSON.stringify(profile), JSON.stringify(configured), outgoingUntilUnixMs);
  return { ...change, id: Number(lastInsertRowid) };
}

function changeOf(row: Record<string, unknown>): ProfileChange {
  return {
    id: Number(row["id"]),
    atUnixMs: Number(row["at_unix_ms"]),
    profile: documentIn(row["profile"]),
    configured: configuredIn(row["configured"]),
    outgoingUntilUnixMs: Number(row["outgoing_until_unix_ms"]),
  };
}

function configuredIn(text: unknown): ProfileChange["configured"] {
  const wish = wishSchema.safeParse(JSON.parse(String(text)));
  return wish.success ? wish.data : documentIn(text);
}

function documentIn(text: unknown): ProfileDocument {
  const document = profileSchema.safeParse(JSON.parse(String(text)));
  if (document.success) return document.data;
  throw new Refusal("bad_state", "The state database has a profile that can't be read.", {
    cause: document.error,
  });
}
