/** `latticegate audit witnesses`: who cosigned the log, and what they found. */
import { loadConfig } from "../app/config.ts";
import { statePaths } from "../app/state-folder.ts";
import { listWitnesses, type ListedWitness } from "../app/witness-list.ts";
import { reportedIncidents } from "../app/witness-records.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const auditWitnesses = {
  options: {
    ...configOption,
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
    for (const witness of witnesses) call.out(line(witness));
    if (witnesses.length === 0) call.out("No witness has cosigned this log yet.");
    const incidents = state === undefined ? [] : await reportedIncidents(state);
    for (const { kind, says, spiffe_id: by, at } of incidents)
      call.out(`incident: ${kind}, ${by} at ${at}: ${says}`);
    return incidents.length > 0 || witnesses.some(({ agrees }) => agrees === false) ? 1 : 0;
  },
} as const satisfies Command;

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
