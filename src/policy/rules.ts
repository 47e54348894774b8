/** The rule document: its schema, and the patterns in it made ready to match. */
import { z } from "zod";

import { Refusal } from "../kernel/refusal.ts";

const pattern = z.string().min(1).max(2048);
const patterns = z.array(pattern).min(1).max(1000);
const laterEffects = ["hold", "read_only", "redact", "step_up", "cut"] as const;

/** One rule of the `policies` list. */
export const ruleSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,127}$/)
      .describe("What the rule is called in decisions and the audit log; unique."),
    callers: patterns.describe('SPIFFE IDs the rule is about; "*" stands for any run of characters.'),
    tools: patterns.optional().describe("Tools as `server/tool`; `*` as above."),
    resources: patterns.optional().describe("Resources as `server/uri`; `*` as above."),
    prompts: patterns.optional().describe("Prompts as `server/prompt`; `*` as above."),
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
  });

export type RuleDocument = z.infer<typeof ruleSchema>;

/** What a rule speaks of; the kinds of thing a caller can name in a call. */
export type TargetKind = "tools" | "resources" | "prompts";

export interface Rule {
  readonly name: string;
  readonly effect: "allow" | "deny";
  readonly because: string;
  readonly matchesCaller: Matcher;
  readonly matches: Readonly<Record<TargetKind, Matcher>>;
  /** Whether anything of that server is named by the rule. */
  readonly namesServer: Matcher;
}

type Matcher = (text: string) => boolean;

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
  const targets = [document.tools, document.resources, document.prompts].flatMap((list) => list ?? []);
  return {
    name: document.name,
    effect: document.effect,
    because: document.because,
    matchesCaller: matcher(document.callers),
    matches: {
      tools: matcher(document.tools ?? []),
      resources: matcher(document.resources ?? []),
      prompts: matcher(document.prompts ?? []),
    },
    namesServer: matcher(targets.map(serverPattern)),
  };
}

/** The server part of `server/name`; a pattern whose star comes before the slash names many servers. */
function serverPattern(target: string): string {
  const slash = target.indexOf("/");
  const star = target.indexOf("*");
  if (slash === -1) return target;
  return star !== -1 && star < slash ? target.slice(0, star + 1) : target.slice(0, slash);
}

function notYet(name: string, what: string): Refusal {
  return new Refusal(
    "not_yet",
    `Policy "${name}" uses ${what}, which can't be enforced yet; it is not ignored.`,
  );
}

function matcher(patterns: readonly string[]): Matcher {
  const exact = new Set(patterns.filter((text) => !text.includes("*")));
  const globs = patterns.filter((text) => text.includes("*")).map(glob);
  return (text) => exact.has(text) || globs.some((matches) => matches(text));
}

/** "*" is any run of characters. Linear: no backtracking, whatever the text. */
function glob(pattern: string): Matcher {
  const pieces = pattern.split("*");
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  const middle = pieces.slice(1, -1);
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    const end = text.length - last.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at <= end;
  };
}
