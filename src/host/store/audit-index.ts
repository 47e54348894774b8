/**
 * An index of an audit log on node:sqlite, for questions over a million entries. It holds what entries hold, is made
 * from the log alone, and can be thrown away at any time. INVARIANT: nothing is answered from it: its rows only say
 * where in the log to look. Processes that bring it up to date take turns, a part of the log each.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";

import { sha256 } from "../../crypto/hash.ts";
import { toHex } from "../../kernel/bytes.ts";
import { leafHash } from "../../merkle/hashing.ts";
import { tileWidth } from "../../merkle/tiles.ts";
import { openIndexFile } from "./audit-index-file.ts";
import { decisionEvent, type IndexRow, outcomeEvent, rowJoin } from "./audit-index-rows.ts";
import { transaction } from "./database.ts";
import type { LogBundles } from "./log-bundles.ts";

/** Whatever is given has to match; of several ids or words, any. */
export interface IndexQuestion {
  readonly callers?: readonly string[];
  /** Exact, or all that begin so. */
  readonly tool?: { readonly text: string; readonly isPrefix: boolean };
  readonly server?: string;
  readonly verdict?: string;
  readonly rule?: string;
  readonly event?: string;
  readonly sessions?: readonly string[];
  readonly call?: string;
  readonly sinceUnixMs?: number;
  readonly untilUnixMs?: number;
  readonly isOldestFirst: boolean;
}

/** Where the entries of a call stand, if the index is right. */
export interface IndexedCall {
  readonly first: number;
  readonly last: number | null;
}

interface Updated {
  /** Why it began anew, if it had to. */
  readonly rebuilt?: string;
  /** The first entry that isn't there, though the log's head covers it. */
  readonly missingFrom?: number;
}

export interface AuditIndex {
  /** Takes up what the log has behind what is indexed. */
  readonly update: () => Updated;
  /** Entries that couldn't be read when they were indexed. */
  readonly unreadable: () => number;
  readonly find: (question: IndexQuestion) => Iterable<IndexedCall>;
  readonly close: () => void;
}

/** So many bundles are one transaction: a quarter of a second. */
const bundlesAtOnce = 64;

/** @throws Refusal `bad_state` if the file can't be used, and not replaced either */
export function openAuditIndex(file: string, log: LogBundles): AuditIndex {
  const { db, replaced } = openIndexFile(file);
  let because = replaced;
  const writer = rowWriter(db);
  const clear = (): void => {
    db.exec("delete from calls; delete from words; delete from about;");
    writer.forget();
  };
  return {
    update: () => {
      const covered = log.headSize();
      for (let goesOn = true; goesOn;) {
        goesOn = transaction(db, () => {
          const broken = whyNotContinued(db, log);
          if (broken !== undefined) {
            because ??= broken;
            clear();
          }
          return takePart(db, log, writer);
        });
      }
      const rebuilt = because;
      because = undefined;
      const next = Number(read(db, "next") ?? 0);
      return {
        ...(rebuilt !== undefined && { rebuilt }),
        ...(next < covered && { missingFrom: next }),
      };
    },
    unreadable: () => Number(read(db, "unreadable") ?? 0),
    find: (question) => find(db, question),
    close: () => db.close(),
  };
}

/** Why what is indexed isn't the beginning of this log; undefined if it is, or if nothing is indexed. */
function whyNotContinued(db: DatabaseSync, log: LogBundles): string | undefined {
  const next = Number(read(db, "next") ?? 0);
  const first = Number(read(db, "first") ?? 0);
  if (!Number.isSafeInteger(next) || !Number.isSafeInteger(first))
    return "it says nothing of how far it goes";
  if (next === first) return undefined;
  if (log.bundle(Math.floor(first / tileWidth)) === undefined) return "the log's oldest entries were pruned";
  const last = log.entry(next - 1);
  const isSame = last !== undefined && toHex(leafHash(sha256, last)) === read(db, "last_hash");
  return isSame ? undefined : "the log isn't a continuation of what was indexed";
}

/** Indexes the next bundles. @returns whether there may be more */
function takePart(db: DatabaseSync, log: LogBundles, writer: RowWriter): boolean {
  const from = read(db, "next") === undefined ? log.first() * tileWidth : Number(read(db, "next"));
  const join = rowJoin();
  let next = from;
  let last: Uint8Array | undefined;
  const end = Math.floor(from / tileWidth) + bundlesAtOnce;
  for (let index = Math.floor(from / tileWidth); index < end; index++) {
    const entries = log.bundle(index) ?? [];
    for (; next - index * tileWidth < entries.length; next++) {
      last = entries[next - index * tileWidth];
      if (last !== undefined) join.add(last, next);
    }
    if (entries.length < tileWidth) break;
  }
  if (last === undefined) return false;
  const unreadable = join.steps.filter(({ kind }) => kind === "unreadable").length;
  for (const step of join.steps) {
    if (step.kind === "unreadable" || (step.kind === "outcome" && writer.end(step.row))) continue;
    writer.insert(step.row);
  }
  if (read(db, "first") === undefined) write(db, "first", String(from));
  write(db, "next", String(next));
  write(db, "last_hash", toHex(leafHash(sha256, last)));
  write(db, "unreadable", String(Number(read(db, "unreadable") ?? 0) + unreadable));
  return next === end * tileWidth;
}

interface RowWriter {
  readonly insert: (row: IndexRow) => void;
  /** Joins an outcome with a decision that was indexed before; false if there is none. */
  readonly end: (outcome: IndexRow) => boolean;
  readonly forget: () => void;
}

/** Words are remembered up to this many: a log may name any number of sessions. */
const maxKnownWords = 100_000;

function rowWriter(db: DatabaseSync): RowWriter {
  const known = new Map<string, number>();
  const add = db.prepare("insert into words (word) values (?) on conflict do nothing");
  const find = db.prepare("select id from words where word = ?");
  const id = (word: string | null): number | null => {
    if (word === null) return null;
    const had = known.get(word);
    if (had !== undefined) return had;
    add.run(word);
    const found = Number(find.get(word)?.["id"]);
    if (known.size >= maxKnownWords) known.clear();
    known.set(word, found);
    return found;
  };
  const insert = db.prepare("insert into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const end = db.prepare(
    "update calls set last = ?, verdict = ? where first = (select max(first) from calls where call = ? and last is null)",
  );
  return {
    insert: (row) => {
      const { first, last, atUnixMs, call, event, caller, tool, server, rule, verdict, session } = row;
      const words = [event, caller, tool, server, rule, verdict, session].map(id);
      insert.run(first, last, atUnixMs, call, ...words);
    },
    end: ({ first, verdict, call }) => Number(end.run(first, id(verdict), call).changes) > 0,
    forget: () => known.clear(),
  };
}

function isOfCalls(event: string): boolean {
  return event === decisionEvent || event === outcomeEvent;
}

function* find(db: DatabaseSync, question: IndexQuestion): Generator<IndexedCall, void, void> {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const where = (condition: string, ...given: readonly SQLInputValue[]): void => {
    conditions.push(condition);
    values.push(...given);
  };
  const isWord = (column: string, word: string | undefined): void => {
    if (word !== undefined) where(`${column} = (select id from words where word = ?)`, word);
  };
  const isAnyWord = (column: string, words: readonly string[] | undefined): void => {
    const any = "select id from words where word in (select value from json_each(?))";
    if (words !== undefined) where(`${column} in (${any})`, JSON.stringify(words));
  };
  const { tool, event, call, sinceUnixMs, untilUnixMs } = question;
  isAnyWord("caller", question.callers);
  isAnyWord("session", question.sessions);
  if (tool?.isPrefix === true)
    where(`tool in (select id from words where substr(word, 1, length(?)) = ?)`, tool.text, tool.text);
  else isWord("tool", tool?.text);
  isWord("server", question.server);
  isWord("verdict", question.verdict);
  isWord("rule", question.rule);
  if (event === outcomeEvent)
    where("last is not null and event in (select id from words where word in (?, ?))", decisionEvent, event);
  else isWord("event", event);
  // What isn't a call has one entry, and there is an index of these alone.
  if (event !== undefined && !isOfCalls(event)) where("last = first");
  if (call !== undefined) where("call = ?", call);
  if (sinceUnixMs !== undefined) where("at >= ?", sinceUnixMs);
  if (untilUnixMs !== undefined) where("at < ?", untilUnixMs);
  const only = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
  const order = question.isOldestFirst ? "asc" : "desc";
  const rows = db.prepare(`select first, last from calls ${only} order by first ${order}`).iterate(...values);
  for (const { first, last } of rows) {
    yield { first: Number(first), last: last === null ? null : Number(last) };
  }
}

function read(db: DatabaseSync, name: string): string | undefined {
  const value = db.prepare("select value from about where name = ?").get(name)?.["value"];
  return value === undefined ? undefined : String(value);
}

function write(db: DatabaseSync, name: string, value: string): void {
  db.prepare("insert into about values (?, ?) on conflict (name) do update set value = excluded.value").run(
    name,
    value,
  );
}
