/** `*.policy-test.yaml`: cases kept beside rules (docs/formats/policy-test.md). */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";

import type { Document } from "yaml";
import { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import { readRules } from "../../policy/check/check-rules.ts";
import type { PolicyDocument } from "../../policy/rules.ts";
import {
  type BadCase,
  type CaseResult,
  type Cases,
  runCases,
  type TriedRules,
  triedRules,
} from "../../policy/trial/cases.ts";
import { readRuleFile, readYaml, type RuleFile, withoutAliases, yamlOf } from "./rule-file.ts";
import { trialWorldOf, type WorldDocument, worldMembers } from "./world-file.ts";

const ending = ".policy-test.yaml";

const caseMembers = {
  ...worldMembers,
  defaults: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("What every case says that doesn't say otherwise."),
  cases: z.array(z.record(z.string(), z.unknown())).min(1).max(10_000),
} as const;

const caseFileSchema = z.strictObject({
  rules: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(100)])
    .optional()
    .describe("The file, or files, of the rules; by default the one beside it of the same name."),
  ...caseMembers,
});

const casesSchema = z.strictObject(caseMembers);

/** Cases, and the world they are tried in. */
export interface CasesInWorld extends Cases {
  readonly world: WorldDocument;
}

export interface CaseFile extends CasesInWorld {
  readonly file: string;
  /** Absolute paths. */
  readonly rules: readonly string[];
}

/** @throws Refusal `bad_config` */
export function readCaseFile(file: string): CaseFile {
  const { rules = path.basename(file).replace(ending, ".yaml"), ...read } = checked(
    caseFileSchema,
    writtenIn(file),
    file,
  );
  const folder = path.dirname(file);
  return {
    file,
    ...inWorld(read),
    rules: (typeof rules === "string" ? [rules] : rules).map((each) => path.resolve(folder, each)),
  };
}

/** Cases as somebody typed them; of the rules they name nothing is read. @throws Refusal `bad_config` */
export function readCaseText(text: string): CasesInWorld {
  const what = "The text of cases";
  const { document } = yamlOf(text, what);
  return inWorld(checked(caseFileSchema.omit({ rules: true }), withoutRules(what, document), what));
}

function withoutRules(what: string, document: Document): unknown {
  const value = withoutAliases(what, (options) => document.toJS(options) as unknown);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { rules: _, ...rest } = value as Readonly<Record<string, unknown>>;
  return rest;
}

/** A file of cases as it was written, without the names of its rules: what goes into a bundle. */
export function writtenCases(file: string): Readonly<Record<string, unknown>> {
  readCaseFile(file);
  const { rules: _, ...cases } = writtenIn(file) as Readonly<Record<string, unknown>>;
  return cases;
}

/** @param value as `writtenCases` has it @param what it is called in messages @throws Refusal `bad_config` */
export function casesIn(value: unknown, what: string): CasesInWorld {
  return inWorld(checked(casesSchema, value, what));
}

function inWorld({ cases, defaults, ...world }: z.output<typeof casesSchema>): CasesInWorld {
  return { cases, defaults, world };
}

function writtenIn(file: string): unknown {
  const { document } = readYaml(file);
  return withoutAliases(file, (options) => document.toJS(options) as unknown);
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const places = read.error.issues.map(
    ({ path: at, message }) => `  ${at.map(String).join(".") || "(top)"}: ${message}`,
  );
  throw new Refusal("bad_config", `${what} isn't right:\n${places.join("\n")}`, { cause: read.error });
}

/** Each case, judged by the rules the file names. @throws Refusal `bad_config` for rules that don't load */
export function runCaseFile(file: string): readonly (CaseResult | BadCase)[] {
  const cases = readCaseFile(file);
  return runCasesBy(cases, cases.rules.map(loadPolicies));
}

/** Each case, judged by these rules, of one or several files. */
export function runCasesBy(
  cases: CasesInWorld,
  tried: readonly TriedRules[],
): readonly (CaseResult | BadCase)[] {
  const [calls, connection, link] = [
    tried.flatMap((each) => each.calls),
    tried.flatMap(({ links }) => links.connection),
    tried.flatMap(({ links }) => links.link),
  ];
  return runCases(cases, trialWorldOf(cases.world), { calls, links: { connection, link } });
}

/** The rules of a file about calls, and those about connections and links. @throws Refusal `bad_config` */
export function loadPolicies(file: string): TriedRules {
  return triedRules(readPolicies(file));
}

/** The same as they are written. @throws Refusal `bad_config` */
export function readPolicies(file: string): readonly PolicyDocument[] {
  return policiesOf(readRuleFile(file));
}

/** The same of rules that were read already. @throws Refusal `bad_config` */
export function policiesOf({ file, rules }: Pick<RuleFile, "file" | "rules">): readonly PolicyDocument[] {
  const { documents, findings } = readRules(rules);
  const [first] = findings;
  if (first !== undefined) {
    throw new Refusal("bad_config", `${file}: policy "${first.rule}": ${first.wrong} ${first.mend}`);
  }
  return documents.map(({ document }) => document);
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
