/** The rule document: its schema, and the patterns in it made ready to match. */
import { z } from "zod";

import { Refusal } from "../kernel/refusal.ts";
import type { LinkPosture } from "../model/channel.ts";
import { linkConditions, linkMatcher } from "./link-conditions.ts";
import { isTarget, type Matcher, matcher, serverPattern, targetMatcher } from "./patterns.ts";

const pattern = z.string().min(1).max(2048);
const patterns = z.array(pattern).min(1).max(1000);
const targets = z.array(pattern.refine(isTarget, 'expected "server/name", or "*" for all')).min(1).max(1000);
const laterEffects = ["hold", "read_only", "redact", "step_up", "cut"] as const;

/** One rule of the `policies` list. */
export const ruleSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,127}$/)
      .describe("What the rule is called in decisions and the audit log; unique."),
    callers: patterns.describe(
      'Callers the rule is about: SPIFFE IDs, or `oauth:ISSUER/client/CLIENT` for those with access tokens; "*" stands for any run of characters.',
    ),
    on_behalf_of: patterns
      .optional()
      .describe(
        "Only calls on behalf of others: for `allow`, who began must be one of these; for `deny`, anybody they are on behalf of.",
      ),
    delegated: z
      .enum(["allowed", "never"])
      .optional()
      .describe(
        "`allowed`, as without it; `never`: what this rule allows can't be done on behalf of others, nor by them through others.",
      ),
    tools: targets.optional().describe("Tools as `server/tool`; `*` as above."),
    resources: targets.optional().describe("Resources as `server/uri`; `*` as above."),
    prompts: targets.optional().describe("Prompts as `server/prompt`; `*` as above."),
    link: linkConditions
      .optional()
      .describe(
        "Only calls on links of which all of this is true; what a rule allows elsewhere, it allows not there.",
      ),
    when: z.string().optional().describe("A CEL condition on the call. Not yet: a rule with one is refused."),
    effect: z
      .enum(["allow", "deny", ...laterEffects])
      .describe(
        "`allow` or `deny`; deny wins whatever the order. The others are not yet built and are refused.",
      ),
    because: z.string().min(1).max(500).describe("Why the rule exists; shown to callers it denies."),
    mode: z
      .enum(["enforce", "shadow"])
      .default("enforce")
      .describe("`enforce`; `shadow` is not yet built and is refused."),
  })
  .refine((rule) => rule.tools !== undefined || rule.resources !== undefined || rule.prompts !== undefined, {
    message: "a rule names tools, resources or prompts",
  })
  .refine(
    (rule) => rule.delegated !== "never" || (rule.effect === "allow" && rule.on_behalf_of === undefined),
    {
      path: ["delegated"],
      error:
        '`never` belongs to rules that allow, without `on_behalf_of`; to deny what is delegated, write on_behalf_of: ["*"]',
    },
  );

export type RuleDocument = z.infer<typeof ruleSchema>;

/** What a rule speaks of; the kinds of thing a caller can name in a call. */
export type TargetKind = (typeof targetKindNames)[number];
export const targetKindNames = ["tools", "resources", "prompts"] as const;

export interface Rule {
  readonly name: string;
  readonly effect: "allow" | "deny";
  readonly because: string;
  readonly matchesCaller: Matcher;
  /** On behalf of whom a call must be for the rule to count; absent where that doesn't matter. */
  readonly matchesOnBehalfOf?: Matcher;
  /** Whether a link is one the rule counts for; absent where that doesn't matter. */
  readonly matchesLink?: (link: LinkPosture) => boolean;
  /** It allows nothing in a call on behalf of others. */
  readonly neverDelegated: boolean;
  readonly matches: Readonly<Record<TargetKind, (server: string, name: string) => boolean>>;
  /** Whether anything of that server is named by the rule. */
  readonly namesServer: Matcher;
  /** Whether everything of that server is: its tools, its resources and its prompts. */
  readonly namesAllOfServer: Matcher;
}

/**
 * @throws Refusal `not_yet` for a part of the language that isn't built: ignoring a condition or a
 * softer effect would silently allow more than was written.
 */
export function compileRules(documents: readonly RuleDocument[]): readonly Rule[] {
  const seen = new Set<string>();
  return documents.map((document) => {
    if (seen.has(document.name)) {
      throw new Refusal("bad_config", `Two policies are named "${document.name}"; names are unique.`);
    }
    seen.add(document.name);
    return compileRule(document);
  });
}

function compileRule(document: RuleDocument): Rule {
  if (document.when !== undefined) throw notYet(document.name, "a `when` condition");
  if (document.mode !== "enforce") throw notYet(document.name, "shadow mode");
  if (document.effect !== "allow" && document.effect !== "deny") {
    throw notYet(document.name, `the effect "${document.effect}"`);
  }
  const lists = [document.tools ?? [], document.resources ?? [], document.prompts ?? []];
  const whole = lists.map((list) => matcher(list.filter(isWholeServer).map(serverPattern)));
  return {
    name: document.name,
    effect: document.effect,
    because: document.because,
    matchesCaller: matcher(document.callers),
    ...(document.on_behalf_of && { matchesOnBehalfOf: matcher(document.on_behalf_of) }),
    ...(document.link && { matchesLink: linkMatcher(document.link) }),
    neverDelegated: document.delegated === "never",
    matches: {
      tools: targetMatcher(document.tools ?? []),
      resources: targetMatcher(document.resources ?? []),
      prompts: targetMatcher(document.prompts ?? []),
    },
    namesServer: matcher(lists.flat().map(serverPattern)),
    namesAllOfServer: (server) => whole.every((matches) => matches(server)),
  };
}

function isWholeServer(target: string): boolean {
  return target === "*" || target.indexOf("/*") === target.length - 2;
}

function notYet(name: string, what: string): Refusal {
  return new Refusal(
    "not_yet",
    `Policy "${name}" uses ${what}, which can't be enforced yet; it is not ignored.`,
  );
}
