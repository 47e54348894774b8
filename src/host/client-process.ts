/**
 * The program that started this sidecar: up from its parent, past what only launches (npx, shells that run a command,
 * our own wrapper). A process is its number and the moment of its start, since numbers are given again.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import path from "node:path";

export interface ClientProcess {
  readonly pid: number;
  /** The moment of its start, as the system tells it. */
  readonly started: string;
  /** Where that number means this process: the boot and the PID namespace. */
  readonly machine: string;
}

/** A process as the system shows it. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly started: string;
  readonly argv: readonly string[];
}

/** Undefined if there is none, or it may not be looked at. */
export type ReadProcess = (pid: number) => ProcessRow | undefined;

/** Nobody starts a client through more. */
const maxAncestors = 32;

/** The client of this sidecar; the sidecar itself where none can be found, which then shares with nobody. */
export function clientProcess(read: ReadProcess = readProcess, pid = process.pid): ClientProcess | undefined {
  const own = read(pid);
  if (own === undefined) return undefined;
  let at: ProcessRow | undefined = own;
  for (let steps = 0; steps < maxAncestors; steps++) {
    // The first of all is nobody's client: whoever started us is gone.
    at = at.parent <= 1 ? undefined : read(at.parent);
    if (at === undefined) break;
    if (!isWrapper(at.argv)) return asClient(at);
  }
  return asClient(own);
}

/** This process alone, where it serves many clients. */
export function ownProcess(read: ReadProcess = readProcess, pid = process.pid): ClientProcess | undefined {
  const own = read(pid);
  return own && asClient(own);
}

/** Whether that very process still runs; of another machine nobody here can tell. */
export function isRunning({ pid, started, machine }: ClientProcess): boolean {
  return machine !== machineId() || readProcess(pid)?.started === started;
}

const launchers: ReadonlySet<string> = new Set([
  "npx",
  "npm",
  "pnpm",
  "pnpx",
  "yarn",
  "yarnpkg",
  "bunx",
  "corepack",
  "env",
  "timeout",
  "nice",
  "nohup",
  "setsid",
]);
const shells: ReadonlySet<string> = new Set(["sh", "bash", "dash", "zsh", "ash", "ksh", "fish", "busybox"]);
/** What Node, or another runtime, runs to launch something else. */
const launcherScripts = /^(npx|npm|pnpm|pnpx|yarn|corepack)(-cli)?(\.c?js)?$/;
/** Our own, under another Node, launches a sidecar; a gateway isn't passed by. */
const ownScript = /^latticegate(\.mjs)?$/;

function isWrapper(argv: readonly string[]): boolean {
  // npm and others write over their own command line: one text, parted by spaces.
  const [program = "", ...args] = argv.length === 1 ? (argv[0] ?? "").split(" ") : argv;
  const name = path.basename(program).replace(/^-/, "");
  if (launchers.has(name)) return true;
  // A shell that runs a command or a script launches; one that a person types into is the client.
  if (shells.has(name)) return args.some((arg) => /^-[a-z]*c$/.test(arg) || !arg.startsWith("-"));
  if (!/^(node|bun|deno)(\d+)?$/.test(name)) return false;
  const [script = "", command] = args.slice(args.findIndex((arg) => !arg.startsWith("-")));
  const runs = path.basename(script);
  return launcherScripts.test(runs) || (ownScript.test(runs) && command === "connect");
}

function asClient({ pid, started }: ProcessRow): ClientProcess {
  return { pid, started, machine: machineId() };
}

export function readProcess(pid: number): ProcessRow | undefined {
  return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
}

/** proc(5): the second field of `stat` is a name in brackets that may hold spaces; 4 is the parent, 22 the start. */
function fromProc(pid: number): ProcessRow | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0+$/, "").split("\0");
    return { pid, parent: Number(fields[1]), started: fields[19] ?? "", argv };
  } catch {
    return undefined;
  }
}

/** ps(1) as POSIX has it, with `lstart` of BSD and procps. Its command line doesn't show where arguments end. */
export function fromPs(pid: number): ProcessRow | undefined {
  try {
    const text = execFileSync("ps", ["-o", "ppid=,lstart=,command=", "-p", String(pid)], {
      encoding: "utf8",
      env: { LC_ALL: "C", TZ: "UTC", PATH: "/bin:/usr/bin" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [, parent, started, command] =
      /^\s*(\d+)\s+(\w{3} +\w{3} +\d+ [\d:]{8} \d{4})\s+(.*)$/.exec(text.trimEnd()) ?? [];
    if (started === undefined || command === undefined) return undefined;
    return { pid, parent: Number(parent), started, argv: command.split(" ") };
  } catch {
    return undefined;
  }
}

/** Another boot or PID namespace gives the same numbers to others. */
function machineId(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return process.platform;
  }
}
