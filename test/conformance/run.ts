/**
 * The official server suites, once against the fixture and once through
 * sidecar → post-quantum tunnel → gateway → fixture. Any check that differs fails the run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import type { Cleanup } from "../support/cleanup.ts";
import { startProcess } from "../support/cli.ts";
import { gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";
import { compare, type Comparison, readChecks } from "./compare.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const out = path.join(root, "out", "conformance");
const fixtureProgram = path.join(root, "test", "fixture", "server.ts");

const suites = [
  { name: "0.1.16 all", pin: "mcp-conformance-stable", args: ["--suite", "all"] },
  { name: "0.2.0-alpha.12 2025-11-25", pin: "mcp-conformance-next", args: ["--requirements", "2025-11-25"] },
  { name: "0.2.0-alpha.12 2026-07-28", pin: "mcp-conformance-next", args: ["--requirements", "2026-07-28"] },
  { name: "0.2.0-alpha.12 all", pin: "mcp-conformance-next", args: ["--suite", "all"] },
] as const;

type Suite = (typeof suites)[number];

/** How the gateway reaches the fixture. */
const upstreams = ["http", "stdio"] as const;

/** The fixture's tool that closes its stream answers after a second. Over a pipe the gateway closes it, once. */
const streamOpen = "650ms";

interface Cell {
  readonly suite: string;
  readonly upstream: string;
  readonly comparison: Comparison;
}

async function main(t: Cleanup): Promise<number> {
  await rm(out, { recursive: true, force: true });
  const fixture = await startFixture(t);
  const command = JSON.stringify([process.execPath, fixtureProgram, "--stdio"]);
  const gateway = await gatewayProcess(
    t,
    `servers: { http: { url: "${fixture}" }, stdio: { command: ${command} } }
limits: { stream_open: ${streamOpen} }`,
  );
  const sidecars = new Map<string, string>();
  for (const upstream of upstreams) {
    sidecars.set(upstream, (await loopbackSidecar(t, gateway, upstream, upstream)).url);
  }
  const cells: Cell[] = [];
  for (const suite of suites) {
    const direct = await readChecks(await runSuite(suite, fixture, "direct"));
    for (const [upstream, url] of sidecars) {
      const proxied = await readChecks(await runSuite(suite, url, upstream));
      cells.push({ suite: suite.name, upstream, comparison: compare(direct, proxied) });
    }
  }
  print(cells);
  const isGood = cells.every(({ comparison: { same, different } }) => same > 0 && different.length === 0);
  console.log(isGood ? "No check differs." : `Not the same; what the suites wrote is in ${out}.`);
  return isGood ? 0 : 1;
}

function print(cells: readonly Cell[]): void {
  console.log("suite                       server over  checks  passed direct  different through us");
  for (const { suite, upstream, comparison } of cells) {
    const { same, passed, different } = comparison;
    const figures = [
      [same + different.length, 8],
      [passed, 15],
      [different.length, 22],
    ] as const;
    const columns = figures.map(([figure, width]) => String(figure).padStart(width)).join("");
    console.log(suite.padEnd(28) + upstream.padEnd(11) + columns);
    for (const { check, direct, proxied } of different)
      console.log(`    ${check}: direct ${direct}, through us ${proxied}`);
  }
}

/** @returns its URL; the suites insist on the name localhost */
async function startFixture(t: Cleanup): Promise<string> {
  const { groups } = await startProcess(t, [process.execPath, fixtureProgram, "--http", "0"], /^(http:\S+)$/);
  return groups[0] ?? "";
}

/** @returns the folder with what it found */
async function runSuite(suite: Suite, url: string, way: string): Promise<string> {
  const folder = path.join(out, suite.name.replaceAll(" ", "-"), way);
  await mkdir(folder, { recursive: true });
  const program = path.join(root, "node_modules", suite.pin, "dist", "index.js");
  const local = url.replace("127.0.0.1", "localhost");
  const child = spawn(process.execPath, [program, "server", "--url", local, ...suite.args, "-o", folder], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(`${folder}.log`);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  // Its exit code is not asked: scenarios nobody implements fail, direct and proxied alike.
  await once(child, "close");
  log.end();
  return folder;
}

const undo: (() => unknown)[] = [];
try {
  process.exitCode = await main({ after: (step) => void undo.push(step) });
} finally {
  for (const step of undo.reverse()) await step();
}
