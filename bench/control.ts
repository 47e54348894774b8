/**
 * What the control room costs a gateway: CPU per call at a steady pace with nobody watching, with the live stream open,
 * and with a page that asks for answers, too; in short windows one after the other, compared within each round.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { Agent, request } from "undici";

import { apiRoot } from "../src/control/api.ts";
import { median } from "../src/kernel/statistics.ts";
import { type Contestant, gateway, type Setting } from "./contestants.ts";
import { type AnswerCost, measureAnswers, printAnswers } from "./control-answers.ts";
import { batched, batchUs, seenUs } from "./control-parts.ts";
import { fillTraffic } from "./filled-traffic.ts";
import type { Measured, Order } from "./load.ts";
import { cpuMs } from "./machine.ts";

interface Load {
  readonly order: (order: Order) => Promise<Measured>;
}

type StartLoad = (setting: Setting, contestant: Contestant) => Promise<Load>;

const watchers = ["nobody watches", "the stream is open", "a page is open"] as const;
type Watcher = (typeof watchers)[number];

const perSecond = 1000;
/** Windows are short, so that a neighbour who disturbs one of a round disturbs the others alike. */
const windowSeconds = 1;
const leadInSeconds = 0.3;
/** Of `rounds`, for windows this short. */
const windowsPerRound = 8;
/**
 * What pages ask, one after the other while a page is open: each every seven seconds, where the busiest of them, the
 * overview, asks for two of them every fifteen.
 */
const asked = [
  "status",
  "traffic",
  "calls?limit=100",
  "changes?limit=8",
  "incidents?limit=100",
  "traffic?since=",
  "responses?limit=100",
  "approvals?limit=100",
  "map?since=",
] as const;
const askedEveryMs = 750;

interface ControlSample {
  readonly watcher: Watcher;
  readonly cpuUsPerCall: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface ControlResult {
  /** Of one call, its two entries; microseconds. */
  readonly seenUs: number;
  readonly watchedUs: number;
  /** A batch of the stream of a hundred calls, made and written as text; microseconds. */
  readonly batchUs: number;
  readonly answers: readonly AnswerCost[];
  readonly samples: readonly ControlSample[];
}

export async function measureControl(
  setting: Setting,
  rounds: number,
  startLoad: StartLoad,
): Promise<ControlResult> {
  const prepare = (state: string): void => fillTraffic(path.join(state, "traffic.sqlite"), Date.now());
  const running = await gateway(setting, "http", { prepare });
  const load = await startLoad(setting, running);
  const { control } = JSON.parse(
    await readFile(path.join(path.dirname(running.configFile), "state", "run.json"), "utf8"),
  ) as { readonly control: string };
  const socket = new Agent({ connect: { socketPath: control }, bodyTimeout: 0 });
  await load.order({ kind: "paced", perSecond, seconds: 6 });
  const answers = await measureAnswers(socket, running.pids[0] ?? 0);
  const samples: ControlSample[] = [];
  for (let round = 0; round < rounds * windowsPerRound; round++) {
    for (let i = 0; i < watchers.length; i++) {
      const watcher = watchers[(i + round) % watchers.length] ?? "nobody watches";
      samples.push(await sample({ watcher, socket }, running, load));
    }
  }
  await socket.close();
  await running.stop();
  return { seenUs: seenUs(false), watchedUs: seenUs(true), batchUs: batchUs(), answers, samples };
}

async function sample(
  { watcher, socket }: { readonly watcher: Watcher; readonly socket: Agent },
  { pids }: Contestant,
  load: Load,
): Promise<ControlSample> {
  const over = new AbortController();
  const watching = watcher === "nobody watches" ? [] : [stream(socket, over.signal)];
  if (watcher === "a page is open") watching.push(ask(socket, over.signal));
  await load.order({ kind: "paced", perSecond, seconds: leadInSeconds });
  const before = cpuMs(pids);
  const { count, seconds, p50Us, p99Us } = await load.order({
    kind: "paced",
    perSecond,
    seconds: windowSeconds,
  });
  const cpuUsPerCall = ((cpuMs(pids) - before) * 1000) / count;
  over.abort();
  const ends = await Promise.allSettled(watching);
  const failed = ends.find(
    (end) => end.status === "rejected" && end.reason instanceof Error && end.reason.name !== "AbortError",
  );
  if (failed?.status === "rejected") throw failed.reason;
  return { watcher, cpuUsPerCall, perSecond: count / seconds, p50Us, p99Us };
}

async function stream(socket: Agent, signal: AbortSignal): Promise<void> {
  for await (const chunk of await told(socket, "stream", signal)) void chunk;
}

let next = 0;

async function ask(socket: Agent, signal: AbortSignal): Promise<void> {
  const sinceUnixMs = (): number => Date.now() - (Date.now() % 60_000) - 86_400_000;
  while (!signal.aborted) {
    const what = asked[next++ % asked.length] ?? "status";
    await (
      await told(
        socket,
        what.replace(/=$/, () => `=${sinceUnixMs()}`),
        signal,
      )
    ).text();
    await pause(askedEveryMs, undefined, { signal });
  }
}

async function told(dispatcher: Agent, what: string, signal: AbortSignal) {
  const { statusCode, body } = await request(`http://localhost${apiRoot}/${what}`, { dispatcher, signal });
  if (statusCode !== 200) throw new Error(`${what}: ${statusCode} ${await body.text()}`);
  return body;
}

export function printControl({ answers, samples, ...parts }: ControlResult): void {
  const rounds = samples.length / watchers.length;
  console.log(
    `\nThe control room, ${perSecond} calls a second offered: CPU of the gateway for a call; medians of ${rounds} windows of ${windowSeconds} s.\n`,
  );
  console.log(
    `${"".padEnd(22)}${"CPU, µs".padStart(9)}${"calls/s".padStart(9)}${"p50, µs".padStart(9)}${"p99, µs".padStart(9)}   CPU against nobody: median (95 % of such medians), and of all windows together`,
  );
  for (const watcher of watchers) {
    const own = samples.filter((each) => each.watcher === watcher);
    const of = (figure: Exclude<keyof ControlSample, "watcher">): string =>
      median(own.map((each) => each[figure]))
        .toFixed(0)
        .padStart(9);
    const figures = [of("cpuUsPerCall"), of("perSecond"), of("p50Us"), of("p99Us")].join("");
    console.log(`${watcher.padEnd(22)}${figures}${moreThanNobody(own, samples)}`);
  }
  console.log(
    `\nTo see a call's two entries: ${parts.seenUs.toFixed(2)} µs; with somebody who watches ${parts.watchedUs.toFixed(2)} µs. A batch of ${batched} calls for the stream: ${parts.batchUs.toFixed(0)} µs more.`,
  );
  printAnswers(answers);
}

/** Ratios within a round, as percentages; the interval is that of the median, by the ranks of a binomial. */
function moreThanNobody(own: readonly ControlSample[], all: readonly ControlSample[]): string {
  if (own[0]?.watcher === "nobody watches") return "";
  const nobody = all.filter(({ watcher }) => watcher === "nobody watches");
  const ratios = own.map((each, i) => each.cpuUsPerCall / (nobody[i]?.cpuUsPerCall ?? Number.NaN));
  const sorted = ratios.toSorted((a, b) => a - b);
  const [middle, reach] = [sorted.length / 2, 0.98 * Math.sqrt(sorted.length)];
  const low = sorted[Math.max(0, Math.floor(middle - reach))] ?? Number.NaN;
  const high = sorted[Math.min(sorted.length - 1, Math.ceil(middle + reach))] ?? Number.NaN;
  const together = meanCpu(own) / meanCpu(nobody);
  return `   ${percent(median(ratios))} (${percent(low)} to ${percent(high)}), ${percent(together)}`;
}

function meanCpu(samples: readonly ControlSample[]): number {
  return samples.reduce((sum, each) => sum + each.cpuUsPerCall, 0) / samples.length;
}

function percent(ratio: number): string {
  const more = (ratio - 1) * 100;
  return `${more >= 0 ? "+" : ""}${more.toFixed(1)} %`;
}
