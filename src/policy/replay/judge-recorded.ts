/**
 * What rules say of a call of which not everything is known. INVARIANT: what is said to be known is what they say
 * whatever the rest was: rules that can't be told are once taken for all that they could stop, once for all that they
 * could let through, and only where both come to the same verdict it is one.
 */
import type { Condition, Outcome } from "../../expr/condition.ts";
import { decide, type Denial, type Permit, type Question } from "../decide.ts";
import { indexOf } from "../rule-index.ts";
import type { Rule } from "../rules.ts";
import { type Verdict, verdictOf } from "../verdict.ts";

/** Paths of facts that are known, such as `link.pq`. */
export type IsKnown = (path: string) => boolean;

export type Judgement =
  | { readonly kind: "known"; readonly verdict: Verdict; readonly rule: string; readonly because: string }
  /** Which rules can't be told, and what they read that isn't known. */
  | { readonly kind: "unknown"; readonly rules: readonly Untold[] };

interface Untold {
  readonly rule: string;
  readonly reads: readonly string[];
}

/** Lists of rules with some of their conditions decided, by which: few differ from call to call. */
export interface RuleVariants {
  readonly rules: readonly Rule[];
  readonly made: Map<string, readonly Rule[]>;
}

export function ruleVariants(rules: readonly Rule[]): RuleVariants {
  return { rules, made: new Map() };
}

export function judgeRecorded(question: Question, isKnown: IsKnown, variants: RuleVariants): Judgement {
  const told = new Map<Rule, Outcome["kind"]>();
  const untold: Untold[] = [];
  for (const rule of aboutOf(question, variants.rules)) {
    const unknown = rule.when?.reads.filter((path) => !isKnown(path)) ?? [];
    if (unknown.length === 0) continue;
    const outcome = outcomeOf(rule, unknown, question);
    told.set(rule, outcome);
    if (outcome === "unknown") untold.push({ rule: rule.name, reads: unknown });
  }
  if (told.size === 0) return judgementOf(decide(question, variants.rules));
  if (untold.length === 0) return judgementOf(decide(question, variant(variants, told, "strict")));
  const strict = decide(question, variant(variants, told, "strict"));
  const lax = decide(question, variant(variants, told, "lax"));
  return verdictOf(strict) === verdictOf(lax) ? judgementOf(lax) : { kind: "unknown", rules: untold };
}

function aboutOf({ caller, server, target }: Question, rules: readonly Rule[]): ReadonlySet<Rule> {
  const index = indexOf(rules);
  return new Set(
    [...caller.chain, caller.id].flatMap((party) =>
      index.about({ party, server, ...(target !== undefined && { target }) }),
    ),
  );
}

/** Of the condition, for all parties alike; unknown where it differs between them. */
function outcomeOf(rule: Rule, unknown: readonly string[], { caller, facts }: Question): Outcome["kind"] {
  const missing = new Set([...(facts?.missing ?? []), ...unknown.map(variableOf)]);
  const kinds = new Set(
    [...caller.chain, caller.id].map(
      (party) => rule.when?.evaluate(facts?.of(party) ?? {}, missing).kind ?? "true",
    ),
  );
  const [kind = "unknown"] = kinds;
  // An error may be one only because something isn't known.
  return kinds.size === 1 && kind !== "error" ? kind : "unknown";
}

function variableOf(path: string): string {
  return /^\w+/.exec(path)?.[0] ?? path;
}

function variant(
  { rules, made }: RuleVariants,
  told: ReadonlyMap<Rule, Outcome["kind"]>,
  side: "strict" | "lax",
): readonly Rule[] {
  const key = `${side}\n${[...told].map(([{ name }, kind]) => `${name}=${kind}`).join("\n")}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const fresh = rules.map((rule) => {
    const kind = told.get(rule);
    if (kind === undefined || rule.when === undefined) return rule;
    const counts = kind === "unknown" ? (rule.effect === "allow") === (side === "lax") : kind === "true";
    return { ...rule, when: decided(rule.when, counts) };
  });
  if (made.size >= maxVariants) made.clear();
  made.set(key, fresh);
  return fresh;
}

const maxVariants = 1000;

function decided(condition: Condition, counts: boolean): Condition {
  const outcome: Outcome = { kind: counts ? "true" : "false" };
  return { ...condition, evaluate: () => outcome };
}

function judgementOf(decision: Permit | Denial): Judgement {
  const because = decision.kind === "permit" ? "" : decision.because;
  return { kind: "known", verdict: verdictOf(decision), rule: decision.rule ?? "default-deny", because };
}
