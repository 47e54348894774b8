/** Entries of the audit log as they stand in it, for commands that print them from another machine. */
import { z } from "zod";

import { pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { type LoggedEntry, openLogReader } from "../../host/store/log-reader.ts";
import { toBase64url } from "../../kernel/bytes.ts";
import type { Config } from "../config.ts";
import { beginningOf } from "../removed-beginning.ts";
import { statePaths } from "../state-folder.ts";
import type { Naming } from "../subject-names.ts";
import { type RecordAnswer, recordsAnswer } from "./audit-answers.ts";

interface RecordsPlace {
  readonly config: Pick<Config, "state">;
  readonly named: Naming;
}

const tag = "audit";

export function recordRoutes({ config, named }: RecordsPlace): readonly Route[] {
  const reader = openLogReader(statePaths(config.state).log);
  const told = async (entries: readonly LoggedEntry[]) => {
    const { first, text } = await beginningOf(reader);
    const items = entries.map((entry) => recordOf(entry, named));
    return { size: await reader.size(), first, removed: text ?? null, items };
  };
  return [
    route({
      method: "GET",
      path: "/audit/records",
      summary: "Entries as they stand in the log, from one on; none where it has no such entry yet.",
      tag,
      role: "viewer",
      query: z.object({ limit: pageQuery.limit, from: z.coerce.number().int().min(0) }),
      answer: recordsAnswer,
      handle: async ({ query: { limit, from } }) => {
        const entries: LoggedEntry[] = [];
        for await (const entry of reader.forwards(from)) if (entries.push(entry) >= limit) break;
        return await told(entries);
      },
    }),
    route({
      method: "GET",
      path: "/audit/records/{id}",
      summary: "All entries of a call, or of whatever else has an id, as they stand in the log.",
      tag,
      role: "viewer",
      params: z.object({ id: z.string().min(1).max(64) }),
      answer: recordsAnswer,
      handle: async ({ params: { id } }) => await told(await reader.find(id)),
    }),
  ];
}

export function recordOf({ index, bytes, reading }: LoggedEntry, named: Naming): RecordAnswer {
  if (reading.kind === "unreadable") return { index, bytes: toBase64url(bytes), named: null };
  const { principal, facts } = named(reading.entry);
  return { index, bytes: toBase64url(bytes), named: { principal, facts: { ...facts } } };
}
