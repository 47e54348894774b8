/** The question that a call puts to the rules of now: one that is described, or one that the audit log has. */
import type { Entry } from "../../audit/entry.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { LinkHook } from "../../policy/facts.ts";
import {
  decideLink,
  type ExplainedLinkRule,
  explainLink,
  type LinkRules,
  type LinkVerdict,
} from "../../policy/link-rules.ts";
import type { Rule } from "../../policy/rules.ts";
import { type Explanation, explainDecision } from "../../policy/explain.ts";
import { describedCall, questionOf, type TrialWorld } from "../../policy/trial/described-call.ts";
import { recordedQuestionOf } from "./recorded-question.ts";
import { describedLink, linkQuestionOf } from "../../policy/trial/described-link.ts";
import { issueInWords } from "../../policy/trial/link-cases.ts";

/** @throws Refusal `bad_config` for a call that can't be */
export function explainDescribed(
  given: Readonly<Record<string, unknown>>,
  world: TrialWorld,
  rules: readonly Rule[],
): Explanation {
  return explainDecision(questionOf(described(given), world, rules), rules);
}

export interface LinkExplanation {
  readonly rules: readonly ExplainedLinkRule[];
  readonly decision: LinkVerdict;
}

/** @throws Refusal `bad_config` for what is no connection and no link */
export function explainLinkDescribed(
  given: Readonly<Record<string, unknown>> & { readonly on: LinkHook },
  world: TrialWorld,
  rules: LinkRules,
): LinkExplanation {
  const read = describedLink.safeParse(given);
  if (!read.success) {
    const why = read.error.issues.map(issueInWords).join("; ");
    throw new Refusal("bad_config", `That is no ${given.on}: ${why}.`, { cause: read.error });
  }
  const question = linkQuestionOf(read.data, world);
  const own = rules[given.on];
  return { rules: explainLink(question, own), decision: decideLink(question, own) };
}

/** What an entry doesn't say, is unknown. @throws Refusal `bad_state` for what is no call */
export function explainEntry(entry: Entry, world: TrialWorld, rules: readonly Rule[]): Explanation {
  const { question, isKnown } = recordedQuestionOf(entry, world, rules);
  return explainDecision(question, rules, isKnown);
}

/** A call as it is told, with what isn't said as usual. @throws Refusal `bad_config` for one that can't be */
export function described(given: Readonly<Record<string, unknown>>): ReturnType<typeof describedCall.parse> {
  const read = describedCall.safeParse(given);
  if (read.success) return read.data;
  const why = read.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
  throw new Refusal("bad_config", `That is no call: ${why.join("; ")}.`, { cause: read.error });
}
