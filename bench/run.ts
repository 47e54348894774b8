/**
 * `npm run bench [calls] [handshakes] [profile] [signatures] [policy] [scoring] [response] [control] [peers]`: what a call through the gateway costs, side by side with what
 * else people run. Rounds are interleaved, every contestant in each; figures are medians over rounds, and
 * comparisons are medians of the ratios within a round. Method and reading: docs/guide/bench.md.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { median } from "../src/kernel/statistics.ts";
import { installed } from "../test/support/debian.ts";
import {
  classicalTls,
  type Contestant,
  direct,
  gateway,
  mcpProxy,
  nginx,
  onLoadCore,
  pipe,
  type Setting,
  sidecar,
  startPinned,
  supergateway,
} from "./contestants.ts";
import { beginLoad, type Load } from "./begin-load.ts";
import { cpuMs, peakMiB } from "./machine.ts";
import { measurePolicy, printPolicy } from "./policy.ts";
import { measureResponse, printResponse } from "./response.ts";
import { measureScoring, printScoring } from "./scoring.ts";
import { measureControl, printControl } from "./control.ts";
import { measurePeers } from "./peers.ts";
import { profile } from "./profile.ts";
import { measureSignatureFloor } from "./signature-floor.ts";
import { measureSignatures, printSignatures } from "./signatures.ts";

const rounds = Number(process.env["LATTICEGATE_BENCH_ROUNDS"] ?? 7);
const inFlight = 16;
/** Enough for a second of CPU at what a slow contestant takes, and half a second at what we do. */
const callsPerRound = 5000;
const lonelyCalls = 400;
const warmUpCalls = 4000;
const handshakesPerRound = 200;

const out = fileURLToPath(new URL("../out/bench/", import.meta.url));
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

interface Sample {
  readonly cpuUsPerCall: number;
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface Result {
  readonly contestant: Contestant;
  readonly samples: readonly Sample[];
}

async function measureCalls(setting: Setting): Promise<readonly Result[]> {
  const nginxMissing = installed("nginx", "nginx-light");
  if (nginxMissing !== undefined) console.log(`nginx: skipped, ${nginxMissing}`);
  const contestants: Contestant[] = [
    direct(setting),
    await pipe(setting),
    ...(nginxMissing === undefined ? [await nginx(setting, false), await nginx(setting, true)] : []),
    await gateway(setting, "http"),
    await sidecar(setting),
    await gateway(setting, "stdio"),
    await mcpProxy(setting),
    await supergateway(setting),
  ];
  const runs = await Promise.all(
    contestants.map(async (contestant) => ({
      contestant,
      load: await startLoad(setting, contestant),
      samples: [] as Sample[],
    })),
  );
  for (const { load } of runs) await load.order({ kind: "calls", count: warmUpCalls, inFlight });
  for (let round = 0; round < rounds; round++) {
    // Another one begins each round, so that none always follows the same neighbour.
    for (const run of [...runs.slice(round % runs.length), ...runs.slice(0, round % runs.length)]) {
      const before = cpuMs(run.contestant.pids);
      const crowd = await run.load.order({ kind: "calls", count: callsPerRound, inFlight });
      const cpuUsPerCall = ((cpuMs(run.contestant.pids) - before) * 1000) / callsPerRound;
      const alone = await run.load.order({ kind: "calls", count: lonelyCalls, inFlight: 1 });
      run.samples.push({
        cpuUsPerCall,
        callsPerSecond: callsPerRound / crowd.seconds,
        p50Us: alone.p50Us,
        p99Us: alone.p99Us,
      });
    }
  }
  return runs;
}

interface HandshakeResult {
  readonly name: string;
  readonly samples: readonly {
    readonly serverCpuUs: number;
    readonly clientCpuUs: number;
    readonly p50Us: number;
  }[];
}

async function measureHandshakes(setting: Setting): Promise<readonly HandshakeResult[]> {
  const hybrid = await gateway(setting, "http");
  const contestants = [
    { ...hybrid, name: "Latticegate: X25519MLKEM768, ML-DSA-65, mutual" },
    await classicalTls(setting),
  ];
  const runs = await Promise.all(
    contestants.map(async (contestant) => ({
      name: contestant.name,
      contestant,
      load: await startLoad(setting, contestant),
      samples: [] as HandshakeResult["samples"][number][],
    })),
  );
  const order = { kind: "handshakes", count: handshakesPerRound } as const;
  for (const { load } of runs) await load.order(order);
  for (let round = 0; round < rounds; round++) {
    for (const { contestant, load, samples } of round % 2 === 0 ? runs : runs.toReversed()) {
      const [server, client] = [cpuMs(contestant.pids), cpuMs([load.pid])];
      const { p50Us } = await load.order(order);
      samples.push({
        serverCpuUs: ((cpuMs(contestant.pids) - server) * 1000) / handshakesPerRound,
        clientCpuUs: ((cpuMs([load.pid]) - client) * 1000) / handshakesPerRound,
        p50Us,
      });
    }
  }
  return runs;
}

/** On the other core. */
async function startLoad({ t, folder }: Setting, { target }: Contestant): Promise<Load> {
  return await beginLoad(t, { target, folder, core: onLoadCore });
}

function printCalls(results: readonly Result[]): void {
  const of = (result: Result, figure: keyof Sample): readonly number[] =>
    result.samples.map((sample) => sample[figure]);
  const pipeCpu = results.find(({ contestant }) => contestant.name.startsWith("a pipe"));
  console.log(
    `\nOne tools/call (0.5 kB in, 0.3 kB out); ${rounds} rounds of ${callsPerRound} calls, ${inFlight} at a time,`,
  );
  console.log(`then ${lonelyCalls} one by one for the latency. CPU of the named process alone.\n`);
  console.log(
    "                                                         CPU µs   CPU of a  calls/s  p50 µs  p99 µs  peak",
  );
  console.log(
    "                                                       per call  pipe's ×            alone   alone   MiB",
  );
  for (const result of results) {
    const ratios = of(result, "cpuUsPerCall").map(
      (cpu, i) => cpu / (pipeCpu?.samples[i]?.cpuUsPerCall ?? cpu),
    );
    const columns = [
      [median(of(result, "cpuUsPerCall")).toFixed(0), 10],
      [median(ratios).toFixed(1), 10],
      [median(of(result, "callsPerSecond")).toFixed(0), 9],
      [median(of(result, "p50Us")).toFixed(0), 8],
      [median(of(result, "p99Us")).toFixed(0), 8],
      [peakMiB(result.contestant.pids).toFixed(0), 6],
    ] as const;
    console.log(
      result.contestant.name.padEnd(53) + columns.map(([text, width]) => text.padStart(width)).join(""),
    );
  }
}

function printHandshakes(results: readonly HandshakeResult[]): void {
  console.log(`\nOne full handshake, no resumption; ${rounds} rounds of ${handshakesPerRound}.\n`);
  console.log("                                                     server CPU µs  client CPU µs   p50 µs");
  for (const { name, samples } of results) {
    const of = (figure: keyof (typeof samples)[number]): string =>
      median(samples.map((sample) => sample[figure])).toFixed(0);
    console.log(
      `${name.padEnd(53)}${of("serverCpuUs").padStart(13)}${of("clientCpuUs").padStart(15)}${of("p50Us").padStart(9)}`,
    );
  }
}

const parts = [
  "calls",
  "handshakes",
  "profile",
  "signatures",
  "policy",
  "scoring",
  "response",
  "control",
  "peers",
] as const;
const asked = process.argv.slice(2);
const unknown = asked.find((part) => !parts.some((known) => known === part));
if (unknown !== undefined) {
  console.error(
    `There is no part ${unknown}; there are ${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}.`,
  );
  process.exit(2);
}
const isAsked = (part: (typeof parts)[number]): boolean => asked.length === 0 || asked.includes(part);
const undo: (() => unknown)[] = [];
const t = { after: (step: () => unknown) => void undo.push(step) };
try {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-bench-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = 20_000 + (process.pid % 10_000);
  const stub = await startPinned(t, onLoadCore, [process.execPath, here("stub.ts"), String(port)]);
  const setting: Setting = {
    t,
    folder,
    stubUrl: `http://127.0.0.1:${port}/mcp`,
    stubPid: stub.process.pid ?? 0,
  };
  const calls = isAsked("calls") ? await measureCalls(setting) : [];
  if (calls.length > 0) printCalls(calls);
  const shakes = isAsked("handshakes") ? await measureHandshakes(setting) : [];
  if (shakes.length > 0) printHandshakes(shakes);
  const shares = isAsked("profile") ? await profile(setting, startLoad) : [];
  const signatures = isAsked("signatures") ? await measureSignatures(setting, rounds, startLoad) : [];
  const signatureFloorUs = isAsked("signatures") ? measureSignatureFloor() : 0;
  if (signatures.length > 0) printSignatures(signatures, { rounds, floorUs: signatureFloorUs });
  const policy = isAsked("policy") ? measurePolicy() : [];
  if (policy.length > 0) printPolicy(policy);
  const scoring = isAsked("scoring") ? measureScoring() : [];
  if (scoring.length > 0) printScoring(scoring);
  const response = isAsked("response") ? await measureResponse(setting) : [];
  if (response.length > 0) printResponse(response);
  const control = isAsked("control") ? await measureControl(setting, rounds, startLoad) : undefined;
  if (control !== undefined) printControl(control);
  const peers = isAsked("peers") ? await measurePeers(t, rounds) : undefined;
  await mkdir(out, { recursive: true });
  const file = path.join(out, `${new Date().toISOString().replaceAll(":", "-")}.json`);
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const rows = calls.map(({ contestant, samples }) => ({
    name: contestant.name,
    peakMiB: peakMiB(contestant.pids),
    samples,
  }));
  const handshakes = shakes.map(({ name, samples }) => ({ name, samples }));
  const all = {
    machine,
    rounds,
    callsPerRound,
    inFlight,
    calls: rows,
    handshakes,
    shares,
    signatures,
    signatureFloorUs,
    policy,
    scoring,
    response,
    control,
    peers,
  };
  await writeFile(file, JSON.stringify(all, null, 2));
  console.log(`\nAll samples: ${path.relative(process.cwd(), file)}`);
} finally {
  for (const step of undo.reverse()) await step();
}
