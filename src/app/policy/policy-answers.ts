/** Rules, drafts and what becomes of calls by them, as the control API says it. */
import { z } from "zod";

const names = z.array(z.string());

const ruleAnswer = z.object({
  name: z.string(),
  on: z.enum(["call", "connection", "link"]),
  effect: z.string(),
  mode: z.enum(["enforce", "shadow"]),
  because: z.string(),
  /** What it does, in a sentence. */
  inWords: z.string(),
  callers: names,
  /** `tools billing/*`: what it is about. */
  targets: names,
  when: z.string().nullable(),
  /** Facts that its condition reads, as paths. */
  reads: names,
});
export type RuleAnswer = z.output<typeof ruleAnswer>;

const bundle = z.object({
  sequence: z.int(),
  digest: z.string(),
  publisher: z.string(),
  source: z.string(),
  commit: z.string().nullable(),
  sinceUnixMs: z.number(),
});

export const policyAnswer = z.object({
  /** Of all that counts: rules, tools, trust. */
  worldDigest: z.string(),
  rules: z.array(ruleAnswer),
  /** Rules beyond those that are listed. */
  more: z.int(),
  source: z
    .object({
      kind: z.enum(["config", "file", "bundle"]),
      /** Its name alone. */
      file: z.string().nullable(),
      /** As it is written now: where a draft begins. */
      text: z.string(),
      /** Whether that is what is in force; if not, its last change wasn't taken up. */
      isInForce: z.boolean(),
    })
    .nullable(),
  /** Why the source can't be read. */
  trouble: z.string().nullable(),
  bundle: bundle.nullable(),
});

const finding = z.object({
  line: z.int(),
  column: z.int(),
  severity: z.enum(["error", "warning"]),
  rule: z.string().nullable(),
  kind: z.string(),
  wrong: z.string(),
  /** What to do. */
  mend: z.string(),
});

export const checkAnswer = z.object({
  rules: z.int(),
  errors: z.int(),
  warnings: z.int(),
  findings: z.array(finding),
  /** Findings beyond those that are listed. */
  more: z.int(),
  withoutTools: names,
});

export const testAnswer = z.object({
  passed: z.int(),
  failed: z.int(),
  files: names,
  /** Those that failed first. */
  cases: z.array(z.object({ file: z.string(), name: z.string(), isPassed: z.boolean(), why: names })),
  more: z.int(),
});

const decided = z.object({ verdict: z.string(), rule: z.string() }).nullable();

export const diffAnswer = z.object({
  calls: z.int(),
  stays: z.int(),
  changes: z.int(),
  unknown: z.int(),
  /** Not all calls were looked at. */
  isCut: z.boolean(),
  fromUnixMs: z.number().nullable(),
  groups: z.array(
    z.object({
      becomes: z.enum(["stays", "changes", "unknown"]),
      /** Null where it can't be told. */
      before: decided,
      after: decided,
      because: z.string(),
      /** Facts that the log doesn't have. */
      reads: names,
      caller: z.string(),
      target: z.string(),
      count: z.int(),
      callId: z.string(),
      atUnixMs: z.number(),
    }),
  ),
});

export const explainAnswer = z.object({
  /** What the log says of it; null of a described call. */
  logged: z.object({ outcome: z.string(), rule: z.string().nullable(), atUnixMs: z.number() }).nullable(),
  /** By these rules; null where it depends on what isn't known. */
  decision: z.object({ verdict: z.string(), rule: z.string().nullable(), because: z.string() }).nullable(),
  rules: z.array(
    z.object({
      rule: z.string(),
      effect: z.string(),
      isShadow: z.boolean(),
      because: z.string(),
      party: z.string(),
      counts: z.enum(["yes", "no", "unknown"]),
      why: names,
      condition: z
        .object({
          text: z.string(),
          verdict: z.string(),
          values: z.array(z.object({ path: z.string(), value: z.string() })),
        })
        .nullable(),
    }),
  ),
  /** Rules about other things. */
  others: z.int(),
});

export const patchAnswer = z.object({
  /** Of the source; null of a bundle, whose source is elsewhere. */
  file: z.string().nullable(),
  /** Unified; empty where nothing differs, and for a bundle all of the rules as one new file. */
  patch: z.string(),
});
