/** What a deployment was found to be, as one document (docs/formats/compliance-report.md). */
import { z } from "zod";

import { frameworks } from "./catalogue.ts";
import { judgeFramework, type Observed } from "./judge.ts";
import { type TestName, tests } from "./tests.ts";

const reportFormat = "dev.latticegate/compliance-report@v1";

const text = z.string().max(4096);
const list = <T extends z.ZodType>(item: T, most: number) => z.array(item).max(most).readonly();

const exampleSchema = z.strictObject({ index: z.int().min(0), id: text, at: text }).readonly();
const resultSchema = z
  .strictObject({
    test: text,
    result: z.enum(["passed", "failed", "skipped", "stale"]),
    says: text,
    entry: exampleSchema,
  })
  .readonly();
const evidenceSchema = z
  .strictObject({
    name: text,
    says: text,
    count: z.int().min(0),
    isLeast: z.boolean(),
    examples: list(exampleSchema, 16),
  })
  .readonly();
const level = z.int().min(0).max(4);
const verdict = z.enum(["met", "not met", "no evidence"]);
const controlSchema = z
  .strictObject({
    id: text,
    title: text,
    asks: text,
    grade: z
      .strictObject({ dimension: text, level, binding: z.enum(["must", "should"]) })
      .readonly()
      .optional(),
    verdict,
    because: list(text, 64),
    evidence: list(evidenceSchema, 64),
    tests: list(resultSchema, 64),
  })
  .readonly();
const frameworkSchema = z
  .strictObject({
    name: text,
    title: text,
    source: text,
    note: text.optional(),
    controls: list(controlSchema, 1024),
    counts: z.strictObject({ met: z.int(), "not met": z.int(), "no evidence": z.int() }).readonly(),
    levels: list(
      z
        .strictObject({
          dimension: text,
          level,
          missing: list(z.strictObject({ control: text, title: text, because: text }).readonly(), 1024),
        })
        .readonly(),
      64,
    ).optional(),
  })
  .readonly();

export const reportSchema = z
  .strictObject({
    format: z.literal(reportFormat),
    /** When it was made, RFC 3339. */
    at: text,
    gateway: text,
    version: text,
    log: z
      .strictObject({
        /** Entries that were there. */
        size: z.int().min(0),
        /** Its newest head, as text of a signed note; empty before the first. */
        checkpoint: z.string().max(65_536),
      })
      .readonly(),
    /** Whether the tests were run for this report, or why not. */
    tested: z.strictObject({ now: z.boolean(), why: text }).readonly(),
    tests: list(
      z
        .strictObject({
          test: text,
          shows: text,
          kind: z.enum(["refusal", "setting"]),
          result: resultSchema.nullable(),
        })
        .readonly(),
      256,
    ),
    frameworks: list(frameworkSchema, 64),
  })
  .readonly();

export type Report = z.output<typeof reportSchema>;
export type ReportedFramework = z.output<typeof frameworkSchema>;
export type ReportedControl = z.output<typeof controlSchema>;

const names = frameworks.map(({ name }) => name);
type FrameworkName = (typeof names)[number];

export const frameworkNames: readonly FrameworkName[] = names;

/** @param names of the frameworks that are asked for; all of them without one */
export function reportOf(
  about: Omit<Report, "format" | "tests" | "frameworks">,
  observed: Observed,
  names: readonly string[],
): Report {
  const asked = frameworks.filter(({ name }) => names.length === 0 || names.includes(name));
  return {
    format: reportFormat,
    ...about,
    tests: Object.entries(tests).map(([test, { shows, kind }]) => ({
      test,
      shows,
      kind,
      result: observed.results.get(test as TestName) ?? null,
    })),
    frameworks: asked.map((framework) => judgeFramework(framework, observed)),
  };
}

/** Refusals that were tried and didn't happen. */
export function brokenRefusals({ tests: all }: Report): readonly string[] {
  return all.flatMap(({ test, kind, result }) =>
    kind === "refusal" && result?.result === "failed" ? [test] : [],
  );
}

/** The lowest level of any dimension; undefined where no framework with levels was asked for. */
export function lowestLevel({ frameworks: all }: Report): number | undefined {
  const levels = all.flatMap(({ levels: own = [] }) => own.map(({ level: reached }) => reached));
  return levels.length === 0 ? undefined : Math.min(...levels);
}
