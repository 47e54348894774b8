/** The table of all commands, in the order of help. */
import { nearest } from "../kernel/nearest.ts";
import type { CommandRow } from "./command.ts";
import { auditCommands } from "./commands/audit.ts";
import { detectionCommands } from "./commands/detection.ts";
import { discoveryCommands } from "./commands/discovery.ts";
import { keyCommands } from "./commands/keys.ts";
import { linkCommands } from "./commands/links.ts";
import { responseCommands } from "./commands/response.ts";
import { ruleCommands } from "./commands/rules.ts";
import { shellCommands } from "./commands/shell.ts";
import { watchCommands } from "./commands/watches.ts";

export const commands: readonly CommandRow[] = [
  ...linkCommands,
  ...discoveryCommands,
  ...keyCommands,
  ...watchCommands,
  ...responseCommands,
  ...auditCommands,
  ...ruleCommands,
  ...detectionCommands,
  ...shellCommands,
];

/** The command that those words begin with, by its name or the one it had before, and what comes after that. */
export function find(
  args: readonly string[],
): { readonly row: CommandRow; readonly rest: readonly string[] } | undefined {
  for (const words of [3, 2, 1]) {
    const typed = args.slice(0, words).join(" ");
    const rest = args.slice(words);
    const row = commands.find(({ name }) => name === typed) ?? renamed(typed, rest);
    if (row !== undefined) return { row, rest };
  }
  return undefined;
}

/** "outlets" alone lists them, as it always did; "outlets tst" is a mistyped "outlets test". */
function renamed(typed: string, rest: readonly string[]): CommandRow | undefined {
  const row = commands.find(({ before }) => before === typed);
  const isAlone = rest[0] === undefined || rest[0].startsWith("-");
  return row?.arguments === "" && !isAlone ? undefined : row;
}

/** The commands whose names begin with those words, as "audit" does. */
export function groupOf(words: readonly string[]): readonly CommandRow[] {
  return commands.filter(({ name }) => name.startsWith(`${words.join(" ")} `));
}

/** What to type instead of words that begin no command. */
export function unknownCommand(args: readonly string[]): string {
  const words = args.slice(
    0,
    Math.max(
      1,
      args.findIndex((arg) => arg.startsWith("-")),
    ),
  );
  const said = `there is no command "${args.join(" ")}"`;
  const near = nearestCommand(args.filter((arg) => !arg.startsWith("-")));
  const hint = near === undefined ? "" : `; did you mean "latticegate ${near}"?`;
  const group = groupOf(words.slice(0, 1));
  const next =
    group.length > 0
      ? `Those of "${words[0]}":\n${group.map(({ name }) => `  latticegate ${name}`).join("\n")}`
      : '"latticegate --help" lists all.';
  return `${said}${hint}\n${next}`;
}

function nearestCommand(words: readonly string[]): string | undefined {
  for (const count of [3, 2, 1]) {
    if (words.length < count) continue;
    const near = nearest(
      words.slice(0, count).join(" "),
      commands.map(({ name }) => name),
    );
    if (near !== undefined) return near;
  }
  return nearest(words[0] ?? "", new Set(commands.map(({ name }) => name.split(" ")[0] ?? "")));
}
