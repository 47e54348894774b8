/** What a command says of its own failure: for people, or for programs that gave --json. */
import { Refusal } from "../kernel/refusal.ts";
import type { LoadedCommand } from "./command.ts";

export interface Complaint {
  readonly text: string;
  /** Exit code: 2 called wrongly, 1 anything else. */
  readonly code: 1 | 2;
}

/**
 * With --json one line: `{ "error": { "code", "message", "command", "exit_code" } }`.
 * @throws what is no refusal and no file or socket that failed: a fault, told with its stack, unless --json is given
 */
export function complaint(command: LoadedCommand, error: unknown, isJson: boolean): Complaint {
  const { code, message } = read(error, isJson);
  const exitCode = code === "bad_config" || code === "not_yet" ? 2 : 1;
  if (isJson) {
    const said = { code, message, command: command.name, exit_code: exitCode };
    return { text: JSON.stringify({ error: said }), code: exitCode };
  }
  const next = nextStep(command, error, message);
  return { text: `latticegate ${command.name}: ${message}${next}`, code: exitCode };
}

function read(error: unknown, isJson: boolean): { readonly code: string; readonly message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  const system = systemText(error);
  if (system !== undefined) return { code: "system", message: system };
  if (!isJson) throw error;
  return { code: "fault", message: error instanceof Error ? error.message : String(error) };
}

function nextStep(command: LoadedCommand, error: unknown, message: string): string {
  const isOfTheCall = error instanceof Refusal && error.code === "bad_config";
  if (!isOfTheCall || message.includes("\n") || message.includes("latticegate ")) return "";
  return `\n"latticegate ${command.name} --help" tells what it takes.`;
}

const remedies: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder; check the path",
  EACCES: "it may not be read or written by this user; run as the user that owns it, or change its mode",
  EPERM: "this user may not do that; run as the user that owns it",
  EISDIR: "it is a folder; name a file",
  ENOTDIR: "a part of the path is no folder; check the path",
  EEXIST: "it is there already; name another, or remove it",
  ENOSPC: "the disk is full; make room",
  ECONNREFUSED: 'nobody listens there; "latticegate status" says whether the gateway runs',
  EADDRINUSE: "the address is taken; stop what listens there, or name another",
};

/** Of a file or a socket: what failed and what to do; nothing of other errors. */
function systemText(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  const remedy = remedies[String(error.code)];
  if (remedy === undefined) return undefined;
  const { path, address, port } = error as SystemError;
  const where = path ?? (address === undefined ? String(error.syscall) : `${address}:${port}`);
  return `${where}: ${remedy} (${String(error.code)}).`;
}

/** What Node adds to an error of a system call. */
interface SystemError {
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
}
