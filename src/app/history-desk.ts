/**
 * The calls before, as far as rules ask for them: remembered while the gateway runs, and read from the audit log when it
 * starts and whenever rules ask for something else. Until all is read, what asks for them errs.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

import type { Entry } from "../audit/entry.ts";
import { hmacSha256 } from "../crypto/hash.ts";
import type { Recollection } from "../expr/recall.ts";
import { endOf, pastCallIn } from "../gate/past-call.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { type PastCall, type PastCalls, pastCalls } from "../policy/history/past-calls.ts";
import type { Rule } from "../policy/rules.ts";
import { firstSince } from "./log-times.ts";
import type { LogNames } from "./subject-names.ts";

/** Key of the texts' digests in what entries keep of calls. */
export const historySecret = "history";

export interface HistoryDesk extends PastCalls {
  /** Begins to read what other rules ask for. */
  readonly look: () => void;
  readonly stop: () => Promise<void>;
}

interface Options {
  /** The log's. */
  readonly folder: string;
  readonly names: LogNames;
  readonly rules: () => readonly Rule[];
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of more calls, the window isn't read to its end: what asks for it errs. */
const maxRead = 2_000_000;
/** Calls whose outcome may not be in the log yet when it is read. */
const maxRecent = 10_000;
const readAtOnce = 512;
const digestBytes = 12;

/** What is remembered under one set of questions. */
interface Memory {
  readonly asked: string;
  readonly calls: PastCalls;
  /** Why nothing can be said yet; undefined once all is read. */
  why: string | undefined;
  isReading: boolean;
  /** While it is read: what happened meanwhile, which the log has too. */
  readonly reserved: Set<string>;
  readonly settled: Map<string, "stands" | "undone">;
}

/** Resolves when what the rules ask for is read. */
export async function openHistory(options: Options): Promise<HistoryDesk> {
  const over = new AbortController();
  let seen: readonly Rule[] | undefined;
  let reading: Promise<void> = Promise.resolve();
  let memory = memoryOf([], [], options);
  const underWay = new Map<string, PastCall>();
  const recent = new Map<string, "stands" | "undone">();
  const now = (): Memory => {
    const rules = options.rules();
    if (rules === seen) return memory;
    seen = rules;
    const recollections = rules.flatMap(({ when }) => when?.recalls ?? []);
    const reads = rules.flatMap(({ when }) => when?.reads ?? []).filter((path) => argumentPath.test(path));
    if (askedBy(recollections, reads) === memory.asked) return memory;
    const next = (memory = memoryOf(recollections, reads, options));
    // The log may have neither their decisions nor their outcomes yet.
    for (const call of underWay.values()) {
      next.reserved.add(call.callId);
      next.calls.restore(call);
    }
    for (const [callId, how] of recent) next.settled.set(callId, how);
    const readNext = (): Promise<void> => readInto(next, recollections, { ...options, signal: over.signal });
    reading = reading.then(readNext);
    return memory;
  };
  now();
  await reading;
  return {
    isAsked: () => now().calls.isAsked(),
    featuresOf: (args) => now().calls.featuresOf(args),
    of: (asker) => {
      const { calls, why } = now();
      return why === undefined ? calls.of(asker) : { recall: () => ({ why }) };
    },
    reserve: (call) => {
      const { calls, isReading, reserved } = now();
      const refused = calls.reserve(call);
      if (refused !== undefined) return refused;
      if (isReading) reserved.add(call.callId);
      underWay.set(call.callId, call);
      return undefined;
    },
    restore: (call) => now().calls.restore(call),
    settle: (callId, how) => {
      const { calls, isReading, settled } = now();
      if (!underWay.delete(callId)) return;
      recent.set(callId, how);
      const [oldest] = recent.size > maxRecent ? recent.keys() : [];
      if (oldest !== undefined) recent.delete(oldest);
      if (isReading) settled.set(callId, how);
      calls.settle(callId, how);
    },
    forget: (ids) => now().calls.forget(ids),
    look: () => void now(),
    stop: async () => {
      over.abort();
      await reading;
    },
  };
}

/** What can be kept of an argument that a condition reads. */
const argumentPath = /^args(?:\.[A-Za-z_]\w{0,63}){1,4}$/;

function memoryOf(
  recollections: readonly Recollection[],
  reads: readonly string[],
  { key }: Options,
): Memory {
  const digest = (text: string): string =>
    `~${toBase64url(hmacSha256(key, utf8(text)).subarray(0, digestBytes))}`;
  return {
    asked: askedBy(recollections, reads),
    calls: pastCalls(recollections, digest, { reads }),
    why: recollections.length === 0 ? undefined : "the calls before aren't all read yet",
    isReading: recollections.length > 0,
    reserved: new Set(),
    settled: new Map(),
  };
}

function askedBy(recollections: readonly Recollection[], reads: readonly string[]): string {
  return JSON.stringify(
    [...new Set([...recollections.map((each) => JSON.stringify(each)), ...reads])].toSorted(),
  );
}

/** Never rejects: what can't be read stays unknown, and is told. */
async function readInto(
  memory: Memory,
  recollections: readonly Recollection[],
  options: Options & { readonly signal: AbortSignal },
): Promise<void> {
  const { clock, log, folder, signal } = options;
  const sinceUnixMs = clock.nowUnixMs() - Math.max(0, ...recollections.map(({ windowMs }) => windowMs));
  try {
    const reader = openLogReader(folder);
    const from = await firstSince(reader, sinceUnixMs);
    const open = new Set<string>();
    let [read, calls] = [0, 0];
    for await (const { reading } of reader.forwards(from)) {
      if (signal.aborted) return;
      if (++read % readAtOnce === 0) await nextTurn();
      if (reading.kind !== "entry" || !reading.entry.event.startsWith("call.")) continue;
      if (take(memory, open, reading.entry, options.names) && ++calls > maxRead)
        throw new Error(`more than ${maxRead} calls lie in what rules look back on`);
    }
    for (const [callId, how] of memory.settled) memory.calls.settle(callId, how);
    memory.why = undefined;
    if (recollections.length > 0) log.info("history.read", { entries: read });
  } catch (error) {
    memory.why = "the calls before can't be read";
    log.error("history.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
  } finally {
    memory.isReading = false;
    memory.reserved.clear();
    memory.settled.clear();
  }
}

/** @returns whether it is a call that counts */
function take(memory: Memory, open: Set<string>, entry: Entry, names: LogNames): boolean {
  const { callId } = entry;
  if (entry.event === "call.outcome") {
    if (!open.delete(callId)) return false;
    memory.calls.settle(callId, endOf({ outcome: entry.outcome, answer: entry.facts["answer"] }));
    return false;
  }
  const call = memory.reserved.has(callId) ? undefined : pastCallIn(names.named(entry));
  if (call === undefined) return false;
  open.add(callId);
  memory.calls.restore(call);
  return true;
}
