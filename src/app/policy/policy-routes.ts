/**
 * Rules in the control API: those in force, and drafts of others. INVARIANT: nothing here writes a rule: what a person
 * makes is taken away as a patch, and publishing stays with the source.
 */
import { z } from "zod";

import { type Route, route } from "../../control/route.ts";
import { sha256Base64url } from "../../crypto/hash.ts";
import type { BundleRow } from "../../host/store/state-bundles.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { parseDurationMs } from "../../kernel/units.ts";
import { isCallRule, type PolicyDocument } from "../../policy/rules.ts";
import { ruleCondition } from "../../policy/rule-condition.ts";
import { verdictOf } from "../../policy/verdict.ts";
import type { Config } from "../config.ts";
import { withBundles } from "./bundle-operations.ts";
import type { SourceAnswer } from "./draft-orders.ts";
import { type DraftsApart, draftsApart } from "./drafts-apart.ts";
import type { CheckedDraft, ReplayedDraft, TriedFile } from "./drafts.ts";
import type { Explained } from "./explain-asked.ts";
import {
  checkAnswer,
  diffAnswer,
  explainAnswer,
  patchAnswer,
  policyAnswer,
  type RuleAnswer,
  testAnswer,
} from "./policy-answers.ts";
import { ruleInWords } from "./rule-in-words.ts";

interface PolicyPlace {
  readonly config: Pick<Config, "file" | "policyBundle" | "state">;
  readonly clock: Clock;
  readonly inForce: () => { readonly rules: readonly PolicyDocument[]; readonly worldDigest: string };
}

const tag = "policy";
const maxRules = 2000;
const maxFindings = 500;
const maxCases = 500;
/** A thousand rules have a tenth of that. */
const text = z.string().max(1024 * 1024);
const role = "viewer";

export function policyRoutes(place: PolicyPlace): readonly Route[] {
  const apart = draftsApart(place.config.file);
  return [
    route({
      method: "GET",
      path: "/policy",
      summary: "The rules in force, each in words, and where they are written.",
      tag,
      role,
      answer: policyAnswer,
      handle: async () => inForceNow(place, await sourceOrWhyNot(apart)),
    }),
    ...trying(apart, place),
    ...explaining(apart),
  ];
}

function trying(apart: DraftsApart, { clock }: PolicyPlace): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/policy/check",
      summary: "What is wrong with a draft of the rules, each mistake with its place and what to do.",
      tag,
      role,
      body: z.strictObject({ text }),
      answer: checkAnswer,
      handle: async ({ body }) => checked(await apart("check", body)),
    }),
    route({
      method: "POST",
      path: "/policy/test",
      summary: "Cases judged by a draft: those that are given, or else those kept beside the rules.",
      tag,
      role,
      body: z.strictObject({ text, cases: text.exactOptional() }),
      answer: testAnswer,
      handle: async ({ body }) => tested(await apart("test", body)),
    }),
    route({
      method: "POST",
      path: "/policy/diff",
      summary: "Which recorded calls a draft would decide otherwise than the rules in force.",
      tag,
      role,
      body: z.strictObject({ text, since: z.string().max(16).default("24h") }),
      answer: diffAnswer,
      handle: async ({ body }) => {
        const nowUnixMs = clock.nowUnixMs();
        const sinceUnixMs = nowUnixMs - spanOf(body.since);
        return differing(await apart("diff", { text: body.text, sinceUnixMs, nowUnixMs }));
      },
    }),
  ];
}

function explaining(apart: DraftsApart): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/policy/explain",
      summary: "Rule by rule why a call is decided so: one of the log by its id, or one that is described.",
      tag,
      role,
      body: z
        .strictObject({
          callId: z.string().min(1).max(128).exactOptional(),
          call: z.record(z.string(), z.unknown()).exactOptional(),
          text: text.exactOptional(),
        })
        .refine(({ callId, call }) => (callId === undefined) !== (call === undefined), {
          error: "expected a callId or a call",
        }),
      answer: explainAnswer,
      handle: async ({ body }) => explained(await apart("explain", body)),
    }),
    route({
      method: "POST",
      path: "/policy/patch",
      summary: "A draft as a patch of the file the rules are written in; refused with a mistake in it.",
      tag,
      role,
      body: z.strictObject({ text }),
      answer: patchAnswer,
      handle: async ({ body }) => {
        const { file, patch } = await apart("patch", body);
        return { file, patch: file === null ? body.text : patch };
      },
    }),
  ];
}

/** @throws Refusal `bad_message` */
function spanOf(since: string): number {
  const span = parseDurationMs(since);
  if (span !== undefined && span > 0) return span;
  throw new Refusal("bad_message", `body, since: expected a time such as "24h" or "7d", found "${since}".`);
}

type SourceRead = SourceAnswer | { readonly trouble: string };

async function sourceOrWhyNot(apart: DraftsApart): Promise<SourceRead> {
  try {
    return await apart("source", {});
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === "busy") throw error;
    return { trouble: error.message };
  }
}

function inForceNow({ config, inForce }: PolicyPlace, read: SourceRead): z.output<typeof policyAnswer> {
  const { rules, worldDigest } = inForce();
  const digest = sha256Base64url(JSON.stringify(rules));
  return {
    worldDigest,
    rules: rules.slice(0, maxRules).map(ruleShown),
    more: Math.max(0, rules.length - maxRules),
    source:
      "trouble" in read
        ? null
        : { kind: read.kind, file: read.file, text: read.text, isInForce: read.digest === digest },
    trouble: "trouble" in read ? read.trouble : null,
    bundle: bundleOf(config),
  };
}

function bundleOf(config: PolicyPlace["config"]): z.output<typeof policyAnswer>["bundle"] {
  if (config.policyBundle === undefined) return null;
  const row: BundleRow | undefined = withBundles(config, (store) => store.newest());
  if (row === undefined) return null;
  const { sequence, digest, publisher, source, commit, atUnixMs: sinceUnixMs } = row;
  return { sequence, digest, publisher, source, commit, sinceUnixMs };
}

function ruleShown(document: PolicyDocument): RuleAnswer {
  const { name, effect, mode, because, when } = document;
  const hook = isCallRule(document) ? undefined : document.on;
  const condition = when === undefined ? undefined : ruleCondition(when, hook);
  return {
    name,
    on: hook ?? "call",
    effect,
    mode,
    because,
    inWords: ruleInWords(document),
    callers: "callers" in document ? [...document.callers] : [],
    targets: isCallRule(document)
      ? (["tools", "resources", "prompts", "methods"] as const).flatMap((kind) =>
          (document[kind] ?? []).map((target) => `${kind} ${target}`),
        )
      : [],
    when: when ?? null,
    reads: condition?.kind === "condition" ? [...condition.reads] : [],
  };
}

function checked({ rules, findings, withoutTools }: CheckedDraft): z.output<typeof checkAnswer> {
  const count = (severity: string): number => findings.filter((each) => each.severity === severity).length;
  return {
    rules,
    errors: count("error"),
    warnings: count("warning"),
    findings: findings.slice(0, maxFindings).map(({ line, column, severity, rule, kind, wrong, mend }) => ({
      line,
      column,
      severity,
      rule,
      kind,
      wrong,
      mend,
    })),
    more: Math.max(0, findings.length - maxFindings),
    withoutTools: [...withoutTools],
  };
}

function tested(files: readonly TriedFile[]): z.output<typeof testAnswer> {
  const all = files.flatMap(({ name: file, results }) =>
    results.map((each) => ({
      file,
      name: each.name,
      isPassed: each.kind === "result" && each.passed,
      why: [...(each.kind === "result" ? each.differs : each.why)],
    })),
  );
  const failed = all.filter(({ isPassed }) => !isPassed);
  const sorted = [...failed, ...all.filter(({ isPassed }) => isPassed)];
  return {
    passed: all.length - failed.length,
    failed: failed.length,
    files: files.map(({ name }) => name),
    cases: sorted.slice(0, maxCases),
    more: Math.max(0, sorted.length - maxCases),
  };
}

function differing({ groups, fromUnixMs, ...sums }: ReplayedDraft): z.output<typeof diffAnswer> {
  return {
    ...sums,
    fromUnixMs: fromUnixMs ?? null,
    groups: groups.map(({ example, count }) => {
      const { before, after, becomes, caller, target, callId, atUnixMs } = example;
      const untold = [before, after].flatMap((each) => ("rules" in each ? each.rules : []));
      return {
        becomes,
        before: "verdict" in before ? { verdict: before.verdict, rule: before.rule } : null,
        after: after.kind === "known" ? { verdict: after.verdict, rule: after.rule } : null,
        because: after.kind === "known" ? after.because : "",
        reads: [...new Set(untold.flatMap(({ reads }) => reads))],
        caller,
        target,
        count,
        callId,
        atUnixMs,
      };
    }),
  };
}

function explained({ logged, decision, rules, others }: Explained): z.output<typeof explainAnswer> {
  return {
    logged,
    decision: decision
      ? {
          verdict: verdictOf(decision),
          rule: decision.rule,
          because: decision.kind === "denial" ? decision.because : "",
        }
      : null,
    rules: rules.map(({ rule, effect, isShadow, because, party, counts, why, condition }) => ({
      rule,
      effect,
      isShadow,
      because,
      party,
      counts,
      why: [...why],
      condition:
        condition === undefined
          ? null
          : {
              text: condition.text,
              verdict: condition.verdict,
              values: condition.values.map(({ path, value }) => ({ path, value })),
            },
    })),
    others,
  };
}
