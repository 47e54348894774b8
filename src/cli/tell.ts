/** A command's result: as JSON where --json was given, in lines for people where not. */
import type { CommandCall } from "./command.ts";
import { jsonText } from "./tools-text.ts";

/** The same in every command that prints a result of a shape of its own. */
export const jsonOption = { json: { type: "boolean", help: "Print JSON." } } as const;

/** @param value what docs/formats/command-json.md says of the command */
export function tell(call: Pick<CommandCall, "flag" | "out">, value: object, lines: readonly string[]): void {
  if (call.flag("json")) call.out(jsonText(value));
  else for (const line of lines) call.out(line);
}
