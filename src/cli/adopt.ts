/** `latticegate adopt` */
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline/promises";

import { type AdoptionPlan, carryOut, type Environment, planAdoption } from "../app/adopt/adopt.ts";
import { type Exposed, planExposed, planUnexposed, unitName } from "../app/adopt/expose-server.ts";
import { carryOutUndo, planUndo, type UndoPlan } from "../app/adopt/undo.ts";
import { whichFiles } from "../app/adopt/which-files.ts";
import { type Config, loadConfig } from "../app/config.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { maskedDiff } from "../inventory/clients/masked-diff.ts";
import { withoutSecrets } from "../inventory/clients/secrets.ts";
import { isAddress } from "../kernel/address.ts";
import { Refusal } from "../kernel/refusal.ts";
import { printable } from "../kernel/printable.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { thisCommand } from "./this-command.ts";

export const adopt = {
  options: {
    ...configOption,
    "dry-run": { type: "boolean", help: "Show what would change, and write nothing." },
    yes: { type: "boolean", help: "Write it without asking." },
    server: {
      type: "string",
      value: "NAME",
      help: "Instead of clients: put the server at a URL, or one that a command behind -- starts, behind `latticegate expose` under this name; with --undo, take it back.",
    },
    listen: {
      type: "string",
      value: "HOST:PORT",
      help: "Where that server's endpoint is; a port of 127.0.0.1 that is free now by default.",
    },
    undo: { type: "boolean", help: "Give back what was adopted: byte for byte where nobody wrote since." },
  },
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const environment = environmentHere();
    const server = call.text("server");
    if (server !== undefined) return await adoptServer(call, config, { name: server, environment });
    if (call.text("listen") !== undefined || call.rest.length > 0)
      throw new Refusal("bad_config", "--listen and a command behind -- go with --server NAME.");
    return call.flag("undo")
      ? await undo(call, config, environment)
      : await forward(call, config, environment);
  },
} as const satisfies Command;

function environmentHere(): Environment {
  const { platform } = process;
  const ownHome = homedir();
  return {
    clock: systemClock,
    log: systemLog({ level: "warn" }),
    homes: {
      platform: platform === "darwin" || platform === "win32" ? platform : "linux",
      environment: process.env,
      ownHome,
      homes: [ownHome],
    },
    self: thisCommand(),
  };
}

async function forward(call: CommandCall, config: Config, environment: Environment): Promise<number> {
  const plan = await planAdoption(config, call.positionals, environment);
  showPlan(call, plan);
  const changed = plan.files.filter(({ before, after }) => before !== after);
  const isNamedLeft = call.positionals.length > 0 && plan.left.length > 0;
  if (changed.length === 0) {
    call.out("Nothing to adopt.");
    return isNamedLeft ? 1 : 0;
  }
  if (!(await isAgreed(call))) return call.flag("dry-run") ? 0 : 1;
  const failed = await carryOut(config, plan, environment);
  for (const line of failed) call.out(line);
  const count = changed.reduce((sum, { entries }) => sum + entries.length, 0);
  call.out(
    `Adopted ${count} ${count === 1 ? "entry" : "entries"} of ${changed.length - failed.length} files.`,
  );
  if (plan.servers.length > 0)
    call.out("Restart the gateway, then the clients: it reads its servers when it starts.");
  call.out("Back again: latticegate adopt --undo");
  return failed.length > 0 || isNamedLeft ? 1 : 0;
}

function showPlan(call: CommandCall, { files, config, left }: AdoptionPlan): void {
  for (const { client, before, after } of files)
    show(call, client.file, client.kind.format, { before, after });
  showConfig(call, config);
  for (const { client, left: entries } of files)
    for (const { name, because } of entries)
      call.out(`Left as it is: ${printable(name, 200)} in ${printable(client.file, 1000)}: ${because}.`);
  for (const line of left) call.out(line);
}

interface Texts {
  readonly before: string;
  readonly after: string;
}

function show(call: CommandCall, file: string, format: "json" | "jsonc" | "toml", texts: Texts): void {
  for (const line of maskedDiff({ file, format, ...texts })) call.out(line);
}

/** Its format is YAML, of which the diff knows no values: what looks like a secret is masked all the same. */
function showConfig(call: CommandCall, { read, ...texts }: AdoptionPlan["config"]): void {
  for (const line of maskedDiff({ file: read.named, format: "jsonc", ...texts })) call.out(line);
}

/** @throws Refusal `bad_config` if nobody can be asked */
async function isAgreed(call: CommandCall): Promise<boolean> {
  if (call.flag("dry-run")) return false;
  if (call.flag("yes")) return true;
  if (!process.stdin.isTTY)
    throw new Refusal(
      "bad_config",
      "Nothing was written: nobody can be asked here. Say --yes, or --dry-run.",
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question("Write this? [y/N] ");
  terminal.close();
  return /^y(?:es)?$/i.test(answer.trim());
}

interface NamedServer {
  readonly name: string;
  readonly environment: Environment;
}

async function adoptServer(
  call: CommandCall,
  config: Config,
  { name, environment }: NamedServer,
): Promise<number> {
  const isUndone = call.flag("undo");
  const exposed = isUndone ? undefined : { name, target: target(call), listen: await listenAt(call) };
  const plan = exposed ? await planExposed(config, exposed, environment) : await planUnexposed(config, name);
  show(call, config.file, "jsonc", plan);
  if (plan.unit) for (const line of plan.unit.text.trimEnd().split("\n")) call.out(`  ${maskedLine(line)}`);
  if (!(await isAgreed(call))) return call.flag("dry-run") ? 0 : 1;
  await plan.carryOut();
  if (plan.unit) {
    call.out(`Start it: systemctl --user enable --now ${plan.unit.file}`);
    call.out("or run the ExecStart above some other way. Then restart the gateway.");
    call.out(`Back again: latticegate adopt --undo --server ${name}`);
  } else {
    const { trust_domain: domain } = config;
    call.out(`Stop it: systemctl --user disable --now ${unitName(name)}; restart the gateway.`);
    call.out(`Its identity: latticegate ca revoke spiffe://${domain}/server/${name}`);
  }
  return 0;
}

function maskedLine(line: string): string {
  return printable(withoutSecrets(line.split(" ")).join(" "), 2000);
}

/** @throws Refusal `bad_config` unless there is one URL or one command */
function target(call: CommandCall): Exposed["target"] {
  const [url, ...more] = call.positionals;
  if (url === undefined && call.rest.length > 0) return { command: call.rest };
  const parsed = url === undefined || more.length > 0 || call.rest.length > 0 ? null : URL.parse(url);
  if (url !== undefined && parsed !== null && ["http:", "https:"].includes(parsed.protocol)) return { url };
  throw new Refusal("bad_config", "Expected the URL of a server or, behind --, the command that starts it.");
}

async function listenAt(call: CommandCall): Promise<string> {
  const given = call.text("listen");
  if (given !== undefined && isAddress(given) && !given.endsWith(":0")) return given;
  if (given !== undefined)
    throw new Refusal("bad_config", `--listen takes host:port with a port of its own, found "${given}".`);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  server.close();
  if (bound === null || typeof bound === "string") throw new Error("a TCP socket has a port");
  return `127.0.0.1:${bound.port}`;
}

async function undo(call: CommandCall, config: Config, { homes }: Environment): Promise<number> {
  const clients = new Set(call.positionals);
  const files = await namedFiles(call, homes);
  const plan = await planUndo(
    config,
    ({ file, client }) => clients.size === 0 || clients.has(client) || files.has(file),
  );
  showUndo(call, plan);
  if (plan.files.length === 0 && plan.servers.length === 0) {
    call.out("Nothing to give back.");
    return plan.left.length > 0 ? 1 : 0;
  }
  if (!(await isAgreed(call))) return call.flag("dry-run") ? 0 : 1;
  await carryOutUndo(config, plan);
  for (const { file, isWhole } of plan.files)
    call.out(
      `${printable(file, 1000)}: ${isWhole ? "as it was, byte for byte" : "its adopted entries are as they were; the rest is as it is now"}.`,
    );
  if (plan.servers.length > 0) call.out("Restart the gateway once the clients are restarted.");
  return plan.left.length > 0 ? 1 : 0;
}

function showUndo(call: CommandCall, { files, config, left }: UndoPlan): void {
  for (const { file, kind, before, after, passedOver } of files) {
    show(call, file, kind.format, { before, after });
    for (const entry of passedOver)
      call.out(
        `Left as it is: ${printable(entry, 200)} in ${printable(file, 1000)}: it isn't what adopt wrote.`,
      );
  }
  showConfig(call, config);
  for (const line of left) call.out(line);
}

/** Where the files that were named are, links followed. */
async function namedFiles(call: CommandCall, homes: Environment["homes"]): Promise<ReadonlySet<string>> {
  const meant = call.positionals.length === 0 ? [] : await whichFiles(call.positionals, homes);
  const places = meant.map(({ file }) => realpath(file).catch(() => path.resolve(file)));
  return new Set(await Promise.all(places));
}
