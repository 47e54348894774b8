/** Rules made ready to judge: their patterns to match, their conditions compiled. */
import type { Condition } from "../expr/condition.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { LinkPosture } from "../model/channel.ts";
import { compileRuleCondition } from "./rule-condition.ts";
import { linkMatcher } from "./link-conditions.ts";
import { type Matcher, matcher, serverPattern, targetMatcher } from "./patterns.ts";
import { readPointer, type Redaction } from "./redaction.ts";
import { type Effect, isCallRule, type PolicyDocument, type RuleDocument } from "./rule-schema.ts";
import { type SignatureDemand, signatureDemandOf } from "./signature-demand.ts";

export { type Effect, effects, type PolicyDocument, policySchema } from "./rule-schema.ts";
export { isCallRule, type RuleDocument, ruleSchema } from "./rule-schema.ts";

/** What a rule speaks of; the kinds of thing a caller can name in a call. */
export type TargetKind = (typeof targetKindNames)[number];
export const targetKindNames = ["tools", "resources", "prompts"] as const;

/** Who has to approve a call that is held. */
export interface ApprovalTerms {
  readonly approvers: number;
  /** Who may; anybody with an operator's login where that isn't said. */
  readonly mayApprove?: Matcher;
  readonly from?: readonly string[];
  readonly expiresMs: number;
}

/** What a call must bring. */
interface StepUp {
  readonly signature?: SignatureDemand;
  readonly link?: (link: LinkPosture) => boolean;
}

export interface Rule {
  readonly name: string;
  readonly effect: Effect;
  readonly because: string;
  /** What it would do is recorded and not done. */
  readonly isShadow: boolean;
  readonly matchesCaller: Matcher;
  /** On behalf of whom a call must be for the rule to count; absent where that doesn't matter. */
  readonly matchesOnBehalfOf?: Matcher;
  /** Whether a link is one the rule counts for; absent where that doesn't matter. */
  readonly matchesLink?: (link: LinkPosture) => boolean;
  /** How what it allows must be signed, call and answer; absent where that doesn't matter. */
  readonly signature?: SignatureDemand;
  /** It allows nothing in a call on behalf of others. */
  readonly neverDelegated: boolean;
  readonly matches: Readonly<Record<TargetKind, (server: string, name: string) => boolean>>;
  /** Of those that name methods beside calls. */
  readonly matchesMethod?: (server: string, method: string) => boolean;
  /** Whether anything of that server is named by the rule. */
  readonly namesServer: Matcher;
  /** Whether everything of that server is: its tools, its resources and its prompts. */
  readonly namesAllOfServer: Matcher;
  /** Absent where it holds for all it matches. */
  readonly when?: Condition;
  /** Of `hold`. */
  readonly approval?: ApprovalTerms;
  /** Of `redact`. */
  readonly redaction?: Redaction;
  /** Of `step_up`. */
  readonly stepUp?: StepUp;
}

/**
 * Those about calls; `compileLinkRules` has the others.
 * @throws Refusal `bad_config` for a condition that is none, with where and why, and for two rules of one name
 */
export function compileRules(documents: readonly PolicyDocument[]): readonly Rule[] {
  const seen = new Set<string>();
  for (const { name } of documents) {
    if (seen.has(name)) {
      throw new Refusal("bad_config", `Two policies are named "${name}"; names are unique.`);
    }
    seen.add(name);
  }
  return documents.filter(isCallRule).map(compileRule);
}

function compileRule(document: RuleDocument): Rule {
  const { name, effect, because, approval, redact, step_up: stepUp } = document;
  const lists = [document.tools ?? [], document.resources ?? [], document.prompts ?? []];
  const whole = lists.map((list) => matcher(list.filter(isWholeServer).map(serverPattern)));
  return {
    name,
    effect,
    because,
    isShadow: document.mode === "shadow",
    matchesCaller: matcher(document.callers),
    ...narrowing(document),
    neverDelegated: document.delegated === "never",
    matches: {
      tools: targetMatcher(document.tools ?? []),
      resources: targetMatcher(document.resources ?? []),
      prompts: targetMatcher(document.prompts ?? []),
    },
    namesServer: matcher(lists.flat().map(serverPattern)),
    namesAllOfServer: (server) => whole.every((matches) => matches(server)),
    ...(document.when !== undefined && { when: conditionOf(document) }),
    ...(effect === "hold" && { approval: approvalTerms(approval) }),
    ...(redact && { redaction: redactionOf(redact) }),
    ...(stepUp && { stepUp: stepUpOf(stepUp) }),
  };
}

/** What it has besides what every rule has, to match by. */
function narrowing(
  document: RuleDocument,
): Pick<Rule, "matchesOnBehalfOf" | "matchesLink" | "matchesMethod" | "signature"> {
  const { on_behalf_of: others, link, methods, signature } = document;
  return {
    ...(others && { matchesOnBehalfOf: matcher(others) }),
    ...(link && { matchesLink: linkMatcher(link) }),
    ...(methods && { matchesMethod: targetMatcher(methods) }),
    ...(signature && { signature: signatureDemandOf(signature) }),
  };
}

/** @throws Refusal `bad_config` that says what is wrong with it, and where */
function conditionOf({ name, effect, when = "" }: RuleDocument): Condition {
  const condition = compileRuleCondition(name, when);
  // What a client says of itself never gives it anything.
  if (effect === "allow" && condition.variables.has("intent")) {
    throw new Refusal(
      "bad_config",
      `The condition of policy "${name}" reads \`intent\`, which its client declares itself; rules that allow don't.`,
    );
  }
  return condition;
}

const oneApprover = { approvers: 1, expires: 15 * 60_000 } as const;

function approvalTerms(approval: RuleDocument["approval"] = oneApprover): ApprovalTerms {
  const { approvers, from, expires: expiresMs } = approval;
  return { approvers, expiresMs, ...(from && { from, mayApprove: matcher(from) }) };
}

function redactionOf(redact: NonNullable<RuleDocument["redact"]>): Redaction {
  return {
    arguments: (redact.arguments ?? []).map(readPointer),
    answer: (redact.answer ?? []).map(readPointer),
    replaceBy: redact.replace_by,
  };
}

function stepUpOf({ signature, link }: NonNullable<RuleDocument["step_up"]>): StepUp {
  return {
    ...(signature && { signature: signatureDemandOf(signature) }),
    ...(link && { link: linkMatcher(link) }),
  };
}

function isWholeServer(target: string): boolean {
  return target === "*" || (target.endsWith("/*") && target.indexOf("/") === target.length - 2);
}
