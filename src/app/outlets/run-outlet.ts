/**
 * One outlet at work: reads on from its cursor, sends, and moves the cursor behind what was acknowledged; for ever, and in
 * order. INVARIANT: the cursor never passes an event that wasn't taken, or kept as one that never will be.
 */
import type { DeadLetters } from "../../host/outlets/dead-letters.ts";
import type { DeadLetter, Delivery, Sink } from "../../host/outlets/sink.ts";
import type { OutletRow, OutletStore } from "../../host/store/state-outlets.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
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
  const doubtful: number[] = [];
  while (!signal.aborted) {
    let outcome: "on" | "idle" | { readonly failed: string };
    try {
      outcome = await step(run, doubtful, signal);
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

/**
 * One batch.
 * @param doubtful where the last batches that were taken began; changed here
 * @throws what keeps the log or the database from being read
 */
async function step(
  run: OutletRun,
  doubtful: number[],
  signal: AbortSignal,
): Promise<"on" | "idle" | { readonly failed: string }> {
  const { name, sink, store, clock } = run;
  const row = takenUp(run);
  const next = await nextTold(run, row.cursor, { most: sink.maxBatch, nowUnixMs: clock.nowUnixMs() });
  if (next.events.length === 0) {
    if (next.upTo > row.cursor) store.change(name, { cursor: next.upTo });
    return next.upTo > row.cursor && row.failingSinceUnixMs === undefined ? "on" : "idle";
  }
  const events = next.events.slice(0, sink.maxBatch).map(({ told }) => told);
  const delivery = await sink.send(events, signal);
  const { dead = [] } = delivery;
  if (!keepDead(run, row, dead)) {
    return { failed: `${run.dead.file} is full; see what is in it, and move it away` };
  }
  if (delivery.taken > 0) {
    moved(run, row, { next, delivery });
    doubtful.push(row.cursor);
  }
  while (doubtful.length > sink.inDoubt) doubtful.shift();
  if (delivery.failed === undefined) return "on";
  // What the other end took last may have died with it.
  const [from = row.cursor] = doubtful.splice(0);
  if (from < row.cursor) store.change(name, { cursor: from });
  return { failed: delivery.failed };
}

/** The row as it stands now: in this log, and where an operator put it. */
function takenUp({ name, store, teller, log }: OutletRun): OutletRow {
  const row = store.of(name);
  if (row === undefined) throw new Error(`the outlet ${name} has lost its cursor`);
  if (row.origin !== teller.origin) {
    log.warn("outlet.other_log", { outlet: name, before: row.origin, now: teller.origin });
    store.change(name, { origin: teller.origin, cursor: 0, replayFrom: undefined });
    return { ...row, origin: teller.origin, cursor: 0, replayFrom: undefined };
  }
  if (row.replayFrom === undefined) return row;
  log.info("outlet.replay", { outlet: name, from: row.replayFrom });
  store.change(name, { cursor: row.replayFrom, replayFrom: undefined });
  return { ...row, cursor: row.replayFrom, replayFrom: undefined };
}

function moved(
  { name, sink, store, clock, log }: OutletRun,
  row: OutletRow,
  { next, delivery }: { readonly next: NextTold; readonly delivery: Delivery },
): void {
  const { events, upTo } = next;
  const { taken, dead = [] } = delivery;
  const last = events[taken - 1];
  const cursor = taken >= events.length ? upTo : (last?.next ?? row.cursor);
  const link = sink.link();
  if (link !== undefined && !link.isPostQuantum && link.text !== row.link)
    log.warn("outlet.classical_link", { outlet: name, link: link.text });
  store.change(name, {
    cursor,
    sent: row.sent + taken - dead.length,
    lastSentUnixMs: clock.nowUnixMs(),
    failingSinceUnixMs: undefined,
    lastError: undefined,
    ...(link && { link: link.text }),
  });
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
