/** What a process holds in memory, and the most it held while something was done. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

import { mebi } from "./big-payload.ts";

export interface Footprint<T> {
  /** Resident bytes. */
  readonly before: number;
  readonly peak: number;
  readonly after: number;
  readonly value: T;
}

const run = promisify(execFile);
const sampleMs = 100;

/** Does `work` and says what the process of that id held before, at most, and after. */
export async function footprint<T>(pid: number, work: () => Promise<T>): Promise<Footprint<T>> {
  return existsSync("/proc/self/clear_refs") ? await byMark(pid, work) : await bySamples(pid, work);
}

export function inMebi(bytes: number): string {
  return (bytes / mebi).toFixed(0);
}

/** The kernel keeps the high-water mark; writing 5 sets it back (proc(5), clear_refs). */
async function byMark<T>(pid: number, work: () => Promise<T>): Promise<Footprint<T>> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
  const before = await inStatus(pid, "VmRSS");
  const value = await work();
  return { before, peak: await inStatus(pid, "VmHWM"), after: await inStatus(pid, "VmRSS"), value };
}

async function bySamples<T>(pid: number, work: () => Promise<T>): Promise<Footprint<T>> {
  const before = await byPs(pid);
  let peak = before;
  const timer = setInterval(() => {
    void byPs(pid).then((bytes) => (peak = Math.max(peak, bytes)));
  }, sampleMs);
  try {
    const value = await work();
    const after = await byPs(pid);
    return { before, peak: Math.max(peak, after), after, value };
  } finally {
    clearInterval(timer);
  }
}

async function inStatus(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kibi = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kibi === undefined) throw new Error(`no ${field} of process ${pid}`);
  return Number(kibi) * 1024;
}

async function byPs(pid: number): Promise<number> {
  const { stdout } = await run("ps", ["-o", "rss=", "-p", String(pid)]);
  return Number(stdout.trim()) * 1024;
}
