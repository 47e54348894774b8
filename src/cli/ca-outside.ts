/** `latticegate ca request | import` */
import { importIssuing, requestIssuing } from "../app/outside-authority.ts";
import { loadConfig } from "../app/config.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { forOption, purposeIn, rootLine } from "./ca-roots.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const caRequest = {
  options: { ...configOption, ...forOption },
  run: async (call) => {
    call.out((await requestIssuing(loadConfig(configFile(call)), purposeIn(call), systemClock)).trimEnd());
    return 0;
  },
} as const satisfies Command;

export const caImport = {
  options: { ...configOption, ...forOption },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Expected one file.");
    const options = { purpose: purposeIn(call), file, clock: systemClock };
    call.out(rootLine(await importIssuing(loadConfig(configFile(call)), options)));
    return 0;
  },
} as const satisfies Command;
