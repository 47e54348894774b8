/** Whether a sandbox can be had on this machine, tried and looked at from inside before any server runs in it. */
import { execFile } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { checkCommand, isShown, isWithin, namespaces, nodeInside, type SandboxPlan } from "./bubblewrap.ts";

const run = promisify(execFile);
const trialMs = 20_000;

export interface SandboxRequest {
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  /** The sidecar's state folder. */
  readonly state: string;
  readonly socket: string;
  readonly filter?: string | undefined;
  /** Files that the server is held by: it may not write them. */
  readonly holding: readonly string[];
}

export type Bubblewrap = Pick<SandboxPlan, "bwrap" | "isModern">;

/** @throws Refusal `bad_config` that says what is missing; nothing runs without a sandbox then */
export async function findBubblewrap(): Promise<Bubblewrap> {
  if (process.platform !== "linux")
    throw refusal(`it needs bubblewrap, which there is on Linux alone, and this is ${process.platform}`);
  const bwrap = programIn("bwrap", process.env["PATH"] ?? "");
  if (bwrap === undefined)
    throw refusal(
      'it needs bubblewrap, and there is no "bwrap" in PATH; install it, e.g. with "apt-get install bubblewrap"',
    );
  const { stdout } = await run(bwrap, ["--version"], { timeout: trialMs }).catch((cause: unknown) => {
    throw refusal(`${bwrap} can't be run`, cause);
  });
  const isModern = isAtLeast(stdout, [0, 8]);
  await run(bwrap, [...namespaces({ isModern }), "--ro-bind", "/", "/", "--", "true"], {
    timeout: trialMs,
    cwd: "/",
  }).catch((cause: unknown) => {
    throw refusal(whyNot(cause), cause);
  });
  return { bwrap, isModern };
}

/** @throws Refusal `bad_config` for paths that aren't there, or show too much */
export function planSandbox(request: SandboxRequest, bubblewrap: Bubblewrap): SandboxPlan {
  const plan = {
    ...bubblewrap,
    readable: request.readable.map((each) => realOne(each, "--readable")),
    writable: request.writable.map((each) => realOne(each, "--writable")),
    hidden: realpathSync(request.state),
    socket: request.socket,
    filter: request.filter,
  };
  checkPaths(plan);
  checkHolding([...request.holding, process.execPath, import.meta.filename], plan);
  return plan;
}

/** Sets one up and looks at it from inside. @throws Refusal `bad_config` if it holds less than it should */
export async function trySandbox(plan: SandboxPlan): Promise<void> {
  const [program, ...args] = checkCommand(plan, [plan.hidden, path.join(plan.hidden, "keys")]);
  const env = { PATH: process.env["PATH"] ?? "" };
  const { stdout } = await run(program, args, { timeout: trialMs, env }).catch((cause: unknown) => {
    throw refusal(whyNot(cause), cause);
  });
  const seen = JSON.parse(stdout) as { outward: string[]; readable: string[]; reachesProxy: boolean };
  // The state folder itself may be there, empty, where something that holds it is shown; its keys never.
  const leaks = seen.readable.filter((each) => each !== plan.hidden);
  if (seen.outward.length > 0) throw refusal("its network isn't cut off on this machine");
  if (leaks.length > 0) throw refusal("the sidecar's own state can be read in it");
  if (!seen.reachesProxy) throw refusal("the sidecar's proxy can't be reached from within");
}

/**
 * The command as it is run in there: the sidecar's own node, which `npx` puts first in PATH, is always shown.
 * @returns with it, arguments that are files here and not shown there; it may well not start
 * @throws Refusal `bad_config` if the program itself isn't shown
 */
export function commandInside(
  [program, ...args]: readonly [string, ...string[]],
  plan: SandboxPlan,
): { readonly command: readonly [string, ...string[]]; readonly unseen: readonly string[] } {
  const found = programIn(program, process.env["PATH"] ?? "");
  if (found === undefined) throw refusal(`there is no program "${program}"`);
  const isOwnNode = realpathSync(found) === realpathSync(process.execPath);
  const hidden = [path.resolve(found), realpathSync(found)].find((each) => !isShown(each, plan));
  if (hidden !== undefined && !isOwnNode) {
    throw refusal(
      `the server's program is ${hidden}, which isn't shown to it; name its folder with --readable`,
    );
  }
  const unseen = args.filter((argument) => {
    const file = tryRealpath(argument);
    return file !== undefined && file !== "/" && !isShown(file, plan);
  });
  return { command: [isOwnNode ? nodeInside : program, ...args], unseen };
}

function checkPaths({
  readable,
  writable,
  hidden,
}: Pick<SandboxPlan, "readable" | "writable" | "hidden">): void {
  const inState = [...readable, ...writable].find((each) => isWithin(each, hidden));
  if (inState !== undefined)
    throw refusal(`${inState} is in the sidecar's own state folder, which stays hidden`);
  const whole = [...readable, ...writable].find((each) => each === "/" || isWithin(homedir(), each));
  if (whole !== undefined && whole !== homedir())
    throw refusal(`${whole} is too much: name what the server needs`);
  if (whole !== undefined)
    throw refusal(`${whole} is your whole home folder: name what the server needs of it`);
  const around = writable.find((each) => isWithin(hidden, each));
  // Who may write around it can put another in its place.
  if (around !== undefined)
    throw refusal(`--writable ${around} holds the sidecar's own state folder ${hidden}; keep that elsewhere`);
}

/** INVARIANT: a server changes neither its own rules nor the program that holds it to them. */
function checkHolding(files: readonly string[], { writable }: Pick<SandboxPlan, "writable">): void {
  for (const file of files.map((each) => realOne(each, "the file"))) {
    const over = writable.find((each) => isWithin(file, each));
    if (over !== undefined)
      throw refusal(`--writable ${over} holds ${file}, by which the server is held; keep that elsewhere`);
  }
}

function realOne(named: string, option: string): string {
  const file = tryRealpath(named);
  if (file === undefined) throw refusal(`${option} ${named} isn't there`);
  return file;
}

function tryRealpath(file: string): string | undefined {
  try {
    return realpathSync(path.resolve(file));
  } catch {
    return undefined;
  }
}

function programIn(program: string, searched: string): string | undefined {
  const places = program.includes("/")
    ? [path.resolve(program)]
    : searched
        .split(path.delimiter)
        .filter((each) => path.isAbsolute(each))
        .map((each) => path.join(each, program));
  return places.find((each) => {
    try {
      accessSync(each, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** "bubblewrap 0.8.0" */
function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, first = "0", second = "0"] = /(\d{1,4})\.(\d{1,4})/.exec(version) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}

/** What bubblewrap itself said, and what often helps. */
function whyNot(cause: unknown): string {
  const said = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : "";
  const hint = /namespace|uid map|Operation not permitted|Permission denied|No permissions/i.test(said)
    ? "; user namespaces may be forbidden here (the sysctls kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces, or a container's seccomp profile)"
    : "";
  return `bubblewrap can't set one up: ${said === "" ? "it ended without a word, or took too long" : printable(said, 500)}${hint}`;
}

function refusal(why: string, cause?: unknown): Refusal {
  return new Refusal("bad_config", `The server isn't started, as its sandbox can't be had: ${why}.`, {
    cause,
  });
}
