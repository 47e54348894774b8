/** `latticegate audit witnesses`: who cosigned the log, and what they found. */
import { loadConfig } from "../app/config.ts";
import { statePaths } from "../app/state-folder.ts";
import { listWitnesses, type ListedWitness } from "../app/witness-list.ts";
import { reportedIncidents } from "../app/witness-records.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { jsonText } from "./tools-text.ts";

export const auditWitnesses = {
  options: {
    ...configOption,
    json: { type: "boolean", help: "Print JSON." },
    log: {
      type: "string",
      value: "FOLDER",
      help: "The log, or a copy of it, which doesn't name witnesses; by default that of the config's gateway.",
    },
  },
  run: async (call) => {
    const named = call.text("log");
    const state = named === undefined ? loadConfig(configFile(call)).state : undefined;
    const witnesses = await listWitnesses(named ?? statePaths(state ?? "").log, state);
    const incidents = state === undefined ? [] : await reportedIncidents(state);
    if (call.flag("json")) call.out(jsonText({ witnesses: witnesses.map(jsonOf), incidents }));
    else {
      for (const witness of witnesses) call.out(line(witness));
      if (witnesses.length === 0) call.out("No witness has cosigned this log yet.");
      for (const { kind, says, spiffe_id: by, at } of incidents)
        call.out(`incident: ${kind}, ${by} at ${at}: ${says}`);
    }
    return incidents.length > 0 || witnesses.some(({ agrees }) => agrees === false) ? 1 : 0;
  },
} as const satisfies Command;

function jsonOf({ name, spiffeId, size, atUnixMs, agrees, behind }: ListedWitness): object {
  const at = new Date(atUnixMs).toISOString();
  return { name, spiffe_id: spiffeId ?? null, size, at, agrees: agrees ?? null, behind };
}

function line(witness: ListedWitness): string {
  const { name, spiffeId, size, atUnixMs } = witness;
  const who = spiffeId === undefined ? name : `${spiffeId}  ${name}`;
  return `${String(size).padStart(8)}  ${new Date(atUnixMs).toISOString()}  ${who}  ${standing(witness)}`;
}

function standing({ agrees, behind }: ListedWitness): string {
  if (agrees === false) return "SAW ANOTHER LOG: the history it cosigned isn't this one";
  const untold = agrees === undefined ? ", too old to be compared" : "";
  return `${behind === 0 ? "up to date" : `${behind} entries behind`}${untold}`;
}
