/** `latticegate/policy`: what the gateway would decide, without one; no IO of its own. */
export type { Caller } from "../model/caller.ts";
export { decide, type Denial, type Permit, type Question } from "../policy/decide.ts";
export {
  compileLinkRules,
  decideLink,
  type LinkQuestion,
  type LinkRules,
  type LinkVerdict,
} from "../policy/link-rules.ts";
export { compileRules, type PolicyDocument, policySchema, type Rule } from "../policy/rules.ts";
export { type RuleDocument, ruleSchema } from "../policy/rules.ts";
