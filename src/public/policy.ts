/** `latticegate/policy`: what the gateway would decide, without one; no IO of its own. */
export type { Caller } from "../model/caller.ts";
export { decide, type Denial, type Permit, type Question } from "../policy/decide.ts";
export { compileRules, type Rule, type RuleDocument, ruleSchema } from "../policy/rules.ts";
