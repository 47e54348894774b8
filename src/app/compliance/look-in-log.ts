/**
 * What a log shows of each kind of evidence, and how each test went last. The index says where to look, the entries
 * themselves say what is so; only so many are read that a log of a million entries is looked through in seconds.
 */
import { type Entry, readEntry } from "../../audit/entry.ts";
import { evidenceNames, evidenceRow, type EvidenceName } from "../../compliance/evidence.ts";
import type { Example, Found, Observed, TestResult } from "../../compliance/judge.ts";
import { testEvent, testNamed, type TestName, tests } from "../../compliance/tests.ts";
import { type AuditIndex, openAuditIndex } from "../../host/store/audit-index.ts";
import { type LogBundles, openLogBundles } from "../../host/store/log-bundles.ts";

export interface LogLook {
  /** The log, and its index. */
  readonly folder: string;
  readonly index: string;
  /** Whose entries, and those about whom, count for nothing: whoever makes the tests' calls, as the log may name them. */
  readonly besides: ReadonlySet<string>;
}

/** Calls that are read at most, newest first. */
const callsRead = 2000;
/** Of each other event. */
const eventsRead = 500;
const examplesShown = 3;

interface Logged {
  readonly index: number;
  readonly entry: Entry;
}

/** @throws Refusal `bad_state` if the index can't be used */
export function lookInLog({ folder, index: file, besides }: LogLook): Observed & { readonly size: number } {
  const log = openLogBundles(folder);
  const index = openAuditIndex(file, log);
  try {
    index.update();
    const look = lookOf(log, index, besides);
    const found = new Map(evidenceNames.map((name) => [name, look.found(name)]));
    return { found, results: resultsOf(look), size: log.headSize() };
  } finally {
    index.close();
  }
}

interface Look {
  readonly found: (name: EvidenceName) => Found;
  /** Entries of an event, newest first, as many as are read. */
  readonly newest: (event: string) => readonly Logged[];
}

function lookOf(log: LogBundles, index: AuditIndex, besides: ReadonlySet<string>): Look {
  const kept = new Map<string, readonly Logged[]>();
  const newest = (event: string): readonly Logged[] => {
    const had = kept.get(event) ?? newestOf(event, { log, index });
    kept.set(event, had);
    return had;
  };
  const startedAt = newest("gateway.start")[0]?.index ?? 0;
  return {
    newest,
    found: (name) => {
      const { event, since, holds } = evidenceRow(name);
      const own = newest(event).filter(
        ({ entry }) => !besides.has(entry.principal) && !besides.has(entry.facts["caller"] ?? ""),
      );
      const late = since === "start" ? own.filter(({ index: at }) => at >= startedAt) : own;
      const showing = late.filter(({ entry }) => holds?.(entry) ?? true);
      return {
        count: showing.length,
        isLeast: late.length === own.length && own.length >= mostOf(event),
        examples: showing.slice(0, examplesShown).map(exampleOf),
      };
    },
  };
}

function newestOf(
  event: string,
  { log, index }: { readonly log: LogBundles; readonly index: AuditIndex },
): readonly Logged[] {
  const entries: Logged[] = [];
  let looked = 0;
  for (const { first, last } of index.find({ event, isOldestFirst: false })) {
    looked += 1;
    const at = event === "call.outcome" ? (last ?? first) : first;
    const bytes = log.entry(at);
    const reading = bytes === undefined ? undefined : readEntry(bytes);
    // The index may be wrong: what isn't as it says is nobody's evidence.
    if (reading?.kind === "entry" && reading.entry.event === event) {
      entries.push({ index: at, entry: reading.entry });
    }
    if (looked === mostOf(event)) break;
  }
  return entries;
}

function mostOf(event: string): number {
  return event.startsWith("call.") ? callsRead : eventsRead;
}

function exampleOf({ index, entry }: Logged): Example {
  return { index, id: entry.callId, at: new Date(entry.atUnixMs).toISOString() };
}

/** The newest result of each test, unless something came after it that could have changed it. */
function resultsOf(look: Look): ReadonlyMap<TestName, TestResult> {
  const results = new Map<TestName, TestResult>();
  for (const logged of look.newest(testEvent)) {
    const { what = "", result = "", says = "" } = logged.entry.facts;
    const test = testNamed(what);
    if (test === undefined || results.has(test)) continue;
    const isStale = tests[test].until.some((event) => (look.newest(event)[0]?.index ?? -1) > logged.index);
    const now = result === "passed" || result === "failed" || result === "skipped" ? result : "failed";
    results.set(test, { test, says, entry: exampleOf(logged), result: isStale ? "stale" : now });
  }
  return results;
}
