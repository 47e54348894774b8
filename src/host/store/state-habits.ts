/**
 * What is learned of callers, in the state database: the newest of each day, for a week. What somebody else wrote there
 * counts for nothing (HMAC-SHA-256).
 */
import type { DatabaseSync } from "node:sqlite";

import { hmacSha256 } from "../../crypto/hash.ts";
import type { HabitStore, KeptHabits } from "../../detect/habits.ts";
import { concat, equalInConstantTime, toBase64url, utf8 } from "../../kernel/bytes.ts";
import { withoutSync } from "./database.ts";

export const habitSchema = `
  create table if not exists habits (
    identity text not null, day integer not null, baseline blob not null, seen text not null, mac blob not null,
    primary key (identity, day)
  ) strict;
`;

const daysKept = 7;

/**
 * @param db the gateway's own connection
 * @param key of the gateway
 * @param today days since 1970
 */
export function habitStore(db: DatabaseSync, key: Uint8Array, today: () => number): HabitStore {
  return {
    of: (identity) =>
      db
        .prepare("select day, baseline, seen, mac from habits where identity = ? order by day desc")
        .all(nameOf(key, identity))
        .map((row) => opened(row, identity, key))
        .find((each) => each !== undefined),
    keep: (identity, { baseline, seen }) =>
      withoutSync(db, () => {
        const day = today();
        const written = JSON.stringify(seen);
        const mac = macOf(key, { identity, day, baseline, seen: written });
        const name = nameOf(key, identity);
        db.prepare("delete from habits where identity = ? and day <= ?").run(name, day - daysKept);
        db.prepare("insert or replace into habits values (?, ?, ?, ?, ?)").run(
          name,
          day,
          baseline,
          written,
          mac,
        );
      }),
    forget: (identity) =>
      withoutSync(
        db,
        () => void db.prepare("delete from habits where identity = ?").run(nameOf(key, identity)),
      ),
  };
}

/** No name stands in the file. */
function nameOf(key: Uint8Array, identity: string): string {
  return toBase64url(hmacSha256(key, utf8(`identity ${identity}`)));
}

function opened(row: Record<string, unknown>, identity: string, key: Uint8Array): KeptHabits | undefined {
  const { day, baseline, seen, mac } = row;
  if (!(baseline instanceof Uint8Array) || !(mac instanceof Uint8Array)) return undefined;
  const text = String(seen);
  const due = macOf(key, { identity, day: Number(day), baseline, seen: text });
  if (!equalInConstantTime(mac, due)) return undefined;
  return { baseline, seen: JSON.parse(text) as KeptHabits["seen"] };
}

function macOf(
  key: Uint8Array,
  parts: {
    readonly identity: string;
    readonly day: number;
    readonly baseline: Uint8Array;
    readonly seen: string;
  },
): Uint8Array {
  const { identity, day, baseline, seen } = parts;
  const head = utf8(JSON.stringify([identity, day, baseline.length, seen.length]));
  return hmacSha256(key, concat([head, baseline, utf8(seen)]));
}
