/**
 * Which of a machine's processes are MCP servers, by what their command lines show. A command that a client is
 * configured to start is certain; names of packages are a hint, and a hint counts only where it can be a server.
 */
import { clientKinds } from "../clients/client-kinds.ts";
import { latticegateArguments } from "../clients/latticegate-command.ts";
import type { Listener, RunningProcess } from "./running-process.ts";

export type Recognised =
  | {
      readonly kind: "server";
      readonly process: RunningProcess;
      /** The command its place is made of: as it is configured, where it is. */
      readonly command: readonly string[];
      readonly isConfigured: boolean;
      /** A client's title, or `latticegate`. */
      readonly startedBy?: string;
      /** Ports that it, or what it started, listens on. */
      readonly ports: readonly number[];
    }
  /** This product: a gateway, or one of its sidecars. */
  | {
      readonly kind: "latticegate";
      readonly process: RunningProcess;
      readonly verb: string;
      readonly ports: readonly number[];
    };

export interface Running {
  readonly processes: readonly RunningProcess[];
  readonly listeners: readonly Listener[];
  /** Commands that clients are configured to start. */
  readonly configured: readonly (readonly string[])[];
  /** Left out, with what started it: whoever looks. */
  readonly ownPid: number;
}

/** A chain of parents is no longer, and a circle ends. */
const maxParents = 64;

export function recognise(running: Running): readonly Recognised[] {
  const tree = new ProcessTree(running);
  const own = new Set([running.ownPid, ...tree.above(running.ownPid)]);
  const configured = new Map(running.configured.map((command) => [signature(command), command]));
  const seen = new Map<number, Seen>();
  for (const process of running.processes) {
    if (own.has(process.pid)) continue;
    const one = seenAs(process, tree, configured);
    if (one !== undefined) seen.set(process.pid, one);
  }
  return [...seen.values()].flatMap((one) => served(one, seen, tree) ?? []);
}

function served(one: Seen, seen: ReadonlyMap<number, Seen>, tree: ProcessTree): Recognised | undefined {
  const ports = tree.ports(one.process.pid);
  if (one.kind === "latticegate") return { ...one, ports };
  if (!one.isConfigured) {
    // `npx`, the shell it starts and the server below are one server: the first of the chain stands for it.
    if (tree.above(one.process.pid).some((pid) => seen.get(pid)?.kind === "server")) return undefined;
    // Its input is a terminal, or nothing: it serves nobody, unless on a port; and that is asked at the port.
    if (one.process.stdin === "other" || ports.length > 0) return undefined;
  }
  const startedBy = tree.starterOf(one.process);
  return { ...one, ports, ...(startedBy === undefined ? {} : { startedBy }) };
}

type Seen =
  | {
      readonly kind: "server";
      readonly process: RunningProcess;
      readonly command: readonly string[];
      readonly isConfigured: boolean;
    }
  | { readonly kind: "latticegate"; readonly process: RunningProcess; readonly verb: string };

function seenAs(
  process: RunningProcess,
  tree: ProcessTree,
  configured: ReadonlyMap<string, readonly string[]>,
): Seen | undefined {
  const command = unpacked(process.command);
  const verb = latticegateArguments(command);
  if (verb !== undefined) return { kind: "latticegate", process, verb: verb[0] ?? "" };
  for (const variant of [command, command.slice(1), asNpx(command)]) {
    const same = variant.length > 0 ? configured.get(signature(variant)) : undefined;
    if (same !== undefined) return { kind: "server", process, command: same, isConfigured: true };
  }
  const isClients = tree.starterOf(process) !== undefined;
  if (!hintsAtServer(command, isClients) || clientTitle(command) !== undefined) return undefined;
  return { kind: "server", process, command, isConfigured: false };
}

/** npm writes `npm exec package arguments` over its own command line, as one text. */
function unpacked(command: readonly string[]): readonly string[] {
  const [first = "", ...rest] = command;
  return rest.length === 0 && /^(?:npm exec|npx) /.test(first) ? first.split(" ") : command;
}

/** `npm exec package …` as it was typed, most often: `npx -y package …`. */
function asNpx(command: readonly string[]): readonly string[] {
  return command[0] === "npm" && command[1] === "exec" ? ["npx", ...command.slice(2)] : [];
}

/** Two command lines of one server share it: the folder of the program and answers to questions don't count. */
function signature(command: readonly string[]): string {
  const [program = "", ...args] = command;
  return JSON.stringify([programName(program), ...args.filter((arg) => arg !== "-y" && arg !== "--yes")]);
}

function programName(program: string): string {
  const name = program.split(/[\\/]/).at(-1) ?? "";
  return name.replace(/\.(?:exe|cmd|bat|ps1)$/i, "").toLowerCase();
}

/** Programs that name files and packages without running them, or run whatever they are told. */
const noServers = new Set(
  "sh bash zsh dash fish cmd powershell pwsh sudo su env timeout nohup ssh vim nvim vi nano emacs less more cat tail head grep rg find ls git curl wget tar make tsc tmux screen watch strace gdb ps man code codium sleep".split(
    " ",
  ),
);
/** Programs that run a package or an image, and the verbs they do it by; none where they do nothing else. */
const runners = new Map<string, readonly string[]>([
  ["npx", []],
  ["bunx", []],
  ["uvx", []],
  ["npm", ["exec", "x"]],
  ["pnpm", ["dlx", "exec"]],
  ["yarn", ["dlx", "exec"]],
  ["uv", ["run", "tool"]],
  ["pipx", ["run"]],
  ["docker", ["run"]],
  ["podman", ["run"]],
  ["deno", ["run"]],
]);
/** Of MCP, but no servers. */
const otherKinds = /(?:inspector|client|cli|test|tests|probe|spec|config|docs?)$/i;
const certainName =
  /(?:^|[^a-z0-9])mcp[-_.]?server(?:$|[^a-z0-9])|server[-_.]mcp(?:$|[^a-z0-9])|@modelcontextprotocol\/server-/i;
/** Of npm, PyPI or an image: `@x/mcp-y`, `x-mcp`, `mcp/y` as Docker's own images are called. */
const packageName =
  /^mcp\/[\w.:-]{1,128}$|^(?:@?[\w.-]{1,128}\/){0,3}(?:mcp[-_][\w.-]{1,128}|[\w.-]{1,128}[-_]mcp)(?:[@:][\w.^~-]{1,64})?$/i;
const anyWord = /(?:^|[^a-z0-9])mcp(?:$|[^a-z0-9])/i;
/** Arguments beyond are the server's own. */
const maxLooked = 32;
/** What an interpreter runs, or what a runner does: behind an option's value perhaps. */
const maxScripts = 2;

function hintsAtServer(command: readonly string[], isClients: boolean): boolean {
  const [program = "", ...args] = command;
  const name = programName(program);
  const shown = args.slice(0, maxLooked).filter((arg) => !arg.startsWith("-") && arg.length < 1024);
  const verbs = runners.get(name);
  const isInstaller =
    verbs !== undefined && verbs.length > 0 && !shown.slice(0, maxScripts).some((arg) => verbs.includes(arg));
  if (noServers.has(name) || isInstaller) return false;
  const all = [name, ...shown.map(lastPart)].filter((one) => !otherKinds.test(one.replace(/\.\w{1,4}$/, "")));
  if (isClients && all.some((one) => anyWord.test(one))) return true;
  const run =
    verbs === undefined ? [name, ...shown.slice(0, maxScripts).map(lastPart), ...moduleOf(args)] : all;
  const packages = verbs === undefined ? [name, ...moduleOf(args)] : all;
  return (
    run.some((one) => all.includes(one) && certainName.test(one)) ||
    packages.some((one) => all.includes(one) && packageName.test(one))
  );
}

/** `python -m mcp_server_x`. */
function moduleOf(args: readonly string[]): readonly string[] {
  const at = args.indexOf("-m");
  const module = at === -1 ? undefined : args[at + 1];
  return module === undefined ? [] : [module];
}

/** Of a path, the end that says what it is; of a package, all. */
function lastPart(arg: string): string {
  const isPath = /^(?:[/~.]|[A-Za-z]:[\\/])/.test(arg);
  const installed = arg.split(/[\\/]node_modules[\\/]/).at(-1) ?? arg;
  if (installed !== arg) return installed;
  return isPath ? arg.split(/[\\/]/).slice(-3).join("/") : arg;
}

/** Names of clients' programs, beside those of their packages. */
const clientPrograms: readonly (readonly [RegExp, string])[] = [
  [/^claude(?:-desktop)?$|^claude helper/, titleOf("claude-desktop")],
  [/^cursor$|^cursor helper/, titleOf("cursor")],
  [/^code$|^code-insiders$|^codium$|^vscodium$|^code helper/, titleOf("vs-code")],
  [/^windsurf$|^windsurf helper/, titleOf("windsurf")],
  [/^zed$|^zed-editor$/, titleOf("zed")],
  [/^gemini$/, titleOf("gemini-cli")],
  [/^codex$/, titleOf("codex")],
];
const clientPackages: readonly (readonly [RegExp, string])[] = [
  [/[\\/]@anthropic-ai[\\/]claude-code[\\/]|[\\/]bin[\\/]claude$/, titleOf("claude-code")],
  [/[\\/]@google[\\/]gemini-cli[\\/]|[\\/]bin[\\/]gemini$/, titleOf("gemini-cli")],
  [/[\\/]@openai[\\/]codex[\\/]|[\\/]bin[\\/]codex$/, titleOf("codex")],
  [/[\\/]\.(?:vscode|cursor|windsurf)-server[\\/]/, titleOf("vs-code")],
];

function titleOf(id: string): string {
  return clientKinds.find((kind) => kind.id === id)?.title ?? id;
}

function clientTitle(command: readonly string[]): string | undefined {
  const [program = "", script = ""] = command;
  const bySelf = clientPrograms.find(([name]) => name.test(programName(program)))?.[1];
  return bySelf ?? clientPackages.find(([name]) => name.test(program) || name.test(script))?.[1];
}

/** Who started whom. */
class ProcessTree {
  readonly #byPid: ReadonlyMap<number, RunningProcess>;
  readonly #ports = new Map<number, number[]>();

  constructor({ processes, listeners }: Running) {
    this.#byPid = new Map(processes.map((process) => [process.pid, process]));
    for (const { pid, port } of listeners) {
      if (pid === undefined) continue;
      for (const one of [pid, ...this.above(pid)])
        this.#ports.set(one, [...(this.#ports.get(one) ?? []), port]);
    }
  }

  /** Parents, the nearest first. */
  above(pid: number): readonly number[] {
    const found: number[] = [];
    for (let at = this.#byPid.get(pid); at !== undefined && found.length < maxParents;) {
      if (at.parent === pid || at.parent === at.pid || found.includes(at.parent)) break;
      found.push(at.parent);
      at = this.#byPid.get(at.parent);
    }
    return found;
  }

  ports(pid: number): readonly number[] {
    return [...new Set(this.#ports.get(pid))];
  }

  /** The nearest client, or program of ours, above it. */
  starterOf({ pid }: RunningProcess): string | undefined {
    for (const parent of this.above(pid)) {
      const command = unpacked(this.#byPid.get(parent)?.command ?? []);
      if (latticegateArguments(command) !== undefined) return "latticegate";
      const title = clientTitle(command);
      if (title !== undefined) return title;
    }
    return undefined;
  }
}
