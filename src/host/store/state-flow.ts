/** The labels of what sessions have read, in the state database: no restart makes a session one that has read nothing. */
import type { DatabaseSync } from "node:sqlite";

import type { KeptLabels, LabelStore } from "../../inspect/flow-memory.ts";
import { withoutSync } from "./database.ts";

export const flowSchema = `
  create table if not exists flow_labels (
    session text primary key, labels text not null, used_unix_ms integer not null
  ) strict;
`;

/** @param db the gateway's own connection: what it writes itself is no news to it */
export function labelStore(db: DatabaseSync): LabelStore {
  return {
    kept: (sinceUnixMs) =>
      db
        .prepare(
          "select session, labels, used_unix_ms from flow_labels where used_unix_ms >= ? order by used_unix_ms",
        )
        .all(sinceUnixMs)
        .map(keptLabels),
    of: (session) =>
      db
        .prepare("select session, labels, used_unix_ms from flow_labels where session = ?")
        .all(session)
        .flatMap((row) => keptLabels(row).labels),
    keep: ({ session, labels, usedUnixMs }, untilUnixMs) =>
      withoutSync(db, () => {
        db.prepare("delete from flow_labels where used_unix_ms < ?").run(untilUnixMs);
        db.prepare("insert or replace into flow_labels values (?, ?, ?)").run(
          session,
          JSON.stringify(labels),
          usedUnixMs,
        );
      }),
  };
}

function keptLabels(row: Record<string, unknown>): KeptLabels {
  return {
    session: String(row["session"]),
    labels: JSON.parse(String(row["labels"])) as readonly string[],
    usedUnixMs: Number(row["used_unix_ms"]),
  };
}
