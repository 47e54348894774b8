/**
 * What the control room costs: counting a call in this process alone; and a gateway's CPU per call at a steady pace with
 * nobody watching, with the live stream open, and with a page that also asks again every few seconds.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { Agent, request } from "undici";

import { seeTraffic } from "../src/app/control/seen-traffic.ts";
import { apiRoot } from "../src/control/api.ts";
import { eventStream } from "../src/control/event-stream.ts";
import { liveCalls } from "../src/control/live-calls.ts";
import { systemClock, systemLog } from "../src/host/system.ts";
import { median } from "../src/kernel/statistics.ts";
import { callEntries, loggedCall } from "../test/support/logged-calls.ts";
import { type Contestant, gateway, type Setting } from "./contestants.ts";
import type { Measured, Order } from "./load.ts";
import { cpuMs } from "./machine.ts";

interface Load {
  readonly order: (order: Order) => Promise<Measured>;
}

type StartLoad = (setting: Setting, contestant: Contestant) => Promise<Load>;

const watchers = ["nobody watches", "the stream is open", "a page is open"] as const;
type Watcher = (typeof watchers)[number];

const pace = { perSecond: 1000, seconds: 4 } as const;
/** What a page asks for beside the stream, and how often. */
const asked = ["status", "traffic", "map", "changes", "calls?limit=50", "incidents"] as const;
const askedEveryMs = 5000;

interface ControlSample {
  readonly watcher: Watcher;
  readonly cpuUsPerCall: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface ControlResult {
  /** Of one call, its two entries; microseconds. */
  readonly seenUs: number;
  readonly watchedUs: number;
  /** A batch of the stream of a hundred calls, made and written as text; microseconds. */
  readonly batchUs: number;
  readonly samples: readonly ControlSample[];
}

export async function measureControl(
  setting: Setting,
  rounds: number,
  startLoad: StartLoad,
): Promise<ControlResult> {
  const running = await gateway(setting, "http");
  const load = await startLoad(setting, running);
  await load.order({ kind: "paced", ...pace });
  const { control } = JSON.parse(
    await readFile(path.join(path.dirname(running.configFile), "state", "run.json"), "utf8"),
  ) as { readonly control: string };
  const socket = new Agent({ connect: { socketPath: control }, bodyTimeout: 0 });
  const samples: ControlSample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < watchers.length; i++) {
      const watcher = watchers[(i + round) % watchers.length] ?? "nobody watches";
      samples.push(await sample({ watcher, socket }, running, load));
    }
  }
  await socket.close();
  await running.stop();
  return { seenUs: seen(false), watchedUs: seen(true), batchUs: batch(), samples };
}

async function sample(
  { watcher, socket }: { readonly watcher: Watcher; readonly socket: Agent },
  { pids }: Contestant,
  load: Load,
): Promise<ControlSample> {
  const over = new AbortController();
  const watching = watcher === "nobody watches" ? [] : [stream(socket, over.signal)];
  if (watcher === "a page is open") watching.push(ask(socket, over.signal));
  await load.order({ kind: "paced", ...pace, seconds: 1 });
  const before = cpuMs(pids);
  const { count, p50Us, p99Us } = await load.order({ kind: "paced", ...pace });
  const cpuUsPerCall = ((cpuMs(pids) - before) * 1000) / count;
  over.abort();
  const ends = await Promise.allSettled(watching);
  const failed = ends.find(
    (end) => end.status === "rejected" && end.reason instanceof Error && end.reason.name !== "AbortError",
  );
  if (failed?.status === "rejected") throw failed.reason;
  return { watcher, cpuUsPerCall, p50Us, p99Us };
}

async function stream(socket: Agent, signal: AbortSignal): Promise<void> {
  for await (const chunk of await told(socket, "stream", signal)) void chunk;
}

async function ask(socket: Agent, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const what of asked) await (await told(socket, what, signal)).text();
    await pause(askedEveryMs, undefined, { signal });
  }
}

async function told(dispatcher: Agent, what: string, signal: AbortSignal) {
  const { statusCode, body } = await request(`http://localhost${apiRoot}/${what}`, { dispatcher, signal });
  if (statusCode !== 200) throw new Error(`${what}: ${statusCode} ${await body.text()}`);
  return body;
}

const calls = 200_000;

/** Microseconds for one call, its two entries; the median of nine. */
function seen(isWatched: boolean): number {
  const log = systemLog({ level: "error", clock: systemClock, form: "json", write: () => undefined });
  const traffic = seeTraffic({ servers: { files: { command: ["true"] } }, virtual_servers: {} } as never, {
    clock: systemClock,
    log,
  });
  if (isWatched) traffic.showOn({ listeners: () => 1, publish: () => undefined });
  const all = Array.from({ length: calls }, (_, i) =>
    callEntries({
      callId: `c${i}`,
      caller: `spiffe://a.example/agent/${i % 20}`,
      risk: 0.2,
      requestBytes: 500,
    }),
  );
  const took = Array.from({ length: 9 }, () => {
    const began = performance.now();
    for (const { decision, outcome } of all) {
      traffic.see(decision, 1);
      traffic.see(outcome, 2);
    }
    return ((performance.now() - began) * 1000) / calls;
  });
  return median(took);
}

const batched = 100;

/** The median of many. */
function batch(): number {
  let flush = (): void => undefined;
  let bytes = 0;
  const stream = eventStream("x");
  stream.subscribe(
    undefined,
    ({ id, event, data }) => void (bytes += id.length + event.length + data.length),
  );
  const live = liveCalls({
    isWatched: () => true,
    send: (what) => stream.publish("calls", what),
    later: (act) => void (flush = act),
    chance: Math.random,
    nowUnixMs: systemClock.nowUnixMs,
  });
  const all = Array.from({ length: batched }, (_, i) => loggedCall({ callId: `c${i}`, risk: 0.2 }));
  const took = Array.from({ length: 2000 }, () => {
    for (const call of all) live.see(call);
    const began = performance.now();
    flush();
    return (performance.now() - began) * 1000;
  });
  if (bytes === 0) throw new Error("nothing was sent");
  return median(took);
}

export function printControl({ seenUs, watchedUs, batchUs, samples }: ControlResult): void {
  console.log(
    `\nThe control room, at ${pace.perSecond} calls a second: CPU of the gateway for a call, and how long it took; medians.\n`,
  );
  console.log(`${"".padEnd(24)}${"CPU, µs".padStart(10)}${"p50, µs".padStart(10)}${"p99, µs".padStart(10)}`);
  for (const watcher of watchers) {
    const own = samples.filter((each) => each.watcher === watcher);
    const of = (figure: "cpuUsPerCall" | "p50Us" | "p99Us"): string =>
      median(own.map((each) => each[figure]))
        .toFixed(0)
        .padStart(10);
    console.log(
      `${watcher.padEnd(24)}${of("cpuUsPerCall")}${of("p50Us")}${of("p99Us")}${moreThanNobody(own, samples)}`,
    );
  }
  console.log(
    `\nTo see a call's two entries: ${seenUs.toFixed(2)} µs; with somebody who watches ${watchedUs.toFixed(2)} µs. A batch of ${batched} calls for the stream: ${batchUs.toFixed(0)} µs more.`,
  );
}

/** Medians of the ratios within a round. */
function moreThanNobody(own: readonly ControlSample[], all: readonly ControlSample[]): string {
  const nobody = all.filter(({ watcher }) => watcher === "nobody watches");
  const ratios = own.map((each, i) => each.cpuUsPerCall / (nobody[i]?.cpuUsPerCall ?? Number.NaN));
  const percent = (median(ratios) - 1) * 100;
  return own === nobody || own[0]?.watcher === "nobody watches"
    ? ""
    : `   ${percent >= 0 ? "+" : ""}${percent.toFixed(1)} % CPU`;
}
