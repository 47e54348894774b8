/** The audit log in the control API: searched, one entry with its proof, verified, handed out; its heads and witnesses. */
import path from "node:path";

import { z } from "zod";

import { receiptBytesEntry } from "../../audit/receipt.ts";
import { pageQuery } from "../../control/paging.ts";
import { download, type Route, route } from "../../control/route.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { AuditLog } from "../audit-log.ts";
import type { Config } from "../config.ts";
import { listLogKeys } from "../log-key-list.ts";
import { statePaths } from "../state-folder.ts";
import type { Naming } from "../subject-names.ts";
import { oneAtATime } from "../one-at-a-time.ts";
import { askThread } from "../thread.ts";
import { listWitnesses } from "../witness-list.ts";
import { reportedIncidents } from "../witness-records.ts";
import {
  type EntriesAnswer,
  entriesAnswer,
  entryAnswer,
  headsAnswer,
  type VerdictAnswer,
  verdictAnswer,
  witnessesAnswer,
} from "./audit-answers.ts";
import { type AuditOrder, skipOf } from "./audit-work.ts";
import { recordRoutes } from "./record-routes.ts";
import { provenEntry } from "./told-calls.ts";

export interface AuditPlace {
  readonly config: Pick<Config, "file" | "state">;
  readonly audit: Pick<AuditLog, "journal" | "origin">;
  readonly named: Naming;
}

const tag = "audit";
const name = z.string().min(1).max(2048).exactOptional();
const moment = z.coerce.number().int().min(0).exactOptional();
/** A log of millions of entries takes a minute. */
const longest = {
  longestMs: 180_000,
  tooLong: "It takes too long here; use `latticegate audit` on the command line.",
};

type Work = <T>(order: AuditOrder) => Promise<T>;

export function auditRoutes({ config, audit, named }: AuditPlace): readonly Route[] {
  const { file } = config;
  const program = new URL(`audit-worker${path.extname(import.meta.filename)}`, import.meta.url);
  const ask = oneAtATime("Others ask the audit log already; ask again in a moment.");
  const work = <T>(order: AuditOrder): Promise<T> => ask(() => askThread<T>(program, order, longest));
  const place = { config, audit, named };
  return [
    entryRoute(place),
    ...recordRoutes(place),
    ...standing(place),
    searchRoute(file, work),
    ...wholeRoutes(file, work),
  ];
}

function searchRoute(file: string, work: Work): Route {
  return route({
    method: "GET",
    path: "/audit/entries",
    summary: "Calls and events of the log.",
    tag,
    role: "viewer",
    query: z.object({
      ...pageQuery,
      caller: name,
      /** `server/tool`, or `server/*`. */
      tool: name,
      event: name,
      rule: name,
      call: name,
      server: name,
      session: name,
      /** Somewhere in an entry: who, what, which rule, any fact. */
      text: z.string().min(1).max(256).exactOptional(),
      verdict: z.enum(["allowed", "denied", "deferred", "error"]).exactOptional(),
      since: moment,
      until: moment,
      order: z.enum(["newest", "oldest"]).default("newest"),
      /** Whether the entries are told as they stand in the log, too. */
      records: z.enum(["true", "false"]).default("false"),
    }),
    answer: entriesAnswer,
    handle: ({ query: { limit, cursor, tool, since, until, order, records, ...asked } }) =>
      work<EntriesAnswer>({
        file,
        kind: "search",
        limit,
        skip: skipOf(cursor),
        records: records === "true",
        question: {
          ...asked,
          ...(tool !== undefined && { tool: toolOf(tool) }),
          ...(since !== undefined && { sinceUnixMs: since }),
          ...(until !== undefined && { untilUnixMs: until }),
          isOldestFirst: order === "oldest",
        },
      }),
  });
}

function wholeRoutes(file: string, work: Work): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/audit/verify",
      summary: "Verifies the whole log against its public keys.",
      tag,
      // It reads a disk full: nobody who only looks on keeps it busy.
      role: "operator",
      answer: verdictAnswer,
      handle: () => work<VerdictAnswer>({ file, kind: "verify" }),
    }),
    download({
      method: "GET",
      path: "/audit/export",
      summary: "A run of entries as one file that anybody verifies offline (docs/formats/bundle.md).",
      tag,
      role: "operator",
      query: z.object({ from: z.coerce.number().int().min(0), to: z.coerce.number().int().min(0) }),
      answer: "application/json",
      handle: async ({ query: { from, to } }) => {
        const { text } = await work<{ readonly text: string }>({ file, kind: "export", from, to });
        return { name: `entries-${from}-${to}.json`, body: text };
      },
    }),
  ];
}

function toolOf(text: string): { readonly text: string; readonly isPrefix: boolean } {
  const isPrefix = text.endsWith("/*");
  return { text: isPrefix ? text.slice(0, -1) : text, isPrefix };
}

function entryRoute({ config, audit, named }: AuditPlace): Route {
  const { log } = statePaths(config.state);
  return route({
    method: "GET",
    path: "/audit/entries/{index}",
    summary: "One entry, and what proves that it is in the log.",
    tag,
    role: "viewer",
    params: z.object({ index: z.coerce.number().int().min(0) }),
    answer: entryAnswer,
    handle: async ({ params: { index } }) => {
      if (index >= (await openLogReader(log).size()))
        throw new Refusal("bad_state", `The log has no entry ${index} yet.`);
      const receipt = await provenEntry({ config, origin: audit.origin }, index);
      const entry = receiptBytesEntry(receipt.receipt);
      if (entry === undefined) throw new Refusal("bad_log", `Entry ${index} can't be read.`);
      const { event, atUnixMs, callId, principal, tool, outcome, facts } = named(entry);
      return {
        entry: { index, event, atUnixMs, callId, principal, tool, outcome, facts: { ...facts } },
        receipt,
      };
    },
  });
}

function standing({ config, audit }: AuditPlace): readonly Route[] {
  const { log, logKey } = statePaths(config.state);
  return [
    route({
      method: "GET",
      path: "/audit/heads",
      summary: "The newest head, and the keys that sign heads.",
      tag,
      role: "viewer",
      answer: headsAnswer,
      handle: async () => {
        const { generations } = await listLogKeys({ folder: log, key: logKey });
        const head = audit.journal.head();
        return {
          origin: audit.origin,
          size: audit.journal.size(),
          head: head && { size: head.size, root: head.root },
          generations: generations.map(({ number, state, algorithms, fingerprint, ...span }) => ({
            number,
            state,
            algorithms: [...algorithms],
            fingerprint,
            fromSize: span.fromSize ?? null,
            toSize: span.toSize ?? null,
            sinceUnixMs: span.sinceUnixMs ?? null,
          })),
        };
      },
    }),
    route({
      method: "GET",
      path: "/audit/witnesses",
      summary: "Who cosigned the log up to where, and what they reported.",
      tag,
      role: "viewer",
      answer: witnessesAnswer,
      handle: async () => ({
        witnesses: (await listWitnesses(log, config.state)).map(({ spiffeId, agrees, ...rest }) => ({
          ...rest,
          spiffeId: spiffeId ?? null,
          agrees: agrees ?? null,
        })),
        incidents: (await reportedIncidents(config.state)).map(({ spiffe_id: by, ...rest }) => ({
          by,
          ...rest,
        })),
      }),
    }),
  ];
}
