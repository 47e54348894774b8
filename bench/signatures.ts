/**
 * What signed messages cost: the CPU time of one call in each mode, at 100 and at 3,000 calls a second, for all
 * processes on the way. Each mode has a way of its own, and all are there all the time; rounds are interleaved.
 */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { median } from "../src/kernel/statistics.ts";
import { latticegate } from "../test/support/cli.ts";
import { type Contestant, freePort, gateway, joinToken, type Setting, startPinned } from "./contestants.ts";
import type { Measured, Order } from "./load.ts";
import { cpuMs } from "./machine.ts";

const modes = ["none", "batched", "direct"] as const;
type Mode = (typeof modes)[number];
const ways = ["sidecar + gateway", "sidecar + gateway + expose"] as const;
type Way = (typeof ways)[number];
/** Of at least 300 calls each, so that a batch more or less makes no difference. */
const paces = [
  { perSecond: 100, seconds: 3 },
  { perSecond: 3000, seconds: 2 },
] as const;
/** So that the links that a pace needs are open before it counts: those that nobody needs close within seconds. */
const leadInSeconds = 0.5;
/** Until the last batch of a round is signed and checked: its costs belong to the calls in it. */
const settleMs = 600;

interface Chain extends Contestant {
  readonly way: Way;
  readonly mode: Mode;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

interface Sample {
  readonly perSecond: number;
  readonly cpuUsPerCall: number;
  /** In the order of the way. */
  readonly cpuUsByProcess: readonly number[];
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface SignatureResult {
  readonly way: Way;
  readonly mode: Mode;
  readonly processes: readonly string[];
  readonly samples: readonly Sample[];
}

type StartLoad = (
  setting: Setting,
  contestant: Contestant,
) => Promise<{ readonly order: (order: Order) => Promise<Measured> }>;

export async function measureSignatures(
  setting: Setting,
  rounds: number,
  startLoad: StartLoad,
): Promise<readonly SignatureResult[]> {
  const runs: {
    readonly chain: Chain;
    readonly load: Awaited<ReturnType<StartLoad>>;
    readonly samples: Sample[];
  }[] = [];
  for (const way of ways) {
    for (const mode of modes) {
      const chain = await startChain(setting, way, mode);
      runs.push({ chain, load: await startLoad(setting, chain), samples: [] });
    }
  }
  for (const { load } of runs) await load.order({ kind: "calls", count: 3000, inFlight: 16 });
  for (let round = 0; round < rounds; round++) {
    for (const pace of paces) {
      // Another one begins each round, so that none always follows the same neighbour.
      for (const run of [...runs.slice(round % runs.length), ...runs.slice(0, round % runs.length)])
        run.samples.push(await sample(run.chain, run.load, pace));
    }
  }
  return runs.map(({ chain: { way, mode, processes }, samples }) => ({
    way,
    mode,
    processes: processes.map(({ name }) => name),
    samples,
  }));
}

async function sample(
  { processes }: Chain,
  load: Awaited<ReturnType<StartLoad>>,
  pace: (typeof paces)[number],
): Promise<Sample> {
  await load.order({ kind: "paced", ...pace, seconds: leadInSeconds });
  await pause(settleMs);
  const cpu = (): readonly number[] => processes.map(({ pid }) => cpuMs([pid]));
  const before = cpu();
  const { count, seconds, p50Us, p99Us } = await load.order({ kind: "paced", ...pace });
  await pause(settleMs);
  const cpuUsByProcess = cpu().map((ms, i) => ((ms - (before[i] ?? 0)) * 1000) / count);
  return {
    perSecond: pace.perSecond,
    cpuUsPerCall: cpuUsByProcess.reduce((sum, us) => sum + us, 0),
    cpuUsByProcess,
    callsPerSecond: count / seconds,
    p50Us,
    p99Us,
  };
}

/**
 * A client's sidecar, a gateway and the server behind it, as an operator would set them up: the mode comes from
 * whether the server's tools are labelled read-only, not from a switch of the bench's own.
 */
async function startChain(
  setting: Setting,
  way: Way,
  mode: Mode,
  nodeFlags: readonly string[] = [],
): Promise<Chain> {
  const { t } = setting;
  const use = mode === "none" ? "off" : "required";
  const anyCore: readonly string[] = [];
  const isExposed = way === "sidecar + gateway + expose";
  const exposedAt = `127.0.0.1:${await freePort()}`;
  const behind = await gateway(setting, "http", {
    nodeFlags,
    core: anyCore,
    config: { signatures: { use } },
    server: {
      ...(mode === "batched" && { read_only: ["*"] }),
      ...(isExposed && {
        url: `https://${exposedAt}/mcp/stub`,
        peer: "spiffe://latticegate.local/server/stub",
      }),
    },
  });
  const folder = path.dirname(behind.configFile);
  const node = [process.execPath, ...nodeFlags];
  const joined = async (name: string): Promise<readonly string[]> => {
    const [token, state] = [
      await joinToken(behind.configFile, name),
      path.join(folder, name.replace("/", "-")),
    ];
    return ["--join", token, "--state", state, "--signatures", use];
  };
  const exposeFlags = ["--listen", exposedAt, ...(mode === "batched" ? ["--read-only", "*"] : [])];
  const exposed = isExposed
    ? await startPinned(
        t,
        anyCore,
        [
          ...node,
          ...latticegate(["expose", setting.stubUrl, ...(await joined("server/stub")), ...exposeFlags]),
        ],
        / is at https:\S+ as /,
      )
    : undefined;
  const sidecar = await startPinned(
    t,
    anyCore,
    [...node, ...latticegate(["connect", "stub", ...(await joined("agent/sidecar")), "--http", "0"])],
    / is at (http:\S+)$/,
  );
  const processes = [
    { name: "sidecar", pid: sidecar.process.pid ?? 0 },
    { name: "gateway", pid: behind.pids[0] ?? 0 },
    ...(exposed === undefined ? [] : [{ name: "expose", pid: exposed.process.pid ?? 0 }]),
  ];
  return {
    name: `${way}, ${mode}`,
    way,
    mode,
    processes,
    target: { url: sidecar.groups[0] ?? "" },
    pids: processes.map(({ pid }) => pid),
  };
}

export function printSignatures(
  results: readonly SignatureResult[],
  { rounds, floorUs }: { readonly rounds: number; readonly floorUs: number },
): void {
  console.log(
    `\nSigned messages: one tools/call (0.5 kB in, 0.3 kB out) at a steady pace, ${rounds} rounds. CPU of all`,
  );
  console.log("processes named; what it is over none is the median of the differences within a round.\n");
  console.log(
    "                                         calls/s   calls/s    CPU µs   over none                 p50     p99",
  );
  console.log(
    "                                         offered  answered  per call      µs       %   by process  ms      ms",
  );
  for (const { perSecond } of paces) {
    for (const result of results) printRow(result, results, perSecond);
    console.log("");
  }
  const plain = results.find(({ mode, way }) => mode === "none" && way === "sidecar + gateway");
  const cpuUs = median((plain?.samples ?? []).map(({ cpuUsPerCall }) => cpuUsPerCall).slice(-rounds));
  console.log(
    `The least that batches have to do (read, digest in canonical form, claims, hashes), in a loop with nothing around`,
  );
  console.log(
    `it: ${floorUs.toFixed(0)} µs a call, ${((floorUs / cpuUs) * 100).toFixed(0)} % of an unsigned call through sidecar and gateway (${cpuUs.toFixed(0)} µs).`,
  );
}

function printRow(
  { way, mode, samples }: SignatureResult,
  results: readonly SignatureResult[],
  perSecond: number,
): void {
  const at = (all: readonly Sample[]): readonly Sample[] =>
    all.filter((each) => each.perSecond === perSecond);
  const none = at(results.find((other) => other.way === way && other.mode === "none")?.samples ?? []);
  const own = at(samples);
  const of = (figure: (sample: Sample, round: number) => number, digits = 0): string =>
    median(own.map(figure)).toFixed(digits);
  const cpuOfNone = (round: number): number => none[round]?.cpuUsPerCall ?? Number.NaN;
  const byProcess = (own[0]?.cpuUsByProcess ?? []).map((_, i) =>
    of(({ cpuUsByProcess }) => cpuUsByProcess[i] ?? Number.NaN),
  );
  const columns = [
    [String(perSecond), 7],
    [of(({ callsPerSecond }) => callsPerSecond), 10],
    [of(({ cpuUsPerCall }) => cpuUsPerCall), 10],
    [of(({ cpuUsPerCall }, round) => cpuUsPerCall - cpuOfNone(round)), 8],
    [of(({ cpuUsPerCall }, round) => (cpuUsPerCall / cpuOfNone(round) - 1) * 100, 1), 8],
    [byProcess.join("+"), 14],
    [of(({ p50Us }) => p50Us / 1000, 1), 7],
    [of(({ p99Us }) => p99Us / 1000, 1), 8],
  ] as const;
  console.log(`${way}, ${mode}`.padEnd(41) + columns.map(([text, width]) => text.padStart(width)).join(""));
}
