/**
 * What a command is, and how its arguments and its help come from one description.
 *
 * It stands in two halves, since a process runs one command and shouldn't load the whole product for it: its row in the
 * table (src/cli/commands/) has what the help about all commands says and tells where the rest is; the file that the row
 * names, loaded when somebody asks for this command, has the options and what runs, with plain imports of all it needs.
 * INVARIANT: what main.ts, the table and this file import is small: no package, nothing of the app but the version.
 */
import { parseArgs } from "node:util";

import { nearest } from "../kernel/nearest.ts";
import { Refusal } from "../kernel/refusal.ts";
import { withoutJson } from "./without-json.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly multiple?: true;
  /** One letter that says the same. */
  readonly short?: string;
  /** What it was called before: still taken, and shown nowhere. */
  readonly before?: string;
  /** What stands for the value in help; none for switches. */
  readonly value?: string;
  readonly help: string;
}

/** A command in the table. */
export interface CommandRow {
  /** One to three words, as typed. */
  readonly name: string;
  readonly arguments: string;
  readonly summary: string;
  /** What it was called before: still taken, and shown nowhere. */
  readonly before?: string;
  /** Typed by programs, not by people: no help lists it. */
  readonly isPlumbing?: true;
  /** Loads what it takes, and what runs. */
  readonly load: () => Promise<Command>;
}

/** What the file of a command exports. */
export interface Command {
  readonly options: Readonly<Record<string, Option>>;
  /** Exit code: 0 done, 1 found wanting (a check that failed), `breaksCode`. Refusals and faults are thrown. */
  readonly run: (call: CommandCall) => Promise<number>;
}

/** A command of the table whose file is loaded. */
export type LoadedCommand = Command & Pick<CommandRow, "name" | "arguments" | "summary">;

export async function loaded(row: CommandRow): Promise<LoadedCommand> {
  const { name, arguments: what, summary } = row;
  const { options, run } = await row.load();
  const command = { name, arguments: what, summary, options, run };
  return "json" in options || name in withoutJson ? command : withJson(command);
}

/** A command that answers in sentences has them in JSON, too: `{ command, exit_code, says }`. */
function withJson(command: LoadedCommand): LoadedCommand {
  const run = async (call: CommandCall): Promise<number> => {
    if (!call.flag("json")) return await command.run(call);
    const says: string[] = [];
    const code = await command.run({ ...call, out: (text) => void says.push(...text.split("\n")) });
    call.out(JSON.stringify({ command: command.name, exit_code: code, says }, null, 2));
    return code;
  };
  return { ...command, options: { ...command.options, json: { type: "boolean", help: "Print JSON." } }, run };
}

export interface CommandCall {
  readonly text: (option: string) => string | undefined;
  readonly texts: (option: string) => readonly string[];
  readonly flag: (option: string) => boolean;
  readonly positionals: readonly string[];
  /** What stands behind `--`. */
  readonly rest: readonly string[];
  /** Writes a line to stdout. */
  readonly out: (line: string) => void;
  /** Says on terminals what goes on now. */
  readonly doing: (what: string) => void;
}

/** Where a command's words go. */
export type CommandOutput = Pick<CommandCall, "out" | "doing">;

/** @throws Refusal `bad_config` for options that the command doesn't take, or takes otherwise */
export function parseCall(
  command: LoadedCommand,
  args: readonly string[],
  { out, doing = () => undefined }: Pick<CommandOutput, "out"> & Partial<CommandOutput>,
): CommandCall {
  const dashes = args.indexOf("--");
  const { values, positionals } = parsed(command, own(args));
  const texts = (option: string): readonly string[] => {
    const before = command.options[option]?.before;
    const value = values[option] ?? (before === undefined ? undefined : values[before]);
    if (value === undefined || typeof value === "boolean") return [];
    return (Array.isArray(value) ? value : [value]).map(String);
  };
  return {
    text: (option) => texts(option)[0],
    texts,
    flag: (option) => values[option] === true,
    positionals,
    rest: dashes === -1 ? [] : args.slice(dashes + 1),
    out,
    doing,
  };
}

/** What stands before `--`. */
export function own(args: readonly string[]): readonly string[] {
  const dashes = args.indexOf("--");
  return dashes === -1 ? args : args.slice(0, dashes);
}

function parsed(command: LoadedCommand, args: readonly string[]): ReturnType<typeof parseArgs> {
  const options = Object.fromEntries(
    Object.entries(command.options).flatMap(([name, { type, multiple = false, short, before }]) => [
      [name, { type, multiple, ...(short !== undefined && { short }) }],
      ...(before === undefined ? [] : [[before, { type, multiple }] as const]),
    ]),
  );
  try {
    return parseArgs({ args: dashedLast(args), options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new Refusal("bad_config", `${whyNot(cause)}${meant(command, own(args))}`, { cause });
  }
}

/** The first sentence; the rest of Node's text is about its own parser. */
function whyNot(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : "";
  return `${text.split(/\. |\n/, 1)[0] ?? ""}.`.replace(/\.\.$/, ".");
}

function meant(command: LoadedCommand, args: readonly string[]): string {
  const known = Object.keys(command.options);
  for (const arg of args) {
    const name = /^--([^=]+)/.exec(arg)?.[1];
    if (name === undefined || known.includes(name)) continue;
    if (name === "remote")
      return ` "latticegate ${command.name}" works on this machine only; "latticegate api" asks a control room whatever it answers.`;
    const near = nearest(name, known);
    if (near !== undefined) return ` Did you mean --${near}?`;
  }
  return "";
}

/** A fingerprint, base64url of 32 bytes, may begin with a dash, and is no option then: it is the last argument. */
function dashedLast(args: readonly string[]): string[] {
  const dashed = args.filter(isDashed);
  if (dashed.length === 0 || args.includes("--")) return [...args];
  return [...args.filter((each) => !isDashed(each)), "--", ...dashed];
}

function isDashed(text: string): boolean {
  return /^-[A-Za-z0-9_-]{42}$/.test(text);
}

/** The option that names the config file, the same wherever it stands. */
export const configOption = {
  config: {
    type: "string",
    value: "FILE",
    help: "The config file; latticegate.yaml in this folder by default.",
  },
} as const satisfies Record<string, Option>;

export function configFile(call: CommandCall): string {
  return call.text("config") ?? "latticegate.yaml";
}

/** What is planned breaks something, or may. */
export const breaksCode = 3;

/** The one argument of commands about a profile. @throws Refusal `bad_config` */
export function profileGiven(call: CommandCall): string {
  const [name, ...more] = call.positionals;
  if (name !== undefined && more.length === 0) return name;
  throw new Refusal("bad_config", 'Name one profile; "latticegate crypto profiles" lists them.');
}
