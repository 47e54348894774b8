/** The audit log of another machine's gateway, as its control room tells it. */
import { setTimeout as pause } from "node:timers/promises";

import { readEntry } from "../../audit/entry.ts";
import type { LoggedEntry } from "../../host/store/log-reader.ts";
import { fromBase64url } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { AuditQuestion, FoundCall } from "../audit-query.ts";
import type { Naming } from "../subject-names.ts";
import type { ControlRoom } from "./ask-control.ts";
import { entriesAnswer, type RecordAnswer, recordsAnswer } from "./audit-answers.ts";

/** How late `follow` may be. */
const pollMs = 500;
const pageItems = 200;
/** What a control room's search shows at most. */
const maxSearched = 5000;

export interface AskedLog {
  readonly size: () => Promise<number>;
  /** The first entry that is there, and why the ones before aren't. */
  readonly beginning: () => Promise<{ readonly first: number; readonly text: string | undefined }>;
  readonly forwards: (from: number) => AsyncGenerator<LoggedEntry, void, void>;
  /** From entry `from` on, and every later one; each once, whatever is between two questions. */
  readonly follow: (from: number) => AsyncGenerator<LoggedEntry, void, void>;
  readonly find: (callId: string) => Promise<readonly LoggedEntry[]>;
  /** @param note told what a person should know of the search */
  readonly search: (question: AuditQuestion, note: (line: string) => void) => Promise<readonly FoundCall[]>;
  /** As the gateway names people in the entries that it told. */
  readonly named: Naming;
}

export function askedLog(room: ControlRoom): AskedLog {
  const names = new WeakMap<object, RecordAnswer["named"]>();
  const records = (from: number, limit: number) =>
    room.get("/audit/records", recordsAnswer, { from: String(from), limit: String(limit) });
  const loggedOf = (record: RecordAnswer): LoggedEntry => {
    const bytes = fromBase64url(record.bytes) ?? new Uint8Array();
    const reading = readEntry(bytes);
    if (reading.kind === "entry") names.set(reading.entry, record.named);
    return { index: record.index, bytes, reading };
  };
  async function* forwards(from: number): AsyncGenerator<LoggedEntry, void, void> {
    for (let next = from; ;) {
      const { items } = await records(next, pageItems);
      for (const item of items) yield loggedOf(item);
      const last = items.at(-1);
      if (last === undefined || items.length < pageItems) return;
      next = last.index + 1;
    }
  }
  return {
    size: async () => (await records(0, 1)).size,
    beginning: async () => {
      const { first, removed } = await records(0, 1);
      return { first, text: removed ?? undefined };
    },
    forwards,
    follow: async function* (from) {
      for (let next = from; ; await pause(pollMs))
        for await (const entry of forwards(next)) {
          yield entry;
          next = entry.index + 1;
        }
    },
    find: async (callId) => {
      const { items } = await room.get(`/audit/records/${encodeURIComponent(callId)}`, recordsAnswer);
      return items.map(loggedOf);
    },
    search: (question, note) => searched(room, question, { note, loggedOf }),
    named: (entry) => ({ ...entry, ...names.get(entry) }),
  };
}

interface Search {
  readonly note: (line: string) => void;
  readonly loggedOf: (record: RecordAnswer) => LoggedEntry;
}

/** @throws Refusal `bad_config` for more than a control room shows */
async function searched(
  room: ControlRoom,
  question: AuditQuestion,
  { note, loggedOf }: Search,
): Promise<readonly FoundCall[]> {
  const { limit, ...about } = question;
  if (limit > maxSearched)
    throw new Refusal("bad_config", `From another machine, --limit takes up to ${maxSearched}.`);
  const told = new Set<string>();
  // Entries that come meanwhile move the pages of a search that begins with the newest.
  const found = new Map<number, FoundCall>();
  let cursor: string | undefined;
  do {
    const page = { limit: String(Math.min(limit, pageItems)), cursor };
    const answer = await room.get("/audit/entries", entriesAnswer, { ...asQuery(about), ...page });
    for (const line of answer.notes) if (!told.has(line)) note(line);
    for (const line of answer.notes) told.add(line);
    for (const { index, records = [] } of answer.items) found.set(index, foundIn(records.map(loggedOf)));
    cursor = answer.next ?? undefined;
  } while (cursor !== undefined && found.size < limit);
  return [...found.values()].slice(0, limit);
}

function asQuery({ tool, sinceUnixMs, untilUnixMs, isOldestFirst, ...asked }: Omit<AuditQuestion, "limit">) {
  return {
    ...asked,
    ...(tool !== undefined && { tool: tool.isPrefix ? `${tool.text}*` : tool.text }),
    ...(sinceUnixMs !== undefined && { since: String(sinceUnixMs) }),
    ...(untilUnixMs !== undefined && { until: String(untilUnixMs) }),
    order: isOldestFirst ? "oldest" : "newest",
    records: "true",
  };
}

/** @throws Refusal `bad_log` for records that aren't entries */
function foundIn(records: readonly LoggedEntry[]): FoundCall {
  const [first, outcome] = records.map(({ index, bytes, reading }) => {
    if (reading.kind === "entry") return { index, bytes, entry: reading.entry };
    throw new Refusal("bad_log", `The control room tells an entry ${index} that can't be read.`);
  });
  if (first === undefined)
    throw new Refusal("bad_log", "The control room doesn't tell the entries it has found.");
  return { first, ...(outcome !== undefined && { outcome }) };
}
