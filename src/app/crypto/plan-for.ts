/** The plan of a change as things stand now: what commands show before anything is applied. */
import type { Profile } from "../../crypto/suites/profiles.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { cryptoFacts } from "./crypto-facts.ts";
import type { LiveDocument } from "./live-document.ts";
import { type Plan, planChange } from "./plan.ts";

interface Planning {
  readonly overlapMs: number;
  readonly clock: Clock;
  /** What the gateway says of itself, where that is the one who asks. */
  readonly live?: LiveDocument;
}

/**
 * @param how for how long what only the profile in force has is still taken
 * @returns the plan, and whether a running gateway was asked
 * @throws Refusal `bad_state` before the first start
 */
export async function planFor(
  config: Config,
  to: Profile,
  { overlapMs, clock, live }: Planning,
): Promise<{ readonly plan: Plan; readonly isComplete: boolean }> {
  const facts = await cryptoFacts(config, clock, live);
  const plan = planChange(facts, facts.inForce.profile, to, overlapMs);
  return { plan, isComplete: facts.gateway.kind === "answered" };
}
