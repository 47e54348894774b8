/**
 * Network namespaces with wires between them, for tests of bad paths and of NATs. Needs root and Linux. The names of a
 * lab's namespaces hold the process it belongs to, so that labs don't disturb each other, and what a killed one left is
 * removed by the next.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { atEnd, type Cleanup } from "./cleanup.ts";
import { installed } from "./debian.ts";
import type { WireConduct, WireCounts, WireOrder } from "./wire.ts";

const wireScript = fileURLToPath(new URL("./wire.ts", import.meta.url));
const tunDevice = "/dev/net/tun";
/** Of namespaces and of folders. */
const labName = /^lgpath-(\d+)-\w+$/;
/** Each device of a network takes one for as long as it is read. */
const wireThreads = 64;

/** A network namespace. */
export interface Space {
  readonly name: string;
  /** What is put before a command to run it there. */
  readonly on: readonly [string, ...string[]];
}

/** Where the spaces of a lab meet: each has a wire to it. */
export interface Network {
  /** Gives the space that device there, with these addresses and everything else behind it; or other addresses. */
  readonly plug: (space: Space, device: string, addresses: readonly string[]) => Promise<void>;
  /** From now on; a wire that is left out is a good one. @returns what was counted until now */
  readonly conduct: (bad: ReadonlyMap<Space, Partial<WireConduct>>) => Promise<WireCounts>;
}

export type Side = "a" | "b";

/** Two spaces with a wire between them. */
export interface Lab {
  readonly addresses: Readonly<Record<Side, string>>;
  /** What is put before a command to run it on that side. */
  readonly on: (side: Side) => readonly [string, ...string[]];
  /** From now on; what is left out is as on a good wire. @returns what was counted until now */
  readonly conduct: (conduct: Partial<WireConduct>) => Promise<WireCounts>;
}

const goodWire: WireConduct = {
  mtu: 1500,
  tellsSenders: true,
  lossPermille: 0,
  delayMs: 0,
  kbitPerSecond: 0,
  box: "none",
  boxBytes: 1200,
};

/** @returns why there can't be a lab here; undefined if there can */
export function whyNoLab(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (!existsSync(tunDevice)) return `there is no ${tunDevice}`;
  const missing = installed("ip", "iproute2");
  if (missing !== undefined) return missing;
  const probe = `lgpath-${process.pid}-probe`;
  removeLeftOvers();
  const made = spawnSync("ip", ["netns", "add", probe], { encoding: "utf8" });
  if (made.status !== 0) return `network namespaces can't be made here: ${made.stderr.trim()}`;
  ip("netns", "del", probe);
  return undefined;
}

/** A temporary folder that goes with the lab's other things. */
export async function labFolder(t: Cleanup): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), `lgpath-${process.pid}-`));
  atEnd(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function openLab(t: Cleanup): Promise<Lab> {
  const network = openNetwork(t);
  const spaces = { a: openSpace(t, "a"), b: openSpace(t, "b") } as const;
  const addresses = { a: "10.87.0.1", b: "10.88.0.1" } as const;
  for (const side of ["a", "b"] as const) await network.plug(spaces[side], "wan", [addresses[side]]);
  return {
    addresses,
    on: (side) => spaces[side].on,
    conduct: (changed) => network.conduct(new Map([[spaces.a, changed]])),
  };
}

/** @param label word characters, of its own in this process */
export function openSpace(t: Cleanup, label: string): Space {
  const name = `lgpath-${process.pid}-${label}`;
  ip("netns", "add", name);
  atEnd(t, () => removeSpace(name));
  ip("-n", name, "link", "set", "lo", "up");
  return { name, on: ["ip", "netns", "exec", name] };
}

export function openNetwork(t: Cleanup): Network {
  removeLeftOvers();
  const order = startWires(t);
  const devices = new Map<Space, { readonly wire: string; addresses: readonly string[] }>();
  return {
    plug: async (space, device, addresses) => {
      const before = devices.get(space);
      const wire = before?.wire ?? `lg${process.pid}w${devices.size}`;
      devices.set(space, { wire, addresses });
      await order({ plug: wire, addresses });
      if (before === undefined) insert(space, wire, device);
      for (const gone of before?.addresses ?? []) inSpace(space, "addr", "del", `${gone}/32`, "dev", device);
      for (const address of addresses) inSpace(space, "addr", "add", `${address}/32`, "dev", device);
      inSpace(space, "route", "replace", "default", "dev", device);
    },
    conduct: async (bad) => {
      const named = [...bad].map(([space, conduct]) => [
        devices.get(space)?.wire ?? "",
        { ...goodWire, ...conduct },
      ]);
      const counts = await order({ conduct: Object.fromEntries(named) as Record<string, WireConduct> });
      // What packets were too big for is remembered by the sender, and isn't to be known to what comes next.
      const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout;
      for (const name of listed.split("\n").map(firstWord)) {
        if (labName.exec(name)?.[1] !== String(process.pid)) continue;
        ip("-n", name, "route", "flush", "cache");
        ip("-n", name, "tcp_metrics", "flush");
      }
      return counts;
    },
  };
}

function startWires(t: Cleanup): (order: WireOrder) => Promise<WireCounts> {
  const wire = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", wireScript], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, UV_THREADPOOL_SIZE: String(wireThreads) },
  });
  const lines = createInterface({ input: wire.stdout })[Symbol.asyncIterator]();
  const exited = once(wire, "exit");
  atEnd(t, async () => {
    wire.kill("SIGKILL");
    await exited;
  });
  return async (order) => {
    wire.stdin.write(`${JSON.stringify(order)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error("The wires are gone.");
    return JSON.parse(line.value) as WireCounts;
  };
}

function insert(space: Space, wire: string, device: string): void {
  ip("link", "set", wire, "netns", space.name);
  inSpace(space, "link", "set", wire, "name", device);
  inSpace(space, "link", "set", device, "up", "mtu", "1500");
}

export function inSpace({ name }: Space, ...args: readonly string[]): void {
  ip("-n", name, ...args);
}

function ip(...args: readonly string[]): void {
  const done = spawnSync("ip", args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`ip ${args.join(" ")}: ${done.stderr}`);
}

/** Of labs whose process is gone. */
function removeLeftOvers(): void {
  const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout ?? "";
  listed.split("\n").map(firstWord).filter(isLeftOver).forEach(removeSpace);
  for (const name of readdirSync(tmpdir()).filter(isLeftOver)) {
    rmSync(path.join(tmpdir(), name), { recursive: true, force: true });
  }
}

function firstWord(line: string): string {
  return line.split(" ", 1)[0] ?? "";
}

function isLeftOver(name: string): boolean {
  const owner = labName.exec(name)?.[1];
  return owner !== undefined && !existsSync(`/proc/${owner}`);
}

/** With what still runs in it, which is a lab's own. */
function removeSpace(name: string): void {
  const pids = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout ?? "";
  for (const pid of pids.split("\n").filter((line) => line !== "")) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  spawnSync("ip", ["netns", "del", name]);
}
