/** Cases about connections and links, kept beside rules. */
import { z } from "zod";

import type { LinkHook } from "../facts.ts";
import { decideLink, type LinkRules, type LinkVerdict } from "../link-rules.ts";
import type { BadCase, CaseResult } from "./cases.ts";
import type { TrialWorld } from "./described-call.ts";
import { linkDescriptions, linkQuestionOf } from "./described-link.ts";

const expectations = {
  name: z.string().min(1).max(300),
  expect: z.enum(["allow", "deny"]).describe("`allow`: no rule denies it."),
  rule: z.string().nullable().optional().describe("The rule that denied; null where none did."),
  shadows: z.array(z.string()).optional().describe("The watched rules that would have, in any order."),
} as const;

const schemas = {
  connection: z.strictObject({ ...linkDescriptions.connection, ...expectations }),
  link: z.strictObject({ ...linkDescriptions.link, ...expectations }),
} as const;

type LinkCase = z.output<(typeof schemas)[LinkHook]>;

type Written = Readonly<Record<string, unknown>>;

/** The hook that a case is about; undefined for one about calls. */
export function hookOf({ on }: Written): LinkHook | undefined {
  return on === "connection" || on === "link" ? on : undefined;
}

/** What all cases say counts for it as far as it is about connections and links at all. */
export function runLinkCase(
  { given, defaults, hook }: { readonly given: Written; readonly defaults: Written; readonly hook: LinkHook },
  world: TrialWorld,
  rules: LinkRules,
): CaseResult | Omit<BadCase, "name"> {
  const usual = Object.entries(defaults).filter(([name]) => Object.hasOwn(schemas[hook].shape, name));
  const read = schemas[hook].safeParse({ ...Object.fromEntries(usual), ...given });
  if (!read.success) return { kind: "bad-case", why: read.error.issues.map(issueInWords) };
  const { name, expect: _, rule: __, shadows: ___, ...described } = read.data;
  const verdict = decideLink(linkQuestionOf(described, world), rules[hook]);
  const differs = differences(read.data, verdict);
  return { kind: "result", name, passed: differs.length === 0, got: linkInWords(verdict), differs };
}

/** The verdict, by which rule and, of a condition that couldn't be told, why. */
export function linkInWords({ denied }: LinkVerdict): string {
  if (denied === undefined) return "allow: no rule denies it";
  const { rule, erred } = denied;
  return `deny: by ${rule}${erred === undefined ? "" : ` (it couldn't be told: ${erred})`}`;
}

export function issueInWords({ path, message }: z.core.$ZodIssue): string {
  return `${path.map(String).join(".") || "(top)"}: ${message}`;
}

function differences(each: LinkCase, verdict: LinkVerdict): readonly string[] {
  const { denied, shadows } = verdict;
  const got = denied === undefined ? "allow" : "deny";
  const isRule = each.rule === undefined || each.rule === (denied?.rule ?? null);
  return [
    ...(got === each.expect ? [] : [`expected ${each.expect}, got ${linkInWords(verdict)}`]),
    ...(isRule ? [] : [`expected the rule ${each.rule ?? "none"}, got ${denied?.rule ?? "none"}`]),
    ...namesDiffer(
      "watched rules",
      each.shadows,
      shadows.map(({ rule }) => rule),
    ),
  ];
}

export function namesDiffer(
  what: string,
  expected: readonly string[] | undefined,
  got: readonly string[],
): readonly string[] {
  if (expected === undefined) return [];
  const [wanted, found] = [expected, got].map((names) => [...new Set(names)].toSorted().join(", "));
  return wanted === found ? [] : [`expected ${what} ${wanted || "none"}, got ${found || "none"}`];
}
