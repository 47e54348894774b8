/**
 * The official suites, once straight and once through sidecar → post-quantum tunnel → gateway, and on through `expose`,
 * with messages signed end to end: the server suites against the fixture server, the client suites with the fixture client. Any check that differs fails the run. The
 * client suites run a third time with the gateway as the protected resource; there what differs has to be in a table.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import type { Cleanup } from "../support/cleanup.ts";
import { cli, startCli, startProcess } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import {
  forwardSidecar,
  type GatewayProcess,
  gatewayProcess,
  loopbackSidecar,
} from "../support/gateway-process.ts";
import { type ClientRun, runClientSuites } from "./client-suites.ts";
import {
  type Checks,
  compare,
  type Comparison,
  differingScenarios,
  readChecks,
  replaced,
} from "./compare.ts";
import type { Explained } from "./explain.ts";
import { resourceWay } from "./resource-way.ts";
import { out, runSuite } from "./suite.ts";

const fixtureProgram = fileURLToPath(new URL("../fixture/server.ts", import.meta.url));

const suites = [
  { name: "0.1.16 all", pin: "mcp-conformance-stable", args: ["--suite", "all"] },
  { name: "0.2.0-alpha.12 2025-11-25", pin: "mcp-conformance-next", args: ["--requirements", "2025-11-25"] },
  { name: "0.2.0-alpha.12 2026-07-28", pin: "mcp-conformance-next", args: ["--requirements", "2026-07-28"] },
  { name: "0.2.0-alpha.12 all", pin: "mcp-conformance-next", args: ["--suite", "all"] },
] as const;

type ServerSuite = (typeof suites)[number];

/** The client suites' own servers take free ports of this machine. */
const forwardServer = '{ forward: ["http://localhost:*", "http://127.0.0.1:*"] }';

/**
 * How the gateway reaches the fixture; calls and answers are signed each way, with the gateway, or with `expose`, at the
 * other end.
 */
const upstreams = ["http", "stdio", "exposed"] as const;

/** The fixture's tool that closes its stream answers after a second. Over a pipe the gateway closes it, once. */
const streamOpen = "650ms";

interface Cell {
  readonly suite: string;
  readonly upstream: string;
  readonly comparison: Comparison;
  /** Scenarios that differed at first and were run again. */
  readonly repeated: readonly string[];
  /** What differs as it must; absent where nothing may. */
  readonly explained?: Explained;
}

async function main(t: Cleanup): Promise<number> {
  await rm(out, { recursive: true, force: true });
  const fixture = await startFixture(t);
  const command = JSON.stringify([process.execPath, fixtureProgram, "--stdio"]);
  const port = await freePort();
  const gateway = await gatewayProcess(
    t,
    `servers:
  http: { url: "${fixture}" }
  stdio: { command: ${command} }
  exposed: { url: "https://127.0.0.1:${port}/mcp/exposed", peer: "spiffe://latticegate.local/server/exposed" }
  web: ${forwardServer}
limits: { stream_open: ${streamOpen} }`,
  );
  await startExposed(t, gateway, { fixture, port });
  const sidecars = new Map<string, string>();
  for (const upstream of upstreams) {
    sidecars.set(upstream, (await loopbackSidecar(t, gateway, upstream, upstream)).url);
  }
  const cells: Cell[] = [];
  for (const suite of suites) {
    const direct = await runServerSuite(suite, { url: fixture, name: "direct" });
    for (const [upstream, url] of sidecars) {
      cells.push(await serverCell(suite, { direct, fixture }, { upstream, url }));
    }
  }
  const proxy = await forwardSidecar(t, gateway, "web", "client");
  const clientRuns = await runClientSuites(proxy, () => logSize(gateway), await resourceWay(t));
  for (const run of clientRuns) cells.push({ ...run, upstream: run.way });
  print(cells);
  for (const run of clientRuns) printExplained(run);
  const recorded = clientRuns.map(({ entries }) => entries);
  console.log(`\nAudit entries of the client suites: ${recorded.join(", ")}.`);
  const signed = await signedAnswers(gateway);
  console.log(`Answers that were signed, by server: ${JSON.stringify(Object.fromEntries(signed))}.`);
  const isSigned = upstreams.every((upstream) => (signed.get(upstream) ?? 0) > minSigned);
  const isGood = cells.every(isAsItMust) && recorded.every((entries) => entries > 0) && isSigned;
  console.log(
    isGood ? "No check differs without a reason." : `Not the same; what the suites wrote is in ${out}.`,
  );
  return isGood ? 0 : 1;
}

/**
 * The suite's client opens its stream for what servers ask unasked, and calls a tool that asks, at the same time: on
 * connections of their own, over several hops, now and then the second one comes first. What differs is run again.
 */
const maxRepeats = 2;

async function serverCell(
  suite: ServerSuite,
  straight: { readonly direct: Checks; readonly fixture: string },
  { upstream, url }: { readonly upstream: string; readonly url: string },
): Promise<Cell> {
  let { direct } = straight;
  let proxied = await runServerSuite(suite, { url, name: upstream });
  const repeated = new Set<string>();
  for (let repeat = 1; repeat <= maxRepeats; repeat++) {
    for (const found of differingScenarios(compare(direct, proxied))) {
      const scenario = found.replace(/^server-/, "");
      repeated.add(scenario);
      const what = ["--scenario", scenario];
      const name = `${scenario}-repeat-${repeat}-${upstream}`;
      direct = replaced(
        direct,
        await runServerSuite(suite, { url: straight.fixture, name: `${name}-direct`, what }),
      );
      proxied = replaced(proxied, await runServerSuite(suite, { url, name, what }));
    }
  }
  return { suite: suite.name, upstream, comparison: compare(direct, proxied), repeated: [...repeated] };
}

async function runServerSuite(
  { name: suite, pin, args }: ServerSuite,
  {
    url,
    name,
    what = args,
  }: { readonly url: string; readonly name: string; readonly what?: readonly string[] },
): Promise<Checks> {
  const command = ["server", "--url", url.replace("127.0.0.1", "localhost"), ...what];
  return await readChecks(await runSuite(pin, command, path.join(out, suite.replaceAll(" ", "-"), name)));
}

function isAsItMust({ comparison: { same, different }, explained }: Cell): boolean {
  return same > 0 && (explained === undefined ? different : explained.surprises).length === 0;
}

function printExplained({ suite, explained }: ClientRun): void {
  if (explained === undefined) return;
  console.log(`\n${suite}, the gateway as the resource: what differs, and why`);
  for (const { name, because, count } of explained.reasons)
    console.log(`  ${String(count).padStart(3)}  ${name}. ${because}`);
  for (const { text } of explained.surprises) console.log(`       NOT EXPLAINED ${text}`);
}

function print(cells: readonly Cell[]): void {
  console.log("suite                       way over     checks  passed direct  different through us");
  for (const { suite, upstream, comparison, repeated, explained } of cells) {
    const { same, passed, different } = comparison;
    const figures = [
      [same + different.length, 8],
      [passed, 15],
      [different.length, 22],
    ] as const;
    const columns = figures.map(([figure, width]) => String(figure).padStart(width)).join("");
    console.log(suite.padEnd(28) + upstream.padEnd(11) + columns);
    const listed = explained === undefined ? different : [];
    for (const { check, direct, proxied } of listed)
      console.log(`    ${check}: direct ${direct}, through us ${proxied}`);
    for (const scenario of repeated)
      console.log(`    ${scenario} differed at first and was run again both ways`);
  }
}

/** Far fewer than the suites get: enough to know that it wasn't a few at the start. */
const minSigned = 100;

/** How many answers each server's end has signed, by what the gateway wrote of them. */
async function signedAnswers({ configFile }: GatewayProcess): Promise<ReadonlyMap<string, number>> {
  const query = ["--event", "call.outcome", "--limit", "1000000", "--format", "jsonl", "--entries"];
  const { stdout } = await cli(["audit", "query", "--config", configFile, ...query]);
  const counts = new Map<string, number>();
  for (const line of stdout.split("\n").filter((text) => text !== "")) {
    const { extensions } = JSON.parse(line) as { extensions: Record<string, Record<string, string>> };
    const { server = "", answer_signed: by } = extensions["dev.latticegate/entry"] ?? {};
    if (by !== undefined) counts.set(server, (counts.get(server) ?? 0) + 1);
  }
  return counts;
}

/** `latticegate expose` in front of the fixture, on a port that the gateway's config names already. */
async function startExposed(
  t: Cleanup,
  { configFile, folder }: GatewayProcess,
  { fixture, port }: { readonly fixture: string; readonly port: number },
): Promise<void> {
  const token = await cli(["ca", "token", "--config", configFile, "--for", "server/exposed"]);
  if (token.code !== 0) throw new Error(token.stderr);
  const state = path.join(folder, "exposed");
  const join = ["--join", token.stdout.trim(), "--state", state, "--listen", `127.0.0.1:${port}`];
  await startCli(t, ["expose", ...join, fixture], / is at https:/);
}

/** Entries are numbered from nought. */
async function logSize({ configFile }: GatewayProcess): Promise<number> {
  const { stdout } = await cli(["audit", "tail", "--config", configFile, "--lines", "1"]);
  return Number.parseInt(stdout, 10) + 1;
}

/** @returns its URL; the suites insist on the name localhost */
async function startFixture(t: Cleanup): Promise<string> {
  const { groups } = await startProcess(t, [process.execPath, fixtureProgram, "--http", "0"], /^(http:\S+)$/);
  return groups[0] ?? "";
}

const undo: (() => unknown)[] = [];
try {
  process.exitCode = await main({ after: (step) => void undo.push(step) });
} finally {
  for (const step of undo.reverse()) await step();
}
