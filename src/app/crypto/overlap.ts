/** How long what only the old profile has is still taken after a change: bounds for commands and the control API alike. */
import { overlapMs as defaultOverlapMs } from "../../identity/authority.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { parseDurationMs } from "../../kernel/units.ts";

/** Whoever was away that long has to join again anyway. */
const longestMs = 30 * 24 * 3_600_000;

/** @param text such as `10m`; undefined: as long as everybody needs to renew @throws Refusal `bad_config` */
export function overlapOf(text: string | undefined): number {
  const overlap = text === undefined ? defaultOverlapMs : parseDurationMs(text);
  if (overlap !== undefined && overlap >= 1000 && overlap <= longestMs) return overlap;
  throw new Refusal(
    "bad_config",
    `Expected a duration between a second and thirty days such as "10m", found "${text}".`,
  );
}
