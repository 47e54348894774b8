/** `*.policy-test.yaml`: cases kept beside rules (docs/formats/policy-test.md). */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";

import { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import { readRules } from "../../policy/check/check-rules.ts";
import { compileLinkRules } from "../../policy/link-rules.ts";
import { compileRules } from "../../policy/rules.ts";
import {
  type BadCase,
  type CaseResult,
  type Cases,
  runCases,
  type TriedRules,
} from "../../policy/trial/cases.ts";
import { readRuleFile, readYaml, withoutAliases } from "./rule-file.ts";
import { trialWorldOf, type WorldDocument, worldMembers } from "./world-file.ts";

const ending = ".policy-test.yaml";

const caseFileSchema = z.strictObject({
  rules: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(100)])
    .optional()
    .describe("The file, or files, of the rules; by default the one beside it of the same name."),
  ...worldMembers,
  defaults: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("What every case says that doesn't say otherwise."),
  cases: z.array(z.record(z.string(), z.unknown())).min(1).max(10_000),
});

export interface CaseFile extends Cases {
  readonly file: string;
  readonly world: WorldDocument;
  /** Absolute paths. */
  readonly rules: readonly string[];
}

/** @throws Refusal `bad_config` */
export function readCaseFile(file: string): CaseFile {
  const { document } = readYaml(file);
  const read = caseFileSchema.safeParse(withoutAliases(file, (options) => document.toJS(options) as unknown));
  if (!read.success) {
    const places = read.error.issues.map(
      ({ path: at, message }) => `  ${at.map(String).join(".") || "(top)"}: ${message}`,
    );
    throw new Refusal("bad_config", `${file} isn't right:\n${places.join("\n")}`, { cause: read.error });
  }
  const { rules = path.basename(file).replace(ending, ".yaml"), cases, defaults, ...world } = read.data;
  const folder = path.dirname(file);
  return {
    file,
    world,
    cases,
    defaults,
    rules: (typeof rules === "string" ? [rules] : rules).map((each) => path.resolve(folder, each)),
  };
}

/** Each case, judged by the rules the file names. @throws Refusal `bad_config` for rules that don't load */
export function runCaseFile(file: string): readonly (CaseResult | BadCase)[] {
  const cases = readCaseFile(file);
  const tried = cases.rules.map(loadPolicies);
  const [calls, connection, link] = [
    tried.flatMap((each) => each.calls),
    tried.flatMap(({ links }) => links.connection),
    tried.flatMap(({ links }) => links.link),
  ];
  return runCases(cases, trialWorldOf(cases.world), { calls, links: { connection, link } });
}

/** The rules of a file about calls, and those about connections and links. @throws Refusal `bad_config` */
export function loadPolicies(file: string): TriedRules {
  const { documents, findings } = readRules(readRuleFile(file).rules);
  const [first] = findings;
  if (first !== undefined) {
    throw new Refusal("bad_config", `${file}: policy "${first.rule}": ${first.wrong} ${first.mend}`);
  }
  const policies = documents.map(({ document }) => document);
  return { calls: compileRules(policies), links: compileLinkRules(policies) };
}

/** The files of cases in these folders, by name. */
export function caseFilesIn(folders: readonly string[]): readonly string[] {
  const found = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(ending))
        .map((name) => path.join(folder, name)),
    );
  return [...new Set(found)].toSorted();
}
