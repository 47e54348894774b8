/** The plan of a change as things stand now: what commands show before anything is applied. */
import type { Profile } from "../../crypto/suites/profiles.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { cryptoFacts } from "./crypto-facts.ts";
import { type Plan, planChange } from "./plan.ts";

/**
 * @param how for how long what only the profile in force has is still taken
 * @returns the plan, and whether a running gateway was asked
 * @throws Refusal `bad_state` before the first start
 */
export async function planFor(
  config: Config,
  to: Profile,
  { overlapMs, clock }: { readonly overlapMs: number; readonly clock: Clock },
): Promise<{ readonly plan: Plan; readonly isComplete: boolean }> {
  const facts = await cryptoFacts(config, clock);
  const plan = planChange(facts, facts.inForce.profile, to, overlapMs);
  return { plan, isComplete: facts.gateway.kind === "answered" };
}
