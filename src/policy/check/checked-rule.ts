/** A rule as the checks see it: what it says, ready to match, with its condition if that is one. */
import type { Condition } from "../../expr/condition.ts";
import type { Mistake } from "../../expr/mistake.ts";
import { type Node, parse } from "../../expr/syntax.ts";
import type { LinkHook } from "../facts.ts";
import { ruleCondition } from "../rule-condition.ts";
import { compileRules, type Rule, type RuleDocument } from "../rules.ts";
import type { Known, KnownTool } from "./known.ts";

export interface CheckedRule {
  readonly document: RuleDocument;
  /** Its matchers; without its condition. */
  readonly rule: Rule;
  readonly condition?: { readonly compiled: Condition; readonly node: Node };
  /** What keeps its condition from being one. */
  readonly mistake?: Mistake;
}

/** @param hook of one that stands for a rule about connections or links, whose condition is over what is known then */
export function checkedRule(document: RuleDocument, hook?: LinkHook): CheckedRule {
  const { when, ...unconditional } = document;
  const [rule] = compileRules([unconditional]);
  if (rule === undefined) throw new TypeError("one rule in, one rule out");
  if (when === undefined) return { document, rule };
  const compiled = ruleCondition(when, hook);
  if (compiled.kind === "mistake") return { document, rule, mistake: compiled };
  return { document, rule, condition: { compiled, node: parse(when) } };
}

export interface MatchedTool {
  readonly server: string;
  readonly name: string;
  readonly tool: KnownTool;
}

/** The known tools that its targets name. */
export function matchedTools({ rule }: CheckedRule, { tools }: Known): readonly MatchedTool[] {
  return [...tools].flatMap(([server, named]) =>
    [...named].flatMap(([name, tool]) => (rule.matches.tools(server, name) ? [{ server, name, tool }] : [])),
  );
}

/** Whether it does what it says: it isn't only watched. */
export function isEnforced({ rule }: CheckedRule): boolean {
  return !rule.isShadow;
}
