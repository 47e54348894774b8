/** What keeps a page's main thread busy, from Chromium's own trace. */
import type { Browser, Page } from "playwright-core";

/** One task of a renderer's main thread: until it is over the page answers nobody. */
export interface MainTask {
  /** CPU time of the thread: what neighbours of this machine take isn't in it. */
  readonly cpuMs: number;
  /** By the clock. */
  readonly wallMs: number;
  /** What it did for longest. */
  readonly did: string;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds, as all times here. */
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: {
    readonly name?: string;
    readonly data?: { readonly functionName?: string; readonly url?: string };
  };
}

const categories = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8"];

/** @returns the tasks of all pages' main threads during `work`, longest first */
export async function tracedTasks(
  browser: Browser,
  page: Page,
  work: () => Promise<void>,
): Promise<readonly MainTask[]> {
  await browser.startTracing(page, { categories });
  const done = await Promise.allSettled([work()]);
  const trace = await browser.stopTracing();
  for (const end of done) if (end.status === "rejected") throw end.reason;
  const { traceEvents } = JSON.parse(trace.toString("utf8")) as {
    readonly traceEvents: readonly TraceEvent[];
  };
  return mainTasks(traceEvents);
}

function mainTasks(events: readonly TraceEvent[]): readonly MainTask[] {
  const isMain = mainThreads(events);
  const own = events.filter((event) => event.ph === "X" && isMain(event));
  return own
    .filter(({ name }) => name === "RunTask")
    .map((task) => ({
      cpuMs: (task.tdur ?? 0) / 1000,
      wallMs: (task.dur ?? 0) / 1000,
      did: longestIn(task, own),
    }))
    .toSorted((a, b) => b.cpuMs - a.cpuMs);
}

function mainThreads(events: readonly TraceEvent[]): (event: TraceEvent) => boolean {
  const threads = new Set(
    events
      .filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain")
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  return ({ pid, tid }) => threads.has(`${pid} ${tid}`);
}

/** Tasks shorter than this aren't explained: there are many. */
const explainedFromUs = 20_000;

function longestIn(task: TraceEvent, events: readonly TraceEvent[]): string {
  const { ts, dur = 0, tdur = 0, pid, tid } = task;
  if (tdur < explainedFromUs) return "";
  return events
    .filter(
      (event) =>
        event.pid === pid && event.tid === tid && event.ts >= ts && event.ts + (event.dur ?? 0) <= ts + dur,
    )
    .filter(({ name }) => !name.endsWith("RunTask"))
    .toSorted((a, b) => (b.tdur ?? 0) - (a.tdur ?? 0))
    .slice(0, 6)
    .map(
      ({ name, tdur: us = 0, args }) =>
        `${name} ${args?.data?.functionName ?? ""} ${(us / 1000).toFixed(1)} ms`,
    )
    .join("; ");
}
