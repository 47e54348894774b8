/** `latticegate crypto apply | rollback`: another profile, while the gateway runs. */
import { type Config, loadConfig } from "../app/config.ts";
import { doesBreak } from "../app/crypto/plan.ts";
import { planFor } from "../app/crypto/plan-for.ts";
import {
  type AppliedProfile,
  applyProfile,
  previousProfile,
  profileNamed,
  rollBack,
} from "../app/profile-operations.ts";
import { systemClock } from "../host/system.ts";
import type { Profile } from "../crypto/suites/profiles.ts";
import { overlapIn, overlapOptions } from "./crypto-overlap.ts";
import { planText } from "./crypto-plan.ts";
import {
  breaksCode,
  type Command,
  type CommandCall,
  configFile,
  configOption,
  profileGiven,
} from "./command.ts";

const options = {
  ...configOption,
  ...overlapOptions,
  "danger-breaks": {
    type: "boolean",
    help: "Apply it although the plan says that something breaks.",
  },
} as const;

export const cryptoApply = {
  options,
  run: async (call) => {
    const name = profileGiven(call);
    const config = loadConfig(configFile(call));
    const how = { overlapMs: overlapIn(call), clock: systemClock };
    if (!(await isBearable(call, config, profileNamed(config, name), how))) return breaksCode;
    tell(call, await applyProfile(config, name, how));
    return 0;
  },
} as const satisfies Command;

export const cryptoRollback = {
  options,
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const how = { overlapMs: overlapIn(call), clock: systemClock };
    if (!(await isBearable(call, config, previousProfile(config), how))) return breaksCode;
    tell(call, await rollBack(config, how));
    return 0;
  },
} as const satisfies Command;

/** Shows the plan first. @returns whether nothing breaks, or that was said to be all right */
async function isBearable(
  call: CommandCall,
  config: Config,
  to: Profile,
  how: Parameters<typeof planFor>[2],
): Promise<boolean> {
  const { plan, isComplete } = await planFor(config, to, how);
  for (const line of planText(plan, { isVerbose: false, isComplete })) call.out(line);
  if (!doesBreak(plan) || call.flag("danger-breaks")) return true;
  call.out("Nothing was applied. Put right what breaks, or say --danger-breaks.");
  return false;
}

function tell(call: CommandCall, { before, after, outgoingUntilUnixMs }: AppliedProfile): void {
  const until = new Date(outgoingUntilUnixMs).toISOString();
  call.out(`applied ${after}; what only ${before} had is taken until ${until}`);
  call.out(
    `Sidecars follow with their next call, idle ones within half an hour. Write "profile: ${after}" into the config, so that it says what is in force; "latticegate crypto roll-back" goes back.`,
  );
}
