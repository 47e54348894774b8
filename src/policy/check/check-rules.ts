/**
 * Everything that can be told of rules before a call comes: slips, contradictions, and what they leave open. What is
 * said to be so, is so: where it can't be told, nothing is said.
 */
import { isCallRule, type PolicyDocument, policySchema } from "../rules.ts";
import { checkApprovers } from "./check-approvers.ts";
import { checkArguments } from "./check-arguments.ts";
import { checkCondition } from "./check-condition.ts";
import { checkLinks, checkReadOnly } from "./check-demands.ts";
import { checkLinkRule } from "./check-link-rule.ts";
import { checkReach } from "./check-reach.ts";
import { checkSet } from "./check-set.ts";
import { checkCallers, checkMethods, checkTargets } from "./check-targets.ts";
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
  checkMethods,
  checkLinks,
  checkCondition,
  checkArguments,
  checkReadOnly,
];

/** Rule by rule in their order, then what is about all of them. */
export function checkRules(documents: readonly PolicyDocument[], known: Known): readonly Finding[] {
  const { rules, placed } = callRules(documents);
  const together = [...checkSet(rules), ...checkReach(rules, known)].map(placed);
  const found = [...checkEach(documents, known), ...together];
  const order = (finding: Finding): number => finding.index ?? documents.length;
  return found.toSorted((a, b) => order(a) - order(b));
}

/** The errors alone: none of them needs a rule to be compared with all others. */
export function errorsOf(documents: readonly PolicyDocument[], known: Known): readonly Finding[] {
  return checkEach(documents, known).filter(({ severity }) => severity === "error");
}

/** Those about calls, which are compared with each other, and where what is found among them stands in the list. */
function callRules(documents: readonly PolicyDocument[]): {
  readonly rules: readonly CheckedRule[];
  readonly placed: (finding: Finding) => Finding;
} {
  const own = documents.flatMap((document, index) => (isCallRule(document) ? [{ document, index }] : []));
  return {
    rules: own.map(({ document }) => checkedRule(document)),
    placed: (finding) => {
      const index = finding.index === undefined ? undefined : own[finding.index]?.index;
      return { ...finding, ...(index !== undefined && { index }) };
    },
  };
}

function checkEach(documents: readonly PolicyDocument[], known: Known): readonly Finding[] {
  const own = documents.flatMap((document, index) =>
    remarksOn(document, known).map((remark) => findingOf(remark, { rule: document.name, index })),
  );
  return [...twoOfOneName(documents), ...own];
}

function remarksOn(document: PolicyDocument, known: Known): readonly Remark[] {
  if (!isCallRule(document)) return checkLinkRule(document, known);
  const checked = checkedRule(document);
  return checks.flatMap((check) => check(checked, known));
}

/** The rules of a list as it was written, and what of it is none. Those that are, keep their place in the list. */
export function readRules(list: readonly unknown[]): {
  readonly documents: readonly { readonly index: number; readonly document: PolicyDocument }[];
  readonly findings: readonly Finding[];
} {
  const read = list.map((value, index) => ({ index, value, result: policySchema.safeParse(value) }));
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

function twoOfOneName(documents: readonly Pick<PolicyDocument, "name">[]): readonly Finding[] {
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
