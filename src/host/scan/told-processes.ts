/** What `ps`, `lsof` and PowerShell print of processes and listening ports. What has another shape is left out. */
import type { Listener, RunningProcess } from "../../inventory/processes/running-process.ts";

const maxRows = 50_000;
const maxLine = 64 * 1024;

/** `ps -o pid=,ppid=,user=,command=`: the command is one line, without the quotes it once had. */
export function darwinProcesses(output: string): readonly RunningProcess[] {
  return rows(output).flatMap((line) => {
    const [, pid, parent, user, command] =
      /^ {0,32}(\d{1,10}) {1,32}(\d{1,10}) {1,32}(\S{1,256}) {1,256}(\S.*)$/.exec(line) ?? [];
    if (command === undefined || user === undefined) return [];
    return [{ pid: Number(pid), parent: Number(parent), user, command: argumentsOf(command) }];
  });
}

/** `lsof -F pn`: a line `p<pid>` and then, for each socket, `n<host>:<port>`. */
export function darwinListeners(output: string): readonly Listener[] {
  const found: Listener[] = [];
  let pid: number | undefined;
  for (const line of rows(output)) {
    if (/^p\d{1,10}$/.test(line)) pid = Number(line.slice(1));
    const [, host = "", port = ""] = /^n(\*|[\d.]{7,15}|\[[\da-fA-F:.]{2,45}\]):(\d{1,5})$/.exec(line) ?? [];
    if (port !== "")
      found.push({
        host: host === "*" ? "0.0.0.0" : host.replaceAll(/[[\]]/g, ""),
        port: Number(port),
        ...(pid === undefined ? {} : { pid }),
      });
  }
  return found;
}

export function windowsProcesses(output: string): readonly RunningProcess[] {
  return records(output).flatMap(({ ProcessId: pid, ParentProcessId: parent, CommandLine: line }) => {
    if (typeof pid !== "number" || typeof line !== "string" || line === "") return [];
    const command = argumentsOf(line.slice(0, maxLine));
    return [{ pid, parent: typeof parent === "number" ? parent : 0, command }];
  });
}

export function windowsListeners(output: string): readonly Listener[] {
  return records(output).flatMap(({ LocalAddress: host, LocalPort: port, OwningProcess: pid }) => {
    if (typeof host !== "string" || typeof port !== "number") return [];
    return [{ host: host.slice(0, 64), port, ...(typeof pid === "number" ? { pid } : {}) }];
  });
}

function rows(output: string): readonly string[] {
  return output
    .split(/\r?\n/)
    .slice(0, maxRows)
    .map((line) => line.slice(0, maxLine));
}

/** One object or a list of them, as ConvertTo-Json writes one or many. */
function records(output: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(output);
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list
      .slice(0, maxRows)
      .filter((one): one is Readonly<Record<string, unknown>> => typeof one === "object" && one !== null);
  } catch {
    return [];
  }
}

/** At spaces, but for those within double quotes. */
function argumentsOf(line: string): readonly string[] {
  return (line.match(/(?:"[^"]*"?|[^\s"])+/g) ?? []).slice(0, 512).map((part) => part.replaceAll('"', ""));
}
