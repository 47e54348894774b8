/** The gateway that runs on a state folder, as it says of itself. */
import { z } from "zod";

import { readJsonIfThere } from "../host/store/files.ts";
import { statePaths } from "./state-folder.ts";

const runSchema = z.object({
  pid: z.number(),
  listen: z.string(),
  startedAtUnixMs: z.number(),
  dashboard: z.string().optional(),
  /** Where commands ask it, with this start's token; absent of one from before they did. */
  api: z.string().optional(),
  version: z.string().optional(),
  /** Rules are recorded and not enforced. */
  observes: z.boolean().optional(),
  /** SIGUSR2 stops all calls; of others it would end the process. */
  hearsKillSignal: z.boolean().optional(),
});

/** What a running gateway wrote of itself; undefined if none is known to run. */
export async function runningGateway(state: string): Promise<z.output<typeof runSchema> | undefined> {
  const run = runSchema.safeParse(await readJsonIfThere(statePaths(state).run));
  return run.success && isAlive(run.data.pid) ? run.data : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
