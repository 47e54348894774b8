/** `latticegate crypto apply | rollback`: another profile, while the gateway runs. */
import { loadConfig } from "../app/config.ts";
import { type AppliedProfile, applyProfile, rollBack } from "../app/profile-operations.ts";
import { systemClock } from "../host/system.ts";
import { overlapMs as defaultOverlapMs } from "../identity/authority.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";

/** The options that say how long what only the old profile has is taken. */
export const overlapOptions = {
  overlap: {
    type: "string",
    value: "DURATION",
    help: "How long what only the old profile has is still taken; 2h by default, in which everybody renews by themselves.",
  },
  "danger-now": {
    type: "boolean",
    help: "No overlap: links and identities that the new profile doesn't have end at once, with the calls on them.",
  },
} as const;

export const cryptoApply = {
  name: "crypto apply",
  arguments: "PROFILE",
  summary: "Put another profile in force; new links have it at once, old ones finish by a deadline.",
  options: { ...configOption, ...overlapOptions },
  run: async (call) => {
    const [name, ...more] = call.positionals;
    if (name === undefined || more.length > 0) {
      throw new Refusal("bad_config", 'Name one profile; "latticegate crypto profiles" lists them.');
    }
    const how = { overlapMs: overlapIn(call), clock: systemClock };
    tell(call, await applyProfile(loadConfig(configFile(call)), name, how));
    return 0;
  },
} as const satisfies Command;

export const cryptoRollback = {
  name: "crypto rollback",
  arguments: "",
  summary: "Put the profile of before the last change in force again.",
  options: { ...configOption, ...overlapOptions },
  run: async (call) => {
    const how = { overlapMs: overlapIn(call), clock: systemClock };
    tell(call, await rollBack(loadConfig(configFile(call)), how));
    return 0;
  },
} as const satisfies Command;

function tell(call: CommandCall, { before, after, outgoingUntilUnixMs }: AppliedProfile): void {
  const until = new Date(outgoingUntilUnixMs).toISOString();
  call.out(`applied ${after}; what only ${before} had is taken until ${until}`);
  call.out(
    `Sidecars follow with their next call, idle ones within the hour. Write "profile: ${after}" into the config, so that it says what is in force; "latticegate crypto rollback" goes back.`,
  );
}

/** @throws Refusal `bad_config` */
export function overlapIn(call: CommandCall): number {
  const text = call.text("overlap");
  const isNow = call.flag("danger-now");
  if (isNow && text !== undefined)
    throw new Refusal("bad_config", "Take --overlap or --danger-now, not both.");
  if (isNow) return 0;
  const overlap = text === undefined ? defaultOverlapMs : parseDurationMs(text);
  if (overlap !== undefined && overlap >= 1000) return overlap;
  throw new Refusal("bad_config", `Expected a duration of a second or more such as "10m", found "${text}".`);
}
