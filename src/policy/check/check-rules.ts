/**
 * Everything that can be told of rules before a call comes: slips, contradictions, and what they leave open. What is
 * said to be so, is so: where it can't be told, nothing is said.
 */
import { type RuleDocument, ruleSchema } from "../rules.ts";
import { checkApprovers } from "./check-approvers.ts";
import { checkArguments } from "./check-arguments.ts";
import { checkCondition } from "./check-condition.ts";
import { checkLinks, checkReadOnly } from "./check-demands.ts";
import { checkReach } from "./check-reach.ts";
import { checkSet } from "./check-set.ts";
import { checkCallers, checkTargets } from "./check-targets.ts";
import { type CheckedRule, checkedRule } from "./checked-rule.ts";
import { type Finding, findingOf, type Remark } from "./finding.ts";
import type { Known } from "./known.ts";

export type { Finding, FindingKind } from "./finding.ts";
export type { Known, KnownTool } from "./known.ts";

/** One row for each thing that is asked of a single rule. */
const checks: readonly ((checked: CheckedRule, known: Known) => readonly Remark[])[] = [
  checkCallers,
  checkApprovers,
  checkTargets,
  checkLinks,
  checkCondition,
  checkArguments,
  checkReadOnly,
];

/** Rule by rule in their order, then what is about all of them. */
export function checkRules(documents: readonly RuleDocument[], known: Known): readonly Finding[] {
  const rules = documents.map(checkedRule);
  const found = [...checkEach(rules, known), ...checkSet(rules), ...checkReach(rules, known)];
  const order = (finding: Finding): number => finding.index ?? documents.length;
  return found.toSorted((a, b) => order(a) - order(b));
}

/** The errors alone: none of them needs a rule to be compared with all others. */
export function errorsOf(documents: readonly RuleDocument[], known: Known): readonly Finding[] {
  return checkEach(documents.map(checkedRule), known).filter(({ severity }) => severity === "error");
}

function checkEach(rules: readonly CheckedRule[], known: Known): readonly Finding[] {
  const own = rules.flatMap((checked, index) =>
    checks.flatMap((check) =>
      check(checked, known).map((remark) => findingOf(remark, { rule: checked.document.name, index })),
    ),
  );
  return [...twoOfOneName(rules.map(({ document }) => document)), ...own];
}

/** The rules of a list as it was written, and what of it is none. Those that are, keep their place in the list. */
export function readRules(list: readonly unknown[]): {
  readonly documents: readonly { readonly index: number; readonly document: RuleDocument }[];
  readonly findings: readonly Finding[];
} {
  const read = list.map((value, index) => ({ index, value, result: ruleSchema.safeParse(value) }));
  return {
    documents: read.flatMap(({ index, result }) =>
      result.success ? [{ index, document: result.data }] : [],
    ),
    findings: read.flatMap(({ index, value, result }) => {
      if (result.success) return [];
      const name =
        typeof value === "object" && value !== null && "name" in value ? String(value.name) : `${index + 1}`;
      return result.error.issues.map((issue) =>
        findingOf(
          {
            kind: "bad-rule",
            at: issue.path.map((step) => (typeof step === "number" ? step : String(step))),
            wrong: `${issue.path.length === 0 ? "" : `\`${issue.path.join(".")}\`: `}${issue.message}.`,
            mend: "docs/formats/policy.md has what a rule can say.",
          },
          { rule: name, index },
        ),
      );
    }),
  };
}

function twoOfOneName(documents: readonly RuleDocument[]): readonly Finding[] {
  const seen = new Set<string>();
  return documents.flatMap(({ name }, index) => {
    const isNew = !seen.has(name);
    seen.add(name);
    if (isNew) return [];
    return [
      findingOf(
        {
          kind: "duplicate-name",
          at: ["name"],
          wrong: `Two rules are named "${name}"; nobody could tell which of them decided.`,
          mend: "Give one of them another name.",
        },
        { rule: name, index },
      ),
    ];
  });
}
