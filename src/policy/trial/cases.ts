/** Cases kept beside rules: calls, and what is expected of them. The judge is the one that calls meet. */
import { z } from "zod";

import { decide, type Denial, type Permit } from "../decide.ts";
import { compileLinkRules, type LinkRules } from "../link-rules.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { redactedJson } from "../redaction.ts";
import { type Verdict, verdictOf } from "../verdict.ts";
import { compileRules, type PolicyDocument, type Rule } from "../rules.ts";
import { callMembers, type DescribedCall, questionOf, type TrialWorld } from "./described-call.ts";
import { hookOf, issueInWords, namesDiffer, runLinkCase } from "./link-cases.ts";

const verdicts = [
  "allow",
  "deny",
  "cut",
  "hold",
  "read_only",
  "step_up",
] as const satisfies readonly Verdict[];

const caseSchema = z.strictObject({
  on: z.literal("call").optional().describe("Or `connection`, `link`: link-cases.ts."),
  name: z.string().min(1).max(300),
  ...callMembers,
  expect: z.enum(verdicts).describe("What becomes of the call; `allow` with redactions too."),
  rule: z
    .string()
    .nullable()
    .optional()
    .describe("The rule that decided; null where no rule allows. Not looked at if left out."),
  redactions: z.array(z.string()).optional().describe("The rules that take something out, in any order."),
  args_after: z.record(z.string(), z.unknown()).optional().describe("The arguments as the server gets them."),
  shadows: z.array(z.string()).optional().describe("The watched rules that matched, in any order."),
});

type Case = z.output<typeof caseSchema>;

/** The cases of a file, as written. */
export interface Cases {
  /** What every case says that doesn't say otherwise. */
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly cases: readonly Readonly<Record<string, unknown>>[];
}

/** What is wrong with a case that can't be run. */
export interface BadCase {
  readonly kind: "bad-case";
  readonly name: string;
  readonly why: readonly string[];
}

export interface CaseResult {
  readonly kind: "result";
  readonly name: string;
  readonly passed: boolean;
  /** What became of the call, in words. */
  readonly got: string;
  /** Where that isn't what was expected. */
  readonly differs: readonly string[];
}

/** What is tried: the rules about calls, and those about connections and links. */
export interface TriedRules {
  readonly calls: readonly Rule[];
  readonly links: LinkRules;
}

/** @throws Refusal `bad_config` for conditions that are none, and two rules of one name */
export function triedRules(documents: readonly PolicyDocument[]): TriedRules {
  return { calls: compileRules(documents), links: compileLinkRules(documents) };
}

/** Each case in turn. */
export function runCases(
  { cases, defaults }: Cases,
  world: TrialWorld,
  { calls, links }: TriedRules,
): readonly (CaseResult | BadCase)[] {
  return cases.map((given, at) => {
    const name = typeof given["name"] === "string" ? given["name"] : `case ${at + 1}`;
    const hook = hookOf(given);
    if (hook !== undefined) return { name, ...runLinkCase({ given, defaults, hook }, world, links) };
    const read = caseSchema.safeParse({ ...defaults, ...given });
    if (read.success) return resultOf(read.data, world, calls);
    return { kind: "bad-case", name, why: read.error.issues.map(issueInWords) };
  });
}

function resultOf(each: Case, world: TrialWorld, rules: readonly Rule[]): CaseResult {
  const decision = decide(questionOf(each, world, rules), rules);
  const differs = differences(each, decision);
  return { kind: "result", name: each.name, passed: differs.length === 0, got: inWords(decision), differs };
}

/** The verdict, by which rule and, of a condition that couldn't be told, why. */
export function inWords(decision: Permit | Denial): string {
  const verdict = verdictOf(decision);
  if (decision.kind === "permit") {
    const taken = decision.redactions.map(({ rule }) => rule);
    return `${verdict} by ${decision.rule}${taken.length === 0 ? "" : `, redacted by ${taken.join(", ")}`}`;
  }
  const by = decision.rule === null ? "no rule allows it" : `by ${decision.rule}`;
  return `${verdict}: ${by}${decision.erred === undefined ? "" : ` (it couldn't be told: ${decision.erred})`}`;
}

function differences(each: Case, decision: Permit | Denial): readonly string[] {
  const got = verdictOf(decision);
  const shadows = decision.shadows.map(({ rule }) => rule);
  const redactions = decision.kind === "permit" ? decision.redactions.map(({ rule }) => rule) : [];
  return [
    ...(got === each.expect ? [] : [`expected ${each.expect}, got ${inWords(decision)}`]),
    ...(each.rule === undefined || rulesOf(decision).includes(each.rule)
      ? []
      : [`expected the rule ${each.rule ?? "none"}, got ${rulesOf(decision).join(", ")}`]),
    ...namesDiffer("redactions by", each.redactions, redactions),
    ...namesDiffer("watched rules", each.shadows, shadows),
    ...argumentsDiffer(each, decision),
  ];
}

/** Of a call that waits, all that hold it. */
function rulesOf(decision: Permit | Denial): readonly (string | null)[] {
  if (decision.kind === "denial" && decision.held !== undefined) return decision.held.map(({ rule }) => rule);
  return [decision.rule];
}

function argumentsDiffer(
  { args, args_after: after }: DescribedCall & Pick<Case, "args_after">,
  decision: Permit | Denial,
): readonly string[] {
  if (after === undefined || decision.kind === "denial") return [];
  const takings = decision.redactions.map((each) => ({
    pointers: each.arguments,
    replaceBy: each.replaceBy,
  }));
  const value: unknown = JSON.parse(fromUtf8(redactedJson(utf8(JSON.stringify(args)), takings)) ?? "null");
  return inOrder(value) === inOrder(after)
    ? []
    : [`expected the arguments ${JSON.stringify(after)}, got ${JSON.stringify(value)}`];
}

/** JSON with its members in order. */
function inOrder(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
