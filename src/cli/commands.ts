/** The table of all commands, in the order of help. */
import type { CommandRow } from "./command.ts";
import { auditCommands } from "./commands/audit.ts";
import { detectionCommands } from "./commands/detection.ts";
import { discoveryCommands } from "./commands/discovery.ts";
import { keyCommands } from "./commands/keys.ts";
import { linkCommands } from "./commands/links.ts";
import { responseCommands } from "./commands/response.ts";
import { ruleCommands } from "./commands/rules.ts";
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
];

/** The command that those words begin with, and what comes after its name. */
export function find(
  args: readonly string[],
): { readonly row: CommandRow; readonly rest: readonly string[] } | undefined {
  for (const words of [3, 2, 1]) {
    const row = commands.find(({ name }) => name === args.slice(0, words).join(" "));
    if (row !== undefined) return { row, rest: args.slice(words) };
  }
  return undefined;
}

/** The help about all of them. */
export function overview(): string {
  const lines = commands.map(({ name, arguments: what, summary }) => {
    const left = `  ${name} ${what}`.trimEnd();
    return left.length < 40 ? `${left.padEnd(40)} ${summary}` : `${left}\n${" ".repeat(41)}${summary}`;
  });
  return [
    "latticegate: post-quantum, zero-trust gateway and sidecar for the Model Context Protocol",
    "",
    ...lines,
    "",
    "latticegate COMMAND --help tells a command's options; latticegate --version the version.",
  ].join("\n");
}
