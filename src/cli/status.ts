/** `latticegate status` */
import { runningGateway } from "../app/certificate-authority.ts";
import { loadConfig } from "../app/config.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const status = {
  name: "status",
  arguments: "",
  summary: "Say whether the gateway runs, where, and the link to its page.",
  options: configOption,
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const run = await runningGateway(config.state);
    if (run === undefined) {
      call.out(`No gateway runs on ${config.state}.`);
      return 1;
    }
    call.out(
      `Latticegate runs at ${run.listen} since ${new Date(run.startedAtUnixMs).toISOString()} (process ${run.pid})`,
    );
    if (run.dashboard !== undefined) call.out(`Page      ${run.dashboard}`);
    return 0;
  },
} as const satisfies Command;
