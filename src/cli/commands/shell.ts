/** Commands for the shell that latticegate is typed into. */
import type { CommandRow } from "../command.ts";

export const shellCommands = [
  {
    name: "completion",
    arguments: "bash|zsh|fish",
    summary: "Print the script that completes commands, options and names in a shell.",
    load: async () => (await import("../completion.ts")).completion,
  },
  {
    name: "completion words",
    isPlumbing: true,
    arguments: "-- WORD ...",
    summary: "List what may stand for the last of these words; the shells' scripts ask it.",
    load: async () => (await import("../completion.ts")).completionWords,
  },
] as const satisfies readonly CommandRow[];
