/** `--replay RANGE`: of which time recorded entries are looked at again. */
import { Refusal } from "../kernel/refusal.ts";
import type { CommandCall, Option } from "./command.ts";
import { type Times, timesBetween } from "./time-option.ts";

export const replayOption = {
  type: "string",
  value: "RANGE",
  help: "Since then, e.g. 7d or 2026-11-01; or between two moments, 2026-11-01..2026-11-07. 7d by default.",
} as const satisfies Option;

/** @throws Refusal `bad_config` */
export function replayRange(call: Pick<CommandCall, "text">, nowUnixMs: number): Times {
  const [since, until, ...more] = (call.text("replay") ?? "7d").split("..");
  if (more.length > 0)
    throw new Refusal("bad_config", "--replay takes one moment, or two with .. between them.");
  return timesBetween(since, until, nowUnixMs, "replay");
}
