/** What runs and listens on this machine: Linux tells it all, the others through programs that come with them. */
import type { Platform } from "../../inventory/clients/client-kinds.ts";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import type { Listener, RunningProcess } from "../../inventory/processes/running-process.ts";
import { linuxMachine, type Machine } from "./linux-processes.ts";
import { darwinListeners, darwinProcesses, windowsListeners, windowsProcesses } from "./told-processes.ts";

const run = promisify(execFile);

/** Never throws but for the signal: what can't be seen is told. */
export async function thisMachine(
  signal: AbortSignal,
  platform: NodeJS.Platform = process.platform,
): Promise<Machine> {
  if (platform === "linux") return await linuxMachine(signal);
  const programs = told[platform];
  if (programs === undefined)
    return { ...nothing, problems: [`processes of ${platform} can't be looked at; only its files were`] };
  const processes = await outputOf(programs.processes, signal);
  const listeners = await outputOf(programs.listeners, signal);
  return {
    processes: processes === undefined ? [] : programs.readProcesses(processes),
    listeners: listeners === undefined ? [] : programs.readListeners(listeners),
    problems: [
      ...(processes === undefined ? [`${programs.processes[0]} didn't tell the processes`] : []),
      ...(listeners === undefined ? [`${programs.listeners[0]} didn't tell the listening ports`] : []),
    ],
  };
}

const nothing = { processes: [], listeners: [] };

interface Programs {
  readonly processes: readonly [string, ...string[]];
  readonly listeners: readonly [string, ...string[]];
  readonly readProcesses: (output: string) => readonly RunningProcess[];
  readonly readListeners: (output: string) => readonly Listener[];
}

const told: Partial<Record<NodeJS.Platform, Programs>> = {
  darwin: {
    processes: ["/bin/ps", "-axww", "-o", "pid=,ppid=,user=,command="],
    listeners: ["/usr/sbin/lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-Fpn"],
    readProcesses: darwinProcesses,
    readListeners: darwinListeners,
  },
  win32: {
    processes: powershell(
      "Get-CimInstance Win32_Process | Select-Object ProcessId,ParentProcessId,CommandLine",
    ),
    listeners: powershell(
      "Get-NetTCPConnection -State Listen | Select-Object LocalAddress,LocalPort,OwningProcess",
    ),
    readProcesses: windowsProcesses,
    readListeners: windowsListeners,
  },
};

function powershell(query: string): readonly [string, ...string[]] {
  const script = `[Console]::OutputEncoding = [Text.Encoding]::UTF8; ${query} | ConvertTo-Json -Compress -Depth 2`;
  return ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", script];
}

async function outputOf(
  [program, ...args]: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const limits = { timeout: 30_000, maxBuffer: 32 * 1024 * 1024, windowsHide: true };
    return (await run(program, args, { ...limits, signal })).stdout;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Whose paths are looked at; other systems have their files where Linux has them. */
export function thisPlatform(platform: NodeJS.Platform = process.platform): Platform {
  return platform === "darwin" || platform === "win32" ? platform : "linux";
}
