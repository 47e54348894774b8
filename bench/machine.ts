/** What the kernel says a process has used: CPU time in ticks of 10 ms, and its largest resident set. */
import { readdirSync, readFileSync } from "node:fs";

/** Linux's USER_HZ; 100 on every platform Node runs on. */
const tickMs = 10;

/** User and system time of these processes since they began, in ms. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = statFields(pid);
    return sum + (Number(fields[11]) + Number(fields[12])) * tickMs;
  }, 0);
}

/** Largest resident sets of these processes, together, in MiB. */
export function peakMiB(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return sum + Number(peak?.[1] ?? 0) / 1024;
  }, 0);
}

export function childrenOf(pid: number): readonly number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((other) => Number(statFields(other)[1]) === pid);
}

/** The fields of /proc/PID/stat behind the program's name, which may hold blanks: state, ppid, … */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return []; // It ended while we looked.
  }
}
