/**
 * The official suites, once straight and once through sidecar → post-quantum tunnel → gateway: the server suites
 * against the fixture server, the client suites with the fixture client. Any check that differs fails the run. The
 * client suites run a third time with the gateway as the protected resource; there what differs has to be in a table.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import type { Cleanup } from "../support/cleanup.ts";
import { cli, startProcess } from "../support/cli.ts";
import {
  forwardSidecar,
  type GatewayProcess,
  gatewayProcess,
  loopbackSidecar,
} from "../support/gateway-process.ts";
import { type ClientRun, runClientSuites } from "./client-suites.ts";
import { compare, type Comparison, readChecks } from "./compare.ts";
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

/** The client suites' own servers take free ports of this machine. */
const forwardServer = '{ forward: ["http://localhost:*", "http://127.0.0.1:*"] }';

/** How the gateway reaches the fixture. */
const upstreams = ["http", "stdio"] as const;

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
  const gateway = await gatewayProcess(
    t,
    `servers: { http: { url: "${fixture}" }, stdio: { command: ${command} }, web: ${forwardServer} }
limits: { stream_open: ${streamOpen} }`,
  );
  const sidecars = new Map<string, string>();
  for (const upstream of upstreams) {
    sidecars.set(upstream, (await loopbackSidecar(t, gateway, upstream, upstream)).url);
  }
  const cells: Cell[] = [];
  for (const suite of suites) {
    const run = async (url: string, way: string) =>
      await readChecks(
        await runSuite(
          suite.pin,
          ["server", "--url", url.replace("127.0.0.1", "localhost"), ...suite.args],
          path.join(out, suite.name.replaceAll(" ", "-"), way),
        ),
      );
    const direct = await run(fixture, "direct");
    for (const [upstream, url] of sidecars) {
      const comparison = compare(direct, await run(url, upstream));
      cells.push({ suite: suite.name, upstream, comparison, repeated: [] });
    }
  }
  const proxy = await forwardSidecar(t, gateway, "web", "client");
  const clientRuns = await runClientSuites(proxy, () => logSize(gateway), await resourceWay(t));
  for (const run of clientRuns) cells.push({ ...run, upstream: run.way });
  print(cells);
  for (const run of clientRuns) printExplained(run);
  const recorded = clientRuns.map(({ entries }) => entries);
  console.log(`\nAudit entries of the client suites: ${recorded.join(", ")}.`);
  const isGood = cells.every(isAsItMust) && recorded.every((entries) => entries > 0);
  console.log(
    isGood ? "No check differs without a reason." : `Not the same; what the suites wrote is in ${out}.`,
  );
  return isGood ? 0 : 1;
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
