/**
 * Questions to an audit log: calls by caller, tool, rule, verdict and time. An index says where to look; what is
 * answered is read from the log itself and judged again, so that a wrong index can leave out, but never make up.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { type Entry, readEntry } from "../audit/entry.ts";
import {
  type AuditIndex,
  type IndexedCall,
  type IndexQuestion,
  openAuditIndex,
} from "../host/store/audit-index.ts";
import { isDamage, removeIndexFile } from "../host/store/audit-index-file.ts";
import { type LogBundles, openLogBundles } from "../host/store/log-bundles.ts";
import { textSearch, type TextSearch } from "./audit-text.ts";
import type { LogNames } from "./subject-names.ts";

interface FoundEntry {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly entry: Entry;
}

/** A call with how it ended; or an event that is no call. */
export interface FoundCall {
  readonly first: FoundEntry;
  /** Of a call that was decided and has ended. */
  readonly outcome?: FoundEntry;
}

export interface AuditQuestion extends Omit<IndexQuestion, "callers" | "sessions"> {
  readonly caller?: string;
  readonly session?: string;
  /** Somewhere in the entries. No index knows it: they are read, `maxRead` calls and events at most. */
  readonly text?: string;
  readonly limit: number;
}

/** Some seconds. */
const maxRead = 200_000;

export interface AuditSearch {
  /** The log, or a copy of it. */
  readonly folder: string;
  /** Where the index is kept; a temporary one is made without it. */
  readonly index: string | undefined;
  /** Makes the index anew. */
  readonly rebuild: boolean;
  readonly names: LogNames;
  /** Told what a person should know of the index. */
  readonly note: (line: string) => void;
}

/** @throws Refusal `bad_state` if the index can't be used, and not replaced either */
export async function searchLog(search: AuditSearch, question: AuditQuestion): Promise<readonly FoundCall[]> {
  if (search.index !== undefined) return answer(search, search.index, question);
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-index-"));
  try {
    return answer(search, path.join(folder, "audit-index.sqlite"), question);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The verdict on a call as far as the log knows: how it ended, else what was decided. */
export function verdictOf({ first, outcome }: FoundCall): string {
  return (outcome ?? first).entry.outcome;
}

function answer(search: AuditSearch, file: string, question: AuditQuestion): readonly FoundCall[] {
  const log = openLogBundles(search.folder);
  if (search.rebuild) removeIndexFile(file);
  try {
    return asked({ search, file, log }, question);
  } catch (error) {
    const isWrong = error instanceof WrongIndex;
    if (!isWrong && !isDamage(error)) throw error;
    search.note(`audit query: the index was made anew: it ${isWrong ? "isn't of this log" : "is damaged"}`);
    removeIndexFile(file);
    return asked({ search, file, log, isFresh: true }, question);
  }
}

interface Asking {
  readonly search: AuditSearch;
  readonly file: string;
  readonly log: LogBundles;
  /** It was just made: what doesn't fit then was changed in the log. */
  readonly isFresh?: boolean;
}

function asked(
  { search, file, log, isFresh = false }: Asking,
  question: AuditQuestion,
): readonly FoundCall[] {
  const index = openAuditIndex(file, log);
  try {
    const { rebuilt, missingFrom } = index.update();
    if (rebuilt !== undefined) search.note(`audit query: the index was made anew: ${rebuilt}`);
    if (missingFrom !== undefined)
      search.note(
        `audit query: entries from ${missingFrom} on aren't there and aren't searched; run latticegate audit verify`,
      );
    tellUnreadable(index, search);
    const { caller, session, text, limit, ...rest } = question;
    const where = {
      ...rest,
      ...(caller !== undefined && { callers: search.names.callersOf(caller) }),
      ...(session !== undefined && {
        sessions: search.names.sessionsOf(session, (text) => search.note(`audit query: ${text}`)),
      }),
    };
    return limit === 0 ? [] : [...found({ search, log, isFresh }, index.find(where), { where, text, limit })];
  } finally {
    index.close();
  }
}

function* found(
  { search, log, isFresh }: Omit<Asking, "file">,
  rows: Iterable<IndexedCall>,
  {
    where,
    text,
    limit,
  }: { readonly where: IndexQuestion; readonly text: string | undefined; readonly limit: number },
): Generator<FoundCall, void, void> {
  const wanted = text === undefined ? undefined : textSearch(text, search.names);
  let left = limit;
  let read = 0;
  for (const row of rows) {
    if (wanted !== undefined && (read += 1) > maxRead) {
      search.note(
        `audit query: ${maxRead} calls and events were read for this text; others of them ask by time`,
      );
      return;
    }
    if (wanted !== undefined && !mayFit(log, row, wanted)) continue;
    const call = callAt(log, row);
    if (call === undefined || !fits(call, where)) {
      if (isFresh !== true && !isChanged(log, row)) throw new WrongIndex();
      continue;
    }
    if (wanted !== undefined && ![call.first, call.outcome].some((each) => each && wanted.fits(each.entry)))
      continue;
    yield call;
    if ((left -= 1) === 0) return;
  }
}

function mayFit(log: LogBundles, { first, last }: IndexedCall, wanted: TextSearch): boolean {
  return [first, last ?? first].some((index) => {
    const bytes = log.entry(index);
    return bytes === undefined || wanted.mayFit(bytes);
  });
}

/** Its rows speak of other entries than the log has. */
class WrongIndex extends Error {}

function tellUnreadable(index: AuditIndex, { note }: AuditSearch): void {
  const count = index.unreadable();
  if (count === 0) return;
  note(
    `audit query: ${count} ${count === 1 ? "entry" : "entries"} can't be read and aren't searched; run latticegate audit verify`,
  );
}

function callAt(log: LogBundles, { first, last }: IndexedCall): FoundCall | undefined {
  const begin = entryAt(log, first);
  if (begin === undefined || last === first || last === null) return begin && { first: begin };
  const outcome = entryAt(log, last);
  const isIts =
    begin.entry.event === "call.decision" &&
    outcome?.entry.event === "call.outcome" &&
    outcome.entry.callId === begin.entry.callId;
  return isIts ? { first: begin, outcome } : undefined;
}

function entryAt(log: LogBundles, index: number): FoundEntry | undefined {
  const bytes = log.entry(index);
  const reading = bytes === undefined ? undefined : readEntry(bytes);
  return bytes === undefined || reading?.kind !== "entry"
    ? undefined
    : { index, bytes, entry: reading.entry };
}

/** Whether the log itself is at fault: an entry of the row is there and doesn't hold. */
function isChanged(log: LogBundles, { first, last }: IndexedCall): boolean {
  return [first, last ?? first].some((index) => {
    const bytes = log.entry(index);
    return bytes !== undefined && readEntry(bytes).kind === "unreadable";
  });
}

/** The question again, on the entries themselves. */
function fits(call: FoundCall, question: IndexQuestion): boolean {
  const { entry } = call.first;
  const { callers, sessions, tool, server, rule, event } = question;
  const facts = { ...call.outcome?.entry.facts, ...entry.facts };
  const events = [entry.event, call.outcome?.entry.event];
  const isAsked = (
    [
      [server, facts["server"]],
      [rule, entry.facts["rule"]],
      [question.verdict, verdictOf(call)],
      [question.call, entry.callId],
    ] as const
  ).every(([wanted, found]) => wanted === undefined || wanted === found);
  return (
    isAsked &&
    (callers === undefined || callers.includes(entry.principal)) &&
    (sessions === undefined || sessions.includes(facts["session"] ?? "")) &&
    (tool === undefined || isTool(entry.tool, tool)) &&
    (event === undefined || events.includes(event)) &&
    isWithin(entry.atUnixMs, question)
  );
}

function isWithin(atUnixMs: number, { sinceUnixMs = 0, untilUnixMs = Infinity }: IndexQuestion): boolean {
  return atUnixMs >= sinceUnixMs && atUnixMs < untilUnixMs;
}

function isTool(tool: string | null, wanted: NonNullable<IndexQuestion["tool"]>): boolean {
  if (tool === null) return false;
  return wanted.isPrefix ? tool.startsWith(wanted.text) : tool === wanted.text;
}
