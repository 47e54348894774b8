/**
 * One outlet at work: reads on from its cursor, sends, and moves the cursor behind what was acknowledged; for ever, and in
 * order. INVARIANT: the cursor never passes an event that wasn't taken, or kept as one that never will be.
 */
import type { DeadLetters } from "../../host/outlets/dead-letters.ts";
import type { DeadLetter, Delivery, Sink, SinkLink } from "../../host/outlets/sink.ts";
import type { OutletRow, OutletStore } from "../../host/store/state-outlets.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { toldLoss } from "../../respond/events/told.ts";
import { withMark } from "./log-marks.ts";
import { type NextTold, nextTold, type TellingOf } from "./told-from-log.ts";

export interface OutletRun extends TellingOf {
  readonly name: string;
  readonly sink: Sink;
  readonly store: OutletStore;
  readonly dead: DeadLetters;
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves after that time, or when `signal` aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How late an event may be told. */
const pollMs = 500;
const firstRetryMs = 1000;
const lastRetryMs = 60_000;

/** Resolves when `signal` aborts; never rejects. */
export async function runOutlet(run: OutletRun, signal: AbortSignal): Promise<void> {
  const { name, clock, log, pause } = run;
  let failures = 0;
  while (!signal.aborted) {
    let outcome: "on" | "idle" | { readonly failed: string };
    try {
      outcome = await step(run, signal);
    } catch (error) {
      outcome = { failed: error instanceof Error ? error.message : "unknown" };
    }
    if (signal.aborted) return;
    if (typeof outcome === "string") {
      if (failures > 0 && outcome === "on") {
        failures = 0;
        log.info("outlet.reached", { outlet: name });
      }
      if (outcome === "idle") await pause(pollMs, signal);
      continue;
    }
    failures += 1;
    tellFailure(run, outcome.failed, { isFirst: failures === 1, nowUnixMs: clock.nowUnixMs() });
    await pause(Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 10), lastRetryMs), signal);
  }
}

type Stepped = "on" | "idle" | { readonly failed: string };

/**
 * One batch.
 * @throws what keeps the log or the database from being read
 */
async function step(run: OutletRun, signal: AbortSignal): Promise<Stepped> {
  const { name, sink, store, teller, clock } = run;
  const row = takenUp(run);
  const { cursor, marks, lost, failingSinceUnixMs } = row;
  if (lost?.isTold === false) {
    const loss = { told: toldLoss(teller, lost, clock.nowUnixMs()), next: cursor };
    return await sent(run, row, { next: { events: [loss], upTo: cursor }, signal });
  }
  const next = await nextTold(run, cursor, { most: sink.maxBatch, nowUnixMs: clock.nowUnixMs() });
  const { events, upTo, before } = next;
  if (events.length > 0) return await sent(run, row, { next, signal });
  if (upTo > cursor) store.change(name, { cursor: upTo, marks: withMark(marks, upTo, before) });
  return upTo > cursor && failingSinceUnixMs === undefined ? "on" : "idle";
}

async function sent(
  run: OutletRun,
  row: OutletRow,
  { next, signal }: { readonly next: NextTold; readonly signal: AbortSignal },
): Promise<Stepped> {
  const { name, sink, store } = run;
  const events = next.events.slice(0, sink.maxBatch).map(({ told }) => told);
  const delivery = await sink.send(events, signal);
  if (!keepDead(run, row, delivery.dead ?? [])) {
    return { failed: `${run.dead.file} is full; see what is in it, and move it away` };
  }
  const doubtful = delivery.taken > 0 ? moved(run, row, { next, delivery }) : row.doubtful;
  if (delivery.failed === undefined) return "on";
  // What the other end took last may have died with it.
  const [from = row.cursor] = doubtful;
  const { lost } = row;
  const isLossDoubtful = lost !== undefined && sink.inDoubt > 0 && from <= lost.from;
  if (from < row.cursor) store.change(name, { cursor: from });
  if (doubtful.length > 0) store.change(name, { doubtful: [] });
  if (isLossDoubtful) store.change(name, { lost: { ...lost, isTold: false } });
  return { failed: delivery.failed };
}

/** The row as it stands now: in this log, and where an operator put it. */
function takenUp({ name, store, teller, log }: OutletRun): OutletRow {
  const row = store.of(name);
  if (row === undefined) throw new Error(`the outlet ${name} has lost its cursor`);
  if (row.origin !== teller.origin) {
    log.warn("outlet.other_log", { outlet: name, before: row.origin, now: teller.origin });
    const fresh = { cursor: 0, replayFrom: undefined, doubtful: [], marks: [], lost: undefined };
    store.change(name, { origin: teller.origin, ...fresh });
    return { ...row, origin: teller.origin, ...fresh };
  }
  if (row.replayFrom === undefined) return row;
  log.info("outlet.replay", { outlet: name, from: row.replayFrom });
  const there = { cursor: row.replayFrom, replayFrom: undefined, doubtful: [] };
  store.change(name, there);
  return { ...row, ...there };
}

/** @returns what is in doubt since */
function moved(
  run: OutletRun,
  row: OutletRow,
  { next, delivery }: { readonly next: NextTold; readonly delivery: Delivery },
): readonly number[] {
  const { name, sink, store, clock, log } = run;
  const { events } = next;
  const { taken, dead = [] } = delivery;
  const last = events[taken - 1];
  const isAll = taken >= events.length;
  const cursor = isAll ? next.upTo : (last?.next ?? row.cursor);
  const doubtful = sink.inDoubt === 0 ? [] : [...row.doubtful, row.cursor].slice(-sink.inDoubt);
  const link = newLink(run, row);
  for (const { told } of events.slice(0, taken))
    if (told.event === "outlet.gap") log.warn("outlet.gap", { outlet: name, uid: told.uid });
  store.change(name, {
    cursor,
    doubtful,
    marks: withMark(row.marks, cursor, isAll ? next.before : last?.before),
    ...(row.lost && { lost: { ...row.lost, isTold: true } }),
    sent: row.sent + taken - dead.length,
    lastSentUnixMs: clock.nowUnixMs(),
    failingSinceUnixMs: undefined,
    lastError: undefined,
    ...(link && { link: link.text }),
  });
  return doubtful;
}

function newLink({ name, sink, log }: OutletRun, row: OutletRow): SinkLink | undefined {
  const link = sink.link();
  if (link !== undefined && !link.isPostQuantum && link.text !== row.link)
    log.warn("outlet.classical_link", { outlet: name, link: link.text });
  return link;
}

function keepDead(
  { name, dead, store, clock, log }: OutletRun,
  row: OutletRow,
  letters: readonly DeadLetter[],
): boolean {
  for (const { event, why } of letters) {
    if (!dead.keep(event, why, clock.nowUnixMs())) return false;
    log.warn("outlet.dead_letter", { outlet: name, uid: event.uid, reason: why });
  }
  if (letters.length > 0) store.change(name, { dead: row.dead + letters.length });
  return true;
}

function tellFailure(
  { name, store, log }: OutletRun,
  why: string,
  { isFirst, nowUnixMs }: { readonly isFirst: boolean; readonly nowUnixMs: number },
): void {
  try {
    const since = store.of(name)?.failingSinceUnixMs ?? nowUnixMs;
    store.change(name, { lastError: why, failingSinceUnixMs: since });
  } catch {
    // The log has it.
  }
  if (isFirst) log.error("outlet.unreachable", { outlet: name, reason: why });
}
