/**
 * Two network namespaces with a wire between them, for tests of bad paths. Needs root and Linux. Each lab's names hold
 * the process it belongs to, so that labs don't disturb each other, and what a killed one left is removed by the next.
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
import type { WireConduct, WireCounts } from "./wire.ts";

const wireScript = fileURLToPath(new URL("./wire.ts", import.meta.url));
const tunDevice = "/dev/net/tun";
/** Of namespaces and of folders. */
const labName = /^lgpath-(\d+)-\w+$/;

export type Side = "a" | "b";

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
  const probe = `lgpath-${process.pid}-a`;
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
  removeLeftOvers();
  const { pid } = process;
  const spaces = { a: `lgpath-${pid}-a`, b: `lgpath-${pid}-b` } as const;
  const devices = { a: `lga${pid}`, b: `lgb${pid}` } as const;
  const addresses = { a: "10.87.0.1", b: "10.88.0.1" } as const;
  for (const side of ["a", "b"] as const) {
    ip("netns", "add", spaces[side]);
    atEnd(t, () => removeSpace(spaces[side]));
  }
  const wire = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", wireScript, devices.a, devices.b],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: wire.stdout })[Symbol.asyncIterator]();
  const exited = once(wire, "exit");
  atEnd(t, async () => {
    wire.kill("SIGKILL");
    await exited;
  });
  if ((await lines.next()).value !== "up") throw new Error("The wire didn't come up.");
  for (const side of ["a", "b"] as const) plug(spaces[side], devices[side], addresses[side]);
  return {
    addresses,
    on: (side) => ["ip", "netns", "exec", spaces[side]],
    conduct: async (changed) => {
      wire.stdin.write(`${JSON.stringify({ ...goodWire, ...changed })}\n`);
      const counts = JSON.parse(String((await lines.next()).value)) as WireCounts;
      // What packets were too big for is remembered by the sender, and isn't to be known to what comes next.
      for (const space of Object.values(spaces)) {
        ip("-n", space, "route", "flush", "cache");
        ip("-n", space, "tcp_metrics", "flush");
      }
      return counts;
    },
  };
}

function plug(space: string, device: string, address: string): void {
  ip("link", "set", device, "netns", space);
  ip("-n", space, "link", "set", "lo", "up");
  ip("-n", space, "addr", "add", `${address}/32`, "dev", device);
  ip("-n", space, "link", "set", device, "up", "mtu", "1500");
  ip("-n", space, "route", "add", "default", "dev", device);
}

function ip(...args: string[]): void {
  const done = spawnSync("ip", args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`ip ${args.join(" ")}: ${done.stderr}`);
}

/** Of labs whose process is gone. */
function removeLeftOvers(): void {
  const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout ?? "";
  const spaces = listed.split("\n").map((line) => line.split(" ", 1)[0] ?? "");
  spaces.filter(isLeftOver).forEach(removeSpace);
  for (const name of readdirSync(tmpdir()).filter(isLeftOver)) {
    rmSync(path.join(tmpdir(), name), { recursive: true, force: true });
  }
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
