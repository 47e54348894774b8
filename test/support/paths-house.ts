/** Gateways, exposed servers and sidecars as real processes on the two sides of a lab. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import type { Cleanup } from "./cleanup.ts";
import { cli, latticegate, type Started, startProcess } from "./cli.ts";
import type { CallOutcome } from "./concurrent-calls.ts";
import { openPolicy } from "./gateway.ts";
import { type Lab, labFolder, openLab, type Side } from "./lab.ts";

export interface House {
  readonly lab: Lab;
  readonly folder: string;
  readonly configFile: string;
  /** Where the gateway listens. */
  readonly address: string;
  readonly gateway: Started;
}

export interface Sidecar {
  readonly url: string;
  readonly state: string;
  readonly process: Started;
}

const scripted = script("scripted-server");
/** On side a, where the gateway's config has the servers `far` and `old`. */
const ports = { gateway: 8443, lowered: 8444, far: 9443, old: 9555 } as const;

/** A gateway on side b with a server beside it, `near`, and one behind `expose` on side a, `far`. */
export async function openHouse(t: Cleanup, profile: string): Promise<House> {
  const lab = await openLab(t);
  const peers = (["far", "old"] as const).map((name) => {
    const url = `https://${lab.addresses.a}:${ports[name]}/mcp/${name}`;
    return `${name}: { url: "${url}", peer: "spiffe://latticegate.local/server/${name}" }`;
  });
  const house = await gatewayOn(t, lab, { port: ports.gateway, peers, yaml: `profile: ${profile}` });
  const args = latticegate([
    "expose",
    "--listen",
    `${lab.addresses.a}:${ports.far}`,
    "--state",
    path.join(house.folder, "far"),
    "--join",
    await joinToken(house, "server/far"),
    "--",
    process.execPath,
    scripted,
  ]);
  await startOn(t, lab, { side: "a", args, ready: /^far is at/ });
  return house;
}

/** A second gateway, whose listener has short segments. */
export async function openLoweredGateway(t: Cleanup, { lab }: House): Promise<House> {
  return await gatewayOn(t, lab, { port: ports.lowered, peers: [], yaml: "paths: { segment: 1180 }" });
}

/** The server `old`, which knows no hybrid group. @returns what was sent to it, as it tells */
export async function startClassicalServer(t: Cleanup, house: House): Promise<readonly string[]> {
  const listen = `${house.lab.addresses.a}:${ports.old}`;
  const args = [script("classical-peer"), await joinToken(house, "server/old"), listen];
  const lines: string[] = [];
  const server = await startOn(t, house.lab, { side: "a", args, ready: /^is at/ });
  server.process.stdout?.on("data", (text: Buffer) => lines.push(text.toString()));
  return lines;
}

/** `connect SERVER --http 0` with a new identity of that name. */
export async function sidecarTo(
  t: Cleanup,
  house: House,
  what: { readonly server: string; readonly name: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Sidecar> {
  const state = path.join(house.folder, what.name);
  const join = ["--join", await joinToken(house, `agent/${what.name}`)];
  return await startSidecar(t, house, { ...what, state, join });
}

/** The same identity in a new process. */
export async function sidecarAgain(
  t: Cleanup,
  house: House,
  what: { readonly server: string; readonly state: string },
): Promise<Sidecar> {
  return await startSidecar(t, house, { ...what, join: [] });
}

/** That many calls at once, each of which needs a link of its own. */
export function callsOf({ lab }: House, { url }: Sidecar, count: number): readonly CallOutcome[] {
  const [ip, ...args] = lab.on("a");
  const command = [...args, process.execPath, script("concurrent-calls"), url, String(count)];
  const done = spawnSync(ip, command, { encoding: "utf8", timeout: 120_000 });
  assert.equal(done.status, 0, done.stderr);
  return JSON.parse(done.stdout) as readonly CallOutcome[];
}

interface GatewaySpec {
  readonly port: number;
  readonly peers: readonly string[];
  readonly yaml: string;
}

async function gatewayOn(t: Cleanup, lab: Lab, { port, peers, yaml }: GatewaySpec): Promise<House> {
  const folder = await labFolder(t);
  const configFile = path.join(folder, "latticegate.yaml");
  const address = `${lab.addresses.b}:${port}`;
  const near = `near: { command: ["${process.execPath}", "${scripted}"] }`;
  const servers = `servers: { ${[near, ...peers].join(", ")} }`;
  const listening = `state: ./state\nlisten: ${address}\ndashboard: off`;
  await writeFile(configFile, `${listening}\n${servers}\n${yaml}\n${openPolicy}`);
  const args = latticegate(["up", "--config", configFile]);
  const gateway = await startOn(t, lab, { side: "b", args, ready: /^Latticegate is up/ });
  return { lab, folder, configFile, address, gateway };
}

interface SidecarSpec {
  readonly server: string;
  readonly state: string;
  readonly join: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

async function startSidecar(t: Cleanup, { lab }: House, spec: SidecarSpec): Promise<Sidecar> {
  const { server, state, join, env } = spec;
  const args = latticegate(["connect", server, ...join, "--state", state, "--http", "0"]);
  const ready = / is at (http:\S+)$/;
  const started = await startOn(t, lab, { side: "a", args, ready, ...(env && { env }) });
  return { url: started.groups[0] ?? "", state, process: started };
}

interface StartSpec {
  readonly side: Side;
  readonly args: readonly string[];
  readonly ready: RegExp;
  readonly env?: NodeJS.ProcessEnv;
}

async function startOn(t: Cleanup, lab: Lab, { side, args, ready, env }: StartSpec): Promise<Started> {
  return await startProcess(t, [...lab.on(side), process.execPath, ...args], ready, env && { env });
}

async function joinToken({ configFile, address }: House, identity: string): Promise<string> {
  const printed = await cli(["ca", "token", "--config", configFile, "--for", identity, "--address", address]);
  assert.equal(printed.code, 0, printed.stderr);
  return printed.stdout.trim();
}

function script(name: string): string {
  return fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
}
