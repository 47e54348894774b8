/**
 * What a command is, and how its arguments and its help come from one description.
 *
 * It stands in two halves, since a process runs one command and shouldn't load the whole product for it: its row in the
 * table (src/cli/commands/) has what the help about all commands says and tells where the rest is; the file that the row
 * names, loaded when somebody asks for this command, has the options and what runs, with plain imports of all it needs.
 * INVARIANT: what main.ts, the table and this file import is small: no package, nothing of the app but the version.
 */
import { parseArgs } from "node:util";

import { Refusal } from "../kernel/refusal.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly multiple?: true;
  /** One letter that says the same. */
  readonly short?: string;
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
export type LoadedCommand = Command & Omit<CommandRow, "load">;

export async function loaded(row: CommandRow): Promise<LoadedCommand> {
  const { name, arguments: what, summary } = row;
  const { options, run } = await row.load();
  return { name, arguments: what, summary, options, run };
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
}

/** @throws Refusal `bad_config` that shows the command's usage */
export function parseCall(
  command: LoadedCommand,
  args: readonly string[],
  out: (line: string) => void,
): CommandCall {
  const dashes = args.indexOf("--");
  const own = dashes === -1 ? args : args.slice(0, dashes);
  const { values, positionals } = parsed(command, own);
  const texts = (option: string): readonly string[] => {
    const value = values[option];
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
  };
}

export function usage(command: LoadedCommand): string {
  const options = Object.entries(command.options).map(([name, option]) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const left = `  ${short}--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
    return `${left.padEnd(26)} ${option.help}`;
  });
  return [
    `latticegate ${command.name}${command.arguments === "" ? "" : ` ${command.arguments}`}`,
    "",
    command.summary,
    ...(options.length === 0 ? [] : ["", ...options]),
  ].join("\n");
}

function parsed(command: LoadedCommand, args: readonly string[]): ReturnType<typeof parseArgs> {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, multiple, short }]) => [
      name,
      { type, multiple: multiple === true, ...(short !== undefined && { short }) },
    ]),
  );
  try {
    return parseArgs({ args: dashedLast(args), options, allowPositionals: true, strict: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "";
    throw new Refusal("bad_config", `${why}\n\n${usage(command)}`, { cause });
  }
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
