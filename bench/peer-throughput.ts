/**
 * Answers of a megabyte over links between peers, side by side with the same TLS over plain TCP: the same client, the
 * same exposed server, cables as fast as the machine between them. Needs root and Linux.
 */
import { median } from "../src/kernel/statistics.ts";
import { atEnd, type Cleanup } from "../test/support/cleanup.ts";
import type { Space } from "../test/support/lab.ts";
import { joinByCable } from "../test/support/nat.ts";
import {
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

interface Way {
  readonly name: string;
  /** Of the caller. */
  readonly label: string;
  readonly home: Space;
  /** Of a peer's name; a URL has none. */
  readonly kind?: "direct" | "relayed";
  readonly http?: "h2";
}

async function openRunners(t: Cleanup, house: PeerHouse): Promise<readonly Runner[]> {
  const [near, far, beyond] = [
    joinByCable(t, house.town, "near", 1),
    joinByCable(t, house.town, "far", 2),
    joinByCable(t, house.town, "beyond", 3),
  ];
  const listen = `10.99.3.2:${port}`;
  const { target } = await openCalled(t, house, { name: "files", home: beyond, listen });
  // Who is far is led through the relay alone.
  house.town.block("10.99.2.2");
  const ways: readonly Way[] = [
    { name: "the same TLS over plain TCP, HTTP/1.1", label: "plain", home: near },
    { name: "the same TLS over plain TCP, HTTP/2", label: "shared", home: near, http: "h2" },
    { name: "peers, direct", label: "direct", home: near, kind: "direct" },
    { name: "peers, relayed", label: "relayed", home: far, kind: "relayed" },
  ];
  const runners: Runner[] = [];
  for (const { name, label, home, kind, http } of ways) {
    const caller = await openCalling(t, house, { name: label, home }, http && { http });
    atEnd(t, caller.close);
    const meetMs = kind === undefined ? [] : await met(caller, target, kind);
    if (kind === undefined)
      await caller.open(`https://${listen}/mcp/files`, "spiffe://latticegate.local/server/files");
    else await caller.open(target);
    runners.push({ name, caller, meetMs, samples: [] });
  }
  return runners;
}

/** @throws if they don't meet in that way */
async function met(caller: CallingHome, target: string, kind: string): Promise<readonly number[]> {
  const outcomes = await caller.meet(target, meetings);
  for (const { path, failure } of outcomes)
    if (path?.kind !== kind) throw new Error(`Expected ${kind}, found ${path?.kind ?? failure ?? "nobody"}.`);
  return outcomes.map(({ ms }) => ms);
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
