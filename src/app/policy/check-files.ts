/** Checks files of rules with what is known where they stand: by a config, or by the cases beside them. */
import { existsSync } from "node:fs";

import { checkRules, type Finding, type Known, readRules } from "../../policy/check/check-rules.ts";
import { readCaseFile } from "./case-file.ts";
import { configWithoutRules, knownOfConfig } from "./known-config.ts";
import { type Place, readRuleFile, type RuleFile } from "./rule-file.ts";
import { knownOf } from "./world-file.ts";

/** A finding and where it stands. */
export interface PlacedFinding extends Finding, Place {
  readonly file: string;
}

export interface CheckedFile {
  readonly file: string;
  readonly rules: number;
  readonly findings: readonly PlacedFinding[];
  /** Servers whose tools aren't known, so that nothing was said of them; undefined where no server is known. */
  readonly withoutTools: readonly string[] | undefined;
}

/** @throws Refusal `bad_config` for a file that can't be read at all */
export function checkFile(file: string, config: string | undefined): CheckedFile {
  return checkRuleFile(readRuleFile(file), knownFor(file, config));
}

/** The same of rules that were read already. */
export function checkRuleFile({ rules, placeOf, file: actual }: RuleFile, known: Known): CheckedFile {
  const read = readRules(rules);
  const checked = checkRules(
    read.documents.map(({ document }) => document),
    known,
  ).map((finding) => {
    const index = finding.index === undefined ? undefined : read.documents[finding.index]?.index;
    return { ...finding, ...(index !== undefined && { index }) };
  });
  const findings = [...read.findings, ...checked]
    .map((finding) => ({ ...finding, file: actual, ...placeOf(finding) }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  return {
    file: actual,
    rules: rules.length,
    findings,
    withoutTools: known.servers?.filter((server) => !known.tools.has(server)),
  };
}

/** The cases that belong to a file of rules. */
export function caseFileOf(file: string): string {
  return file.replace(/(?:\.ya?ml)?$/, ".policy-test.yaml");
}

function knownFor(file: string, config: string | undefined): Known {
  if (config !== undefined) return knownOfConfig(configWithoutRules(config));
  const cases = caseFileOf(file);
  return existsSync(cases) ? knownOf(readCaseFile(cases).world) : { tools: new Map() };
}
