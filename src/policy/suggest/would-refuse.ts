/**
 * What rules would have made of calls that are kept. Where a rule reads something that isn't kept, nobody can tell, and
 * that is said: `unknown` is never taken for a yes or a no.
 */
import type { Question } from "../decide.ts";
import { judgeRecorded, type RuleVariants, ruleVariants } from "../replay/judge-recorded.ts";
import type { Rule } from "../rules.ts";
import { questionOf, type TrialWorld } from "../trial/described-call.ts";
import { type CallRecord, describedIn, keptPath } from "./call-record.ts";

type Fate = "refused" | "held" | "unknown";

/** Calls of one caller for one thing, which the same rule stops. */
export interface Stopped {
  readonly fate: Fate;
  /** The rule; `default-deny` where none allows; of `unknown`, the first that can't be told. */
  readonly rule: string;
  readonly because: string;
  /** `server/tool`. */
  readonly call: string;
  readonly caller: string;
  readonly calls: number;
  /** Ids of some of them. */
  readonly examples: readonly string[];
}

export interface WouldRefuse {
  readonly calls: number;
  readonly passed: number;
  /** The most calls first. */
  readonly stopped: readonly Stopped[];
}

const maxExamples = 3;

export function wouldRefuse(
  calls: readonly CallRecord[],
  rules: readonly Rule[],
  world: TrialWorld,
): WouldRefuse {
  const rows = new Map<string, Stopped>();
  let passed = 0;
  const variants = ruleVariants(rules);
  for (const record of calls) {
    const stop = stopOf(record, variants, world);
    if (stop === undefined) {
      passed++;
      continue;
    }
    const { call, caller, id } = record;
    const key = JSON.stringify([stop.fate, stop.rule, call, caller]);
    const row = rows.get(key) ?? { ...stop, call, caller, calls: 0, examples: [] };
    const examples = row.examples.length < maxExamples && id !== "" ? [...row.examples, id] : row.examples;
    rows.set(key, { ...row, calls: row.calls + 1, examples });
  }
  return {
    calls: calls.length,
    passed,
    stopped: [...rows.values()].toSorted((a, b) => b.calls - a.calls),
  };
}

type Stop = Pick<Stopped, "fate" | "rule" | "because">;

function stopOf(record: CallRecord, variants: RuleVariants, world: TrialWorld): Stop | undefined {
  const { rules } = variants;
  const question = questionOf(describedIn(record), world, rules);
  const unsigned = rules.find((rule) => isAbout(rule, question) && asksForSignature(rule));
  if (unsigned !== undefined) return untold(unsigned.name);
  const judged = judgeRecorded(question, (path) => keptPath.test(path), variants);
  if (judged.kind === "unknown") return untold(judged.rules[0]?.rule ?? "");
  const { verdict, rule, because } = judged;
  if (verdict === "allow") return undefined;
  return { fate: verdict === "hold" ? "held" : "refused", rule, because };
}

function untold(rule: string): Stop {
  return { fate: "unknown", rule, because: "It reads what isn't kept of calls." };
}

function isAbout(rule: Rule, { caller, server, target }: Question): boolean {
  return (
    !rule.isShadow &&
    target !== undefined &&
    rule.matches[target.kind](server, target.name) &&
    [...caller.chain, caller.id].some(rule.matchesCaller)
  );
}

/** How calls were signed isn't kept. */
function asksForSignature({ signature, stepUp }: Rule): boolean {
  return signature !== undefined || stepUp?.signature !== undefined;
}
