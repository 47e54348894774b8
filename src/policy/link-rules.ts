/**
 * Rules about connections, before TLS, and about links, once their peer is proven. Who gets in is for admission to say:
 * here nothing has to be allowed, and one rule that denies is enough. A condition that errs counts, as with calls.
 */
import { freshBudget } from "../expr/budget.ts";
import type { Condition, FactValues, Outcome } from "../expr/condition.ts";
import type { Explained } from "../expr/explain.ts";
import type { LinkPosture } from "../model/channel.ts";
import type { LinkHook } from "./facts.ts";
import { linkMatcher } from "./link-conditions.ts";
import { type Matcher, matcher } from "./patterns.ts";
import { compileRuleCondition } from "./rule-condition.ts";
import { isCallRule, type LinkRuleDocument, type PolicyDocument } from "./rule-schema.ts";

export interface LinkRule {
  readonly name: string;
  readonly because: string;
  /** What it would do is recorded and not done. */
  readonly isShadow: boolean;
  /** Of links; of connections nobody knows it. */
  readonly matchesCaller?: Matcher;
  readonly matchesLink?: (link: LinkPosture) => boolean;
  readonly when?: Condition;
}

export type LinkRules = Readonly<Record<LinkHook, readonly LinkRule[]>>;

/** What is asked of them. */
export interface LinkQuestion {
  /** Who has proven to be at the other end, and what was negotiated; both absent before TLS. */
  readonly proven?: { readonly caller: string; readonly posture: LinkPosture };
  readonly facts: FactValues;
}

export interface LinkDenial {
  readonly rule: string;
  readonly because: string;
  /** Why its condition couldn't be told; it counted all the same. */
  readonly erred?: string;
}

export interface LinkVerdict {
  /** Absent where it is let on. */
  readonly denied?: LinkDenial;
  /** What rules that are only watched would have denied. */
  readonly shadows: readonly LinkDenial[];
}

/** @throws Refusal `bad_config` for a condition that is none, with where and why */
export function compileLinkRules(documents: readonly PolicyDocument[]): LinkRules {
  const rules = documents.filter((each): each is LinkRuleDocument => !isCallRule(each));
  const of = (hook: LinkHook): readonly LinkRule[] =>
    rules.filter(({ on }) => on === hook).map(compileLinkRule);
  return { connection: of("connection"), link: of("link") };
}

function compileLinkRule(document: LinkRuleDocument): LinkRule {
  const { name, because, mode, when, on } = document;
  return {
    name,
    because,
    isShadow: mode === "shadow",
    ...(document.on === "link" && { matchesCaller: matcher(document.callers) }),
    ...(document.on === "link" && document.link && { matchesLink: linkMatcher(document.link) }),
    ...(when !== undefined && { when: compileRuleCondition(name, when, on) }),
  };
}

export function decideLink({ proven, facts }: LinkQuestion, rules: readonly LinkRule[]): LinkVerdict {
  // One for all: whoever can make conditions costly makes its own link fail.
  const budget = freshBudget();
  const denials = rules.flatMap((rule) => {
    if (proven !== undefined && !isAbout(rule, proven)) return [];
    const outcome = rule.when?.evaluate(facts, undefined, budget) ?? ({ kind: "true" } as const);
    if (outcome.kind !== "true" && outcome.kind !== "error") return [];
    const { name, because, isShadow } = rule;
    const erred = outcome.kind === "error" && { erred: outcome.why };
    return [{ isShadow, denial: { rule: name, because, ...erred } }];
  });
  // One that is sure of it, if there is one.
  const enforced = denials.flatMap(({ isShadow, denial }) => (isShadow ? [] : [denial]));
  const denied = enforced.find(({ erred }) => erred === undefined) ?? enforced[0];
  const shadows = denials.flatMap(({ isShadow, denial }) => (isShadow ? [denial] : []));
  return { ...(denied && { denied }), shadows };
}

/** One rule, and why it counts or doesn't, in words. */
export interface ExplainedLinkRule {
  readonly rule: string;
  readonly isShadow: boolean;
  readonly because: string;
  readonly counts: "yes" | "no";
  readonly why: string;
  readonly condition?: { readonly text: string; readonly values: readonly Explained[] };
}

/** Rule by rule, those that count first. */
export function explainLink(
  { proven, facts }: LinkQuestion,
  rules: readonly LinkRule[],
): readonly ExplainedLinkRule[] {
  const explained = rules.map((rule): ExplainedLinkRule => {
    const { name, isShadow, because, when } = rule;
    const isOther = proven !== undefined && !isAbout(rule, proven);
    const outcome = when?.evaluate(facts) ?? ({ kind: "true" } as const);
    const counts = !isOther && (outcome.kind === "true" || outcome.kind === "error") ? "yes" : "no";
    return {
      rule: name,
      isShadow,
      because,
      counts,
      why: isOther ? "it is about others, or other links" : outcomeInWords(when, outcome),
      ...(when && { condition: { text: when.text, values: when.explain(facts) } }),
    };
  });
  return explained.toSorted((a, b) => Number(a.counts === "no") - Number(b.counts === "no"));
}

function outcomeInWords(when: Condition | undefined, outcome: Outcome): string {
  if (when === undefined) return "it has no condition";
  return outcome.kind === "error"
    ? `its condition can't be told, so it counts: ${outcome.why}`
    : `its condition is ${outcome.kind}`;
}

/** Whether it is about whoever is at the other end, on a link like that. */
function isAbout(
  { matchesCaller, matchesLink }: LinkRule,
  { caller, posture }: NonNullable<LinkQuestion["proven"]>,
): boolean {
  return matchesCaller?.(caller) !== false && matchesLink?.(posture) !== false;
}
