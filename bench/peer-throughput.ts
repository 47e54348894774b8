/**
 * Answers of a megabyte over links between peers, side by side with the same TLS over plain TCP: the same client, the
 * same exposed server, cables as fast as the machine between them. Needs root and Linux.
 */
import { median } from "../src/kernel/statistics.ts";
import { atEnd, type Cleanup } from "../test/support/cleanup.ts";
import { joinByCable } from "../test/support/nat.ts";
import {
  type CalledHome,
  type CallingHome,
  openCalled,
  openCalling,
  openPeerHouse,
  type PeerHouse,
} from "../test/support/peer-house.ts";
import { cpuMs } from "./machine.ts";

const bytes = 1_000_000;
const answersPerRound = 60;
const smallPerRound = 400;
const meetings = 10;
const port = 9443;

interface Sample {
  /** One after the other, and eight at a time. */
  readonly mBPerSecond: number;
  readonly mBPerSecondOfMany: number;
  /** Of a small call alone. */
  readonly p50Ms: number;
  readonly relayCpuMsPerMB: number;
}

export interface Throughput {
  readonly name: string;
  /** Dialled by name, until the link is proven; none of what has no name. */
  readonly meetMs: readonly number[];
  readonly samples: readonly Sample[];
}

interface Runner {
  readonly name: string;
  readonly caller: CallingHome;
  readonly meetMs: readonly number[];
  readonly samples: Sample[];
}

export async function measureThroughput(t: Cleanup, rounds: number): Promise<readonly Throughput[]> {
  const house = await openPeerHouse(t);
  const runners = await openRunners(t, house);
  const relay = house.relay.process.process.pid ?? 0;
  // The first round is to warm up.
  for (let round = 0; round <= rounds; round++) {
    for (const runner of [
      ...runners.slice(round % runners.length),
      ...runners.slice(0, round % runners.length),
    ]) {
      const sample = await sampled(runner.caller, relay);
      if (round > 0) runner.samples.push(sample);
    }
  }
  return runners.map(({ name, meetMs, samples }) => ({ name, meetMs, samples }));
}

async function openRunners(t: Cleanup, house: PeerHouse): Promise<readonly Runner[]> {
  const [near, far, beyond] = [
    joinByCable(t, house.town, "near", 1),
    joinByCable(t, house.town, "far", 2),
    joinByCable(t, house.town, "beyond", 3),
  ];
  const listen = `10.99.3.2:${port}`;
  const called = await openCalled(t, house, { name: "files", home: beyond, listen });
  const url = `https://${listen}/mcp/files`;
  house.town.block("10.99.2.2");
  const runner = async (name: string, caller: CallingHome, target: string): Promise<Runner> => {
    atEnd(t, caller.close);
    const met = target === url ? [] : await caller.meet(target, meetings);
    await caller.open(target, ...(target === url ? ["spiffe://latticegate.local/server/files"] : []));
    return { name, caller, meetMs: met.map(({ ms }) => ms), samples: [] };
  };
  const on = async (name: string, home = near, http?: "h2"): Promise<CallingHome> =>
    await openCalling(t, house, { name, home }, http && { http });
  return [
    await runner("the same TLS over plain TCP, HTTP/1.1", await on("plain"), url),
    await runner("the same TLS over plain TCP, HTTP/2", await on("shared", near, "h2"), url),
    await namedRunner("peers, direct", "direct", await on("direct"), called, runner),
    await namedRunner("peers, relayed", "relayed", await on("relayed", far), called, runner),
  ];
}

/** @throws if they don't meet in that way */
async function namedRunner(
  name: string,
  kind: string,
  caller: CallingHome,
  { target }: CalledHome,
  runner: (name: string, caller: CallingHome, target: string) => Promise<Runner>,
): Promise<Runner> {
  const [met] = await caller.meet(target, 1);
  if (met?.path?.kind !== kind)
    throw new Error(`${name}: ${met?.path?.kind ?? met?.failure ?? "nobody was met"}`);
  return await runner(name, caller, target);
}

async function sampled(caller: CallingHome, relay: number): Promise<Sample> {
  const alone = await whole(caller, { count: smallPerRound, inFlight: 1 });
  const before = cpuMs([relay]);
  const fill = { tool: "fill", arguments: { bytes } } as const;
  const one = await whole(caller, { count: answersPerRound, inFlight: 1, ...fill });
  const many = await whole(caller, { count: answersPerRound, inFlight: 8, ...fill });
  const mB = (answersPerRound * bytes) / 1e6;
  return {
    mBPerSecond: mB / (one.wholeMs / 1000),
    mBPerSecondOfMany: mB / (many.wholeMs / 1000),
    p50Ms: median(alone.ms),
    relayCpuMsPerMB: (cpuMs([relay]) - before) / (2 * mB),
  };
}

async function whole(
  caller: CallingHome,
  calls: Parameters<CallingHome["call"]>[0],
): ReturnType<CallingHome["call"]> {
  const outcome = await caller.call(calls);
  const [failure] = outcome.failures;
  if (failure !== undefined) throw new Error(`call ${failure.call}: ${failure.text}`);
  return outcome;
}

export function printThroughput(all: readonly Throughput[]): void {
  const [plain, shared] = all;
  console.log(
    `\nAnswers of 1 MB; ${plain?.samples.length ?? 0} rounds of ${answersPerRound} one by one and ${answersPerRound} eight at a time, ${smallPerRound} small calls.`,
  );
  console.log("× compares with the same TLS over plain TCP, by what this one speaks, within each round.\n");
  console.log(
    "                                          MB/s     ×   8 at once     ×  small call  link, ms  relay's CPU,",
  );
  console.log(
    "                                                                     p50, ms               ms per MB",
  );
  for (const one of all) {
    const of = (figure: keyof Sample): string => median(one.samples.map((each) => each[figure])).toFixed(1);
    const ratio = (figure: keyof Sample): string =>
      median(
        one.samples.map((each, i) => each[figure] / (baseOf(one)?.samples[i]?.[figure] ?? Number.NaN)),
      ).toFixed(2);
    const cells = [
      [of("mBPerSecond"), 8],
      [ratio("mBPerSecond"), 6],
      [of("mBPerSecondOfMany"), 12],
      [ratio("mBPerSecondOfMany"), 6],
      [median(one.samples.map(({ p50Ms }) => p50Ms)).toFixed(2), 12],
      [one.meetMs.length === 0 ? "" : median(one.meetMs).toFixed(0), 10],
      [one.name.endsWith("relayed") ? median(one.samples.map((s) => s.relayCpuMsPerMB)).toFixed(2) : "", 12],
    ] as const;
    console.log(one.name.padEnd(38) + cells.map(([text, width]) => text.padStart(width)).join(""));
  }
  function baseOf({ name }: Throughput): Throughput | undefined {
    return name.endsWith("HTTP/1.1") ? plain : shared;
  }
}
