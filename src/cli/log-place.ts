/** The options that say which log a command is about, and where the names for its pseudonyms are. */
import { loadConfig } from "../app/config.ts";
import { statePaths } from "../app/state-folder.ts";
import { asWritten, type LogNames, type SubjectsPlace, withNames } from "../app/subject-names.ts";
import { type CommandCall, configFile, configOption, type Option } from "./command.ts";

export const placeOptions = {
  ...configOption,
  state: {
    type: "string",
    value: "FOLDER",
    help: "The state folder of an exposed server, instead of the config's.",
  },
} as const satisfies Record<string, Option>;

export const logOption = {
  log: {
    type: "string",
    value: "FOLDER",
    help: "The log, or a copy of it; by default that of the config's gateway.",
  },
} as const satisfies Record<string, Option>;

export const namingOptions = {
  pseudonyms: { type: "boolean", help: "Print pseudonyms as they stand in the log, not names." },
} as const satisfies Record<string, Option>;

export function placeIn(call: CommandCall): SubjectsPlace {
  const state = call.text("state");
  if (state !== undefined) return { state };
  const { state: own, unlock } = loadConfig(configFile(call));
  return { state: own, unlock };
}

/** The log of the place, unless --log names another folder. */
export function logFolder(call: CommandCall): string {
  return call.text("log") ?? statePaths(placeIn(call).state).log;
}

/** Entries of a copy, or with --pseudonyms, stay as they are. */
export async function withNamesFor<T>(call: CommandCall, work: (names: LogNames) => Promise<T>): Promise<T> {
  if (call.text("log") !== undefined || call.flag("pseudonyms")) return await work(asWritten);
  return await withNames(placeIn(call), work, (why) => {
    process.stderr.write(`Pseudonyms are shown, since no names can be found for them: ${why}\n`);
  });
}
