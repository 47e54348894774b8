/** The rules that a bundle brings: whole and right here, with every case that came with them passed, or none of them. */
import { setImmediate as otherWork } from "node:timers/promises";

import type { PolicyBundle } from "../../integrity/policy-bundle.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readRules } from "../../policy/check/check-rules.ts";
import type { PolicyDocument } from "../../policy/rules.ts";
import { type BadCase, type CaseResult, runCases, triedRules } from "../../policy/trial/cases.ts";
import { casesIn } from "./case-file.ts";
import { type NamesOfConfig, refuseWrongRules } from "./refuse-wrong-rules.ts";
import { trialWorldOf } from "./world-file.ts";

/** More than any library of rules has. */
const maxCases = 10_000;
/** A few milliseconds with a thousand rules; calls go on in between. */
const casesAtOnce = 10;

/** @throws Refusal `bad_config` that says what keeps them from being in force */
export function bundleRules(
  bundle: Pick<PolicyBundle, "policies">,
  config: NamesOfConfig,
): readonly PolicyDocument[] {
  const documents = readBundleRules(bundle);
  refuseWrongRules(documents, config);
  triedRules(documents); // Conditions that don't compile.
  return documents;
}

/** @throws Refusal `bad_config` for what is no rule */
export function readBundleRules({ policies }: Pick<PolicyBundle, "policies">): readonly PolicyDocument[] {
  const { documents, findings } = readRules(policies);
  const [first] = findings;
  if (first === undefined) return documents.map(({ document }) => document);
  throw new Refusal("bad_config", `The bundle's policy "${first.rule}": ${first.wrong} ${first.mend}`);
}

/** Each case, judged by these rules. Rejects with a Refusal `bad_config` for cases that aren't any, or too many. */
export async function runBundleCases(
  { cases }: Pick<PolicyBundle, "cases">,
  rules: readonly PolicyDocument[],
): Promise<readonly (CaseResult | BadCase)[]> {
  const read = cases.map((each, at) => casesIn(each, `The bundle's file of cases ${at + 1}`));
  if (read.reduce((sum, each) => sum + each.cases.length, 0) > maxCases) {
    throw new Refusal("bad_config", `The bundle has more than ${maxCases} cases.`);
  }
  const tried = triedRules(rules);
  const results: (CaseResult | BadCase)[] = [];
  for (const { cases: all, defaults, world } of read) {
    const trialWorld = trialWorldOf(world);
    for (let at = 0; at < all.length; at += casesAtOnce) {
      results.push(...runCases({ defaults, cases: all.slice(at, at + casesAtOnce) }, trialWorld, tried));
      await otherWork();
    }
  }
  return results;
}

/** What is wrong with a case, in a sentence; undefined if it passed. */
export function whyNotPassed(each: CaseResult | BadCase): string | undefined {
  if (each.kind === "bad-case") return `The case "${each.name}" is none: ${each.why.join("; ")}.`;
  return each.passed ? undefined : `The case "${each.name}" doesn't pass: ${each.differs.join("; ")}.`;
}
