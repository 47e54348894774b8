/**
 * One writer a log: a lock file that says which process holds it. A lock whose process is gone is taken over.
 * It tells processes of one machine (and one PID namespace) apart, not machines that share a disk.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

import { Refusal } from "../../kernel/refusal.ts";
import { fileMode, systemCode } from "./log-folder.ts";

/** Lets go of the lock. */
export type Release = () => void;

/**
 * @param taken what is wrong if another holds it
 * @throws Refusal `bad_state` if another living process holds it.
 */
export function takeWriterLock(path: string, taken: (pid: string) => string = logIsWritten): Release {
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid) });
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, mine, { mode: fileMode });
  try {
    // Linking the finished file is atomic: nobody ever reads half a lock.
    if (!tryLink(draft, path)) {
      removeStale(path, taken);
      if (!tryLink(draft, path)) throw heldBy(path, taken);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (readText(path) === mine) rmSync(path, { force: true });
  };
}

/** Whether a living process holds it. */
export function isLockHeld(path: string): boolean {
  const holder = readHolder(path);
  return holder !== undefined && isAlive(holder);
}

interface Holder {
  readonly pid: number;
  readonly started: string;
}

function removeStale(path: string, taken: (pid: string) => string): void {
  const seen = readText(path);
  const holder = readHolder(path);
  if (holder !== undefined && isAlive(holder)) throw heldBy(path, taken);
  // Whoever renames it decides alone; a lock that changed hands meanwhile is put back.
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  if (readText(aside) !== seen) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function heldBy(path: string, taken: (pid: string) => string): Refusal {
  return new Refusal("bad_state", `${taken(String(readHolder(path)?.pid ?? "unknown"))} (${path})`);
}

function logIsWritten(pid: string): string {
  return `The audit log is being written by process ${pid}; a log has one writer. Stop that process first.`;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(readText(path) ?? "") as Partial<Holder>;
    return Number.isSafeInteger(pid) && pid !== undefined && pid > 0 && typeof started === "string"
      ? { pid, started }
      : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (systemCode(error) === "ESRCH") return false;
  }
  // A number is soon given to another process; the moment of its start isn't.
  return startOf(holder.pid) === holder.started;
}

/** Boot and clock tick at which a process started (proc(5)); empty where the system doesn't tell. */
function startOf(pid: number): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is a name in brackets that may itself hold spaces and brackets; the start is the 22nd.
    return `${boot}/${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""}`;
  } catch {
    return "";
  }
}
