/** What may stand for the last word of a command line, from the table of commands and what the gateway knows. */
import { type CommandRow, type LoadedCommand, loaded, type Option, parseCall } from "./command.ts";
import { commands, find } from "./commands.ts";

export interface Completion {
  readonly word: string;
  readonly says: string;
}

/** Stands for the names of files, which the shell knows itself. */
export const filesInstead = ":files";

/** As many as a person looks through. */
const maxCompletions = 500;

/** @param words the last one is what is typed, and may be empty */
export async function completionsOf(words: readonly string[]): Promise<readonly Completion[]> {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const offered = [...nextWords(before), ...(await ofCommand(before, typed))];
  return offered
    .filter(({ word }) => word === filesInstead || word.startsWith(typed))
    .filter(({ word }) => !/[\s\p{C}]/u.test(word))
    .slice(0, maxCompletions);
}

/** The words with which names of commands go on. */
function nextWords(before: readonly string[]): readonly Completion[] {
  const found = new Map<string, Completion>();
  for (const { name, summary } of commands) {
    const parts = name.split(" ");
    const word = parts[before.length];
    if (word === undefined || before.some((each, at) => each !== parts[at])) continue;
    const isWhole = parts.length === before.length + 1;
    if (isWhole || !found.has(word)) found.set(word, { word, says: isWhole ? summary : "" });
  }
  return [...found.values()];
}

async function ofCommand(before: readonly string[], typed: string): Promise<readonly Completion[]> {
  const found = find(before);
  if (found === undefined || found.rest.includes("--")) return [];
  const { row, rest } = found;
  const command = await loaded(row);
  const last = rest.at(-1) ?? "";
  const option = optionNamed(command, last);
  if (option?.type === "string") return await valuesOf(option.value ?? "", command, rest.slice(0, -1));
  if (typed.startsWith("-")) return optionsOf(command, rest);
  return await valuesOf(placeholder(row, command, rest), command, rest);
}

function optionNamed({ options }: LoadedCommand, word: string): Option | undefined {
  if (word.startsWith("--")) return options[word.slice(2)];
  return Object.values(options).find(({ short }) => short !== undefined && word === `-${short}`);
}

function optionsOf({ options }: LoadedCommand, rest: readonly string[]): readonly Completion[] {
  return [...Object.entries(options), ["help", { help: "Tell what the command takes." }] as const]
    .filter(([name, option]) => !rest.includes(`--${name}`) || "multiple" in option)
    .map(([name, { help }]) => ({ word: `--${name}`, says: help }));
}

/** What stands in the command's help for the argument whose turn it is. */
function placeholder(row: CommandRow, command: LoadedCommand, rest: readonly string[]): string {
  const places = row.arguments.replace(/[()[\]]/g, "").split(" ");
  const at = positionals(command, rest).length;
  const repeated = places.at(-1) === "..." ? places.at(-2) : undefined;
  return places[at] === "..." ? (repeated ?? "") : (places[at] ?? repeated ?? "");
}

function positionals(command: LoadedCommand, rest: readonly string[]): readonly string[] {
  return rest.filter((word, at) => {
    const isValue = optionNamed(command, rest[at - 1] ?? "")?.type === "string";
    return !word.startsWith("-") && !isValue;
  });
}

/** Where names come from: what a command lists with --json, and the member of each that is the name. By command, then by its first word. */
const lists: Readonly<Record<string, readonly [command: string, member: string]>> = {
  "approvals ID": ["approvals list", "id"],
  "audit SUBJECT": ["audit subjects", "id"],
  "ca SPIFFE-ID": ["ca list", "spiffe_id"],
  "crypto PEER": ["crypto peers", "peer"],
  "crypto PROFILE": ["crypto profiles", "name"],
  "incidents ID": ["incidents list", "id"],
  "incidents lift-suppression ID": ["incidents suppressions", "id"],
  "inventory SERVER": ["inventory list", "id"],
  "outlets NAME": ["outlets list", "name"],
  "pins SPIFFE-ID": ["pins list", "name"],
  "playbooks ID": ["playbooks waiting", "id"],
  "playbooks NAME": ["playbooks list", "name"],
  "policy CALLER": ["ca list", "spiffe_id"],
  "response ID": ["response list", "id"],
  TOOL: ["tools list", "tool"],
};

async function valuesOf(
  place: string,
  command: LoadedCommand,
  rest: readonly string[],
): Promise<readonly Completion[]> {
  if (/\b(FILE|FOLDER)\b/.test(place)) return [{ word: filesInstead, says: "" }];
  const words = place.split("|");
  if (words.length > 1 && words.every((word) => /^[a-z0-9_-]+$/.test(word)))
    return words.map((word) => ({ word, says: "" }));
  const [group = ""] = command.name.split(" ");
  const list = words
    .map((word) => lists[`${command.name} ${word}`] ?? lists[`${group} ${word}`] ?? lists[word])
    .find((each) => each !== undefined);
  if (list !== undefined) return await named(list, command, rest);
  return words.includes("SERVER") ? await configuredServers(rest) : [];
}

/** Those of the config; nothing where it can't be read. */
async function configuredServers(rest: readonly string[]): Promise<readonly Completion[]> {
  const at = rest.indexOf("--config");
  const file = (at === -1 ? undefined : rest[at + 1]) ?? "latticegate.yaml";
  const { loadConfig } = await import("../app/config.ts");
  try {
    return Object.keys(loadConfig(file).servers).map((word) => ({ word, says: "" }));
  } catch {
    return [];
  }
}

/** Nothing where the list can't be had: no gateway, no config, no right to read it. */
async function named(
  [name, member]: readonly [string, string],
  command: LoadedCommand,
  rest: readonly string[],
): Promise<readonly Completion[]> {
  const found = find(name.split(" "));
  if (found === undefined) return [];
  const lines: string[] = [];
  try {
    const list = await loaded(found.row);
    const [server] = member === "tool" ? positionals(command, rest) : [];
    const args = ["--json", ...placeGiven(list, rest), ...(server === undefined ? [] : [server])];
    await list.run(parseCall(list, args, { out: (line) => lines.push(line) }));
    return membersOf(JSON.parse(lines.join("\n")), member).map((word) => ({ word, says: "" }));
  } catch {
    return [];
  }
}

/** The same config or state as in the line that is completed. */
function placeGiven({ options }: LoadedCommand, rest: readonly string[]): readonly string[] {
  return ["config", "state"].flatMap((name) => {
    const at = rest.indexOf(`--${name}`);
    const value = rest[at + 1];
    return at === -1 || value === undefined || !(name in options) ? [] : [`--${name}`, value];
  });
}

/** The strings of that name, wherever in the answer they stand; each once. */
function membersOf(answer: unknown, member: string): readonly string[] {
  const found = new Set<string>();
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== "object" || value === null || depth > 4) return;
    for (const [name, inner] of Object.entries(value)) {
      if (name === member && typeof inner === "string") found.add(inner);
      else visit(inner, depth + 1);
    }
  };
  visit(answer, 0);
  return [...found];
}
