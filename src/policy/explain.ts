/** Why a call is decided as it is: rule by rule, what matches and what its condition read. The judge decides, this tells. */
import type { Outcome } from "../expr/condition.ts";
import type { Explained } from "../expr/explain.ts";
import { decide, type Denial, type Permit, type Question } from "./decide.ts";
import type { Rule } from "./rules.ts";
import type { Effect } from "./rule-schema.ts";

export interface Explanation {
  /** Absent where what it depends on isn't known. */
  readonly decision?: Permit | Denial;
  /** Rules about what was asked for, those that count first. */
  readonly rules: readonly ExplainedRule[];
  /** Rules about other things. */
  readonly others: number;
}

/** One rule, for one of the parties of the call. */
export interface ExplainedRule {
  readonly rule: string;
  readonly effect: Effect;
  readonly isShadow: boolean;
  readonly because: string;
  /** Of a call on behalf of others, whom it was asked about. */
  readonly party: string;
  readonly counts: "yes" | "no" | "unknown";
  /** What keeps it from counting, or makes it count; in words. */
  readonly why: readonly string[];
  readonly condition?: {
    readonly text: string;
    readonly verdict: "true" | "false" | "unknown" | "error";
    /** Each fact it reads. */
    readonly values: readonly Explained[];
  };
}

/** What is known of the facts, where it isn't everything: by path, such as `link.pq`. */
export type IsKnown = (path: string) => boolean;

/** With `isKnown`, nothing is decided: what is unknown might change it. */
export function explainDecision(question: Question, rules: readonly Rule[], isKnown?: IsKnown): Explanation {
  const about = rules.filter((rule) => isAbout(rule, question));
  const parties = [...question.caller.chain, question.caller.id];
  const explained = about.flatMap((rule) =>
    parties.map((party, at) => explainRule({ rule, party, at, question, isKnown })),
  );
  return {
    ...(isKnown === undefined && { decision: decide(question, rules) }),
    rules: explained.toSorted((a, b) => order[a.counts] - order[b.counts]),
    others: rules.length - about.length,
  };
}

const order = { yes: 0, unknown: 1, no: 2 } as const;

function isAbout(rule: Rule, question: Question): boolean {
  const { server, target } = question;
  if (isAboutMethod(rule, question)) return true;
  return target === undefined ? rule.namesServer(server) : rule.matches[target.kind](server, target.name);
}

/** Its condition then sees the params of the message. */
function isAboutMethod(rule: Rule, { server, side }: Question): boolean {
  return side !== undefined && rule.matchesMethod?.(server, side.method) === true;
}

interface Explaining {
  readonly rule: Rule;
  readonly party: string;
  /** Of the chain and the caller, which. */
  readonly at: number;
  readonly question: Question;
  readonly isKnown: IsKnown | undefined;
}

function explainRule(explaining: Explaining): ExplainedRule {
  const { rule, party } = explaining;
  const against = mismatches(explaining);
  const condition = conditionOf(explaining);
  const isCounting = against.length === 0 && condition?.verdict !== "false";
  const isErred = condition?.verdict === "error";
  const isUnknown = isCounting && condition?.verdict === "unknown";
  const counts = isUnknown ? "unknown" : isCounting && !(isErred && rule.effect === "allow") ? "yes" : "no";
  return {
    rule: rule.name,
    effect: rule.effect,
    isShadow: rule.isShadow,
    because: rule.because,
    party,
    counts,
    why: [...against, ...(condition === undefined ? [] : [condition.says])],
    ...(condition && {
      condition: { text: condition.text, verdict: condition.verdict, values: condition.values },
    }),
  };
}

/** What of the rule, but its condition, isn't about this call. */
function mismatches({ rule, party, at, question: { caller, link } }: Explaining): readonly string[] {
  const before = caller.chain.slice(0, at);
  const isFor = rule.effect === "allow" ? before.slice(0, 1) : before;
  return [
    ...(rule.matchesCaller(party) ? [] : [`it isn't about ${party}`]),
    ...(rule.matchesLink?.(link) === false
      ? [
          `it isn't about links of ${link.group} (level ${link.level}, ${link.certificate ?? "no certificate"})`,
        ]
      : []),
    ...(rule.neverDelegated && caller.chain.length > 0 ? ["it allows nothing on behalf of others"] : []),
    ...(rule.matchesOnBehalfOf === undefined || isFor.some(rule.matchesOnBehalfOf)
      ? []
      : [
          before.length === 0
            ? "it is about calls on behalf of others"
            : "it is about others on whose behalf",
        ]),
  ];
}

function conditionOf({
  rule,
  party,
  question,
  isKnown,
}: Explaining): (NonNullable<ExplainedRule["condition"]> & { readonly says: string }) | undefined {
  const { when } = rule;
  if (when === undefined) return undefined;
  const facing = isAboutMethod(rule, question) ? question.side?.facts : question.facts;
  const facts = facing?.of(party) ?? {};
  const unknown = when.reads.filter((path) => isKnown?.(path) === false);
  const missing = new Set([
    ...unknown.map((path) => /^\w+/.exec(path)?.[0] ?? path),
    ...(facing?.missing ?? []),
  ]);
  const outcome = when.evaluate(facts, facing === undefined ? new Set(when.variables) : missing);
  const values = when
    .explain(facts)
    .map((each) => (unknown.includes(each.path) ? { ...each, value: "not recorded" } : each));
  const isAllow = rule.effect === "allow";
  return { text: when.text, verdict: outcome.kind, values, says: outcomeInWords(outcome, unknown, isAllow) };
}

function outcomeInWords(outcome: Outcome, unknown: readonly string[], isAllow: boolean): string {
  if (outcome.kind === "error")
    return `its condition can't be told, so it ${isAllow ? "allows nothing" : "counts"}: ${outcome.why}`;
  if (outcome.kind !== "unknown") return `its condition is ${outcome.kind}`;
  const missing = unknown.length > 0 ? unknown : outcome.missing;
  return `whether its condition is true can't be known: ${missing.join(", ")} isn't recorded`;
}
