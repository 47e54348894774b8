/** Processes and listening ports of Linux, from /proc; of this network namespace, and as far as this user may see. */
import { readdir, readlink } from "node:fs/promises";

import type { Listener, RunningProcess } from "../../inventory/processes/running-process.ts";
import { readBounded } from "./read-bounded.ts";

export interface Machine {
  readonly processes: readonly RunningProcess[];
  readonly listeners: readonly Listener[];
  /** What couldn't be seen, one sentence each. */
  readonly problems: readonly string[];
}

const maxProcesses = 50_000;
const maxCommandBytes = 64 * 1024;
const maxArguments = 512;
const maxTableBytes = 16 * 1024 * 1024;
const maxListeners = 2000;
/** Open files that are looked at for the sockets among them. */
const maxOpenFiles = 200_000;

/** @param proc another place of the same shape, for what was kept of a machine */
export async function linuxMachine(signal: AbortSignal, proc = "/proc"): Promise<Machine> {
  const users = await userNames();
  const all = (await readdir(proc).catch(() => [])).filter((name) => /^\d{1,10}$/.test(name));
  const processes: RunningProcess[] = [];
  for (const pid of all.slice(0, maxProcesses)) {
    signal.throwIfAborted();
    const seen = await processOf(`${proc}/${pid}`, Number(pid), users);
    if (seen !== undefined) processes.push(seen);
  }
  const sockets = [
    ...listening(await textOf(`${proc}/net/tcp`)),
    ...listening(await textOf(`${proc}/net/tcp6`)),
  ].slice(0, maxListeners);
  const owners = await ownersOf(new Set(sockets.map(({ inode }) => inode)), { proc, processes, signal });
  const listeners = sockets.map(({ host, port, inode }): Listener => {
    const pid = owners.get(inode);
    return { host, port, ...(pid === undefined ? {} : { pid }) };
  });
  const unseen = listeners.filter(({ pid }) => pid === undefined).length;
  return {
    processes,
    listeners,
    problems: [
      ...(all.length === 0 ? ["no process is to be seen: is /proc mounted?"] : []),
      ...(all.length > maxProcesses
        ? [`more than ${maxProcesses} processes; the rest wasn't looked at`]
        : []),
      ...(unseen > 0 ? [`${unseen} listening ports belong to processes this user may not look into`] : []),
    ],
  };
}

async function textOf(file: string, maxBytes = maxTableBytes): Promise<string> {
  const read = await readBounded(file, maxBytes);
  return read.kind === "text" ? read.text : "";
}

async function processOf(
  folder: string,
  pid: number,
  users: ReadonlyMap<string, string>,
): Promise<RunningProcess | undefined> {
  const command = (await textOf(`${folder}/cmdline`, maxCommandBytes)).replace(/\0+$/, "").split("\0");
  // Threads of the kernel have none.
  if (command[0] === "" || command[0] === undefined) return undefined;
  const status = await textOf(`${folder}/status`, 16 * 1024);
  const parent = /^PPid:\t(\d{1,10})$/m.exec(status)?.[1];
  const uid = /^Uid:\t(\d{1,10})/m.exec(status)?.[1];
  const stdin = await readlink(`${folder}/fd/0`).catch(() => undefined);
  return {
    pid,
    parent: Number(parent ?? 0),
    command: command.slice(0, maxArguments),
    ...(uid === undefined ? {} : { user: users.get(uid) ?? uid }),
    ...(stdin === undefined ? {} : { stdin: /^(?:pipe|socket):/.test(stdin) ? "pipe" : "other" }),
  };
}

async function userNames(): Promise<ReadonlyMap<string, string>> {
  const lines = (await textOf("/etc/passwd", 1024 * 1024)).split("\n");
  return new Map(
    lines.flatMap((line) => {
      const [name, , uid] = line.split(":");
      return name === undefined || uid === undefined ? [] : [[uid, name] as const];
    }),
  );
}

interface ListeningSocket {
  readonly host: string;
  readonly port: number;
  readonly inode: string;
}

const listenState = "0A";

/** Rows of /proc/net/tcp and tcp6; what has another shape is no row. */
export function listening(table: string): readonly ListeningSocket[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s{1,64}/, 12);
    const [, address = "", port = ""] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (state !== listenState || address === "" || !/^\d{1,20}$/.test(inode)) return [];
    return [{ host: addressOf(address), port: Number.parseInt(port, 16), inode }];
  });
}

/** Words of four bytes, each written as this machine keeps it: little-endian on all that Node runs on. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  if (groups.slice(0, 5).every((group) => group === "0") && groups[5] === "ffff")
    return bytes.subarray(12).join(".");
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

interface Owners {
  readonly proc: string;
  readonly processes: readonly RunningProcess[];
  readonly signal: AbortSignal;
}

async function ownersOf(
  inodes: ReadonlySet<string>,
  { proc, processes, signal }: Owners,
): Promise<ReadonlyMap<string, number>> {
  const owners = new Map<string, number>();
  let left = maxOpenFiles;
  for (const { pid } of processes) {
    if (owners.size === inodes.size || left <= 0) break;
    signal.throwIfAborted();
    const files = await readdir(`${proc}/${pid}/fd`).catch(() => []);
    for (const file of files.slice(0, left)) {
      const link = await readlink(`${proc}/${pid}/fd/${file}`).catch(() => "");
      const inode = /^socket:\[(\d{1,20})\]$/.exec(link)?.[1];
      if (inode !== undefined && inodes.has(inode) && !owners.has(inode)) owners.set(inode, pid);
    }
    left -= files.length;
  }
  return owners;
}
