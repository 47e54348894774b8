/** What the kernel says a process has used: CPU time, and its largest resident set. */
import { readdirSync, readFileSync } from "node:fs";

/** User and system time of these processes' threads since they began, in ms. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + threadsOf(pid).reduce((ns, each) => ns + each, 0) / 1e6, 0);
}

/** /proc/PID/task/TID/schedstat begins with the nanoseconds on a CPU; /proc/PID/stat has ticks of 10 ms, too coarse. */
function threadsOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    try {
      return nsOf(pid, thread);
    } catch {
      return 0; // It ended while we looked.
    }
  });
}

function nsOf(pid: number, thread: string): number {
  return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
}

/** The same of the thread that its JavaScript began on. */
export function mainThreadMs(pid: number): number {
  return nsOf(pid, String(pid)) / 1e6;
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
