/** The command line as a person uses it: processes of their own, stopped when the test is over. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { atEnd, type Cleanup } from "./cleanup.ts";

/** The source, or what `LATTICEGATE_PROGRAM` names: the suites start what the package brings. */
const main =
  process.env["LATTICEGATE_PROGRAM"] ?? fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `latticegate ARGS` to its end. @param env beside this process's own */
export async function cli(args: readonly string[], input = "", env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...withoutColour(process.env), ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => undefined).end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

export interface Started {
  readonly process: ChildProcess;
  /** What the awaited line said, as the pattern's groups. */
  readonly groups: readonly string[];
  /** Everything it has written to stderr so far. */
  readonly stderr: () => string;
  /** Asks it to stop. @returns its exit code */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number>;
}

/** Starts a program and waits until a line of its stdout matches. */
export async function startProcess(
  t: Cleanup,
  command: readonly [string, ...string[]],
  ready: RegExp,
  options: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly uid?: number;
    readonly gid?: number;
  } = {},
): Promise<Started> {
  const [program, ...args] = command;
  const env = withoutColour(options.env ?? process.env);
  const child = spawn(program, args, { ...options, env, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<number> => {
    child.kill(signal);
    return (await exited)[0] ?? -1;
  };
  atEnd(t, () => stop("SIGKILL"));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const groups = await new Promise<readonly string[]>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = ready.exec(line);
      if (found !== null) resolve(found.slice(1));
    });
    child.once("exit", (code) =>
      reject(new Error(`${command.join(" ")} ended with ${String(code)}:\n${stderr}`)),
    );
  });
  return { process: child, groups, stderr: () => stderr, stop };
}

/** Node's test runner wants colours of all it starts when it runs on a terminal itself. */
function withoutColour(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== "FORCE_COLOR"));
}

/** What Node is given to run `latticegate ARGS`. */
export function latticegate(args: readonly string[]): readonly string[] {
  return [main, ...args];
}

/** Starts `latticegate ARGS` and waits until a line of its stdout matches. */
export async function startCli(t: Cleanup, args: readonly string[], ready: RegExp): Promise<Started> {
  return await startProcess(t, [process.execPath, main, ...args], ready);
}
