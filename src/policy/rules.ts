/** The rule document: its schema, and the patterns in it made ready to match. */
import { z } from "zod";

import { Refusal } from "../kernel/refusal.ts";

const pattern = z.string().min(1).max(2048);
const patterns = z.array(pattern).min(1).max(1000);
const targets = z
  .array(
    pattern.refine((text) => text === "*" || text.includes("/"), 'expected "server/name", or "*" for all'),
  )
  .min(1)
  .max(1000);
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
    tools: targets.optional().describe("Tools as `server/tool`; `*` as above."),
    resources: targets.optional().describe("Resources as `server/uri`; `*` as above."),
    prompts: targets.optional().describe("Prompts as `server/prompt`; `*` as above."),
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
  readonly matches: Readonly<Record<TargetKind, (server: string, name: string) => boolean>>;
  /** Whether anything of that server is named by the rule. */
  readonly namesServer: Matcher;
  /** Whether everything of that server is: its tools, its resources and its prompts. */
  readonly namesAllOfServer: Matcher;
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
  const lists = [document.tools ?? [], document.resources ?? [], document.prompts ?? []];
  const whole = lists.map((list) => matcher(list.filter(isWholeServer).map(serverPattern)));
  return {
    name: document.name,
    effect: document.effect,
    because: document.because,
    matchesCaller: matcher(document.callers),
    matches: {
      tools: targetMatcher(document.tools ?? []),
      resources: targetMatcher(document.resources ?? []),
      prompts: targetMatcher(document.prompts ?? []),
    },
    namesServer: matcher(lists.flat().map(serverPattern)),
    namesAllOfServer: (server) => whole.every((matches) => matches(server)),
  };
}

/** INVARIANT: a star never reaches across the slash, so a rule that names a server is about that server alone. */
export function targetMatcher(targets: readonly string[]): (server: string, name: string) => boolean {
  const exact = new Set(targets.filter((text) => !text.includes("*")));
  const globs = targets
    .filter((text) => text.includes("*"))
    .map((text) => ({ server: glob(serverPattern(text)), name: glob(namePattern(text)) }));
  return (server, name) =>
    exact.has(`${server}/${name}`) || globs.some((each) => each.server(server) && each.name(name));
}

function namePattern(target: string): string {
  const slash = target.indexOf("/");
  return slash === -1 ? "*" : target.slice(slash + 1);
}

/** The server part of `server/name`. */
export function serverPattern(target: string): string {
  const slash = target.indexOf("/");
  return slash === -1 ? target : target.slice(0, slash);
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

export function matcher(patterns: readonly string[]): Matcher {
  const exact = new Set(patterns.filter((text) => !text.includes("*")));
  const globs = patterns.filter((text) => text.includes("*")).map(glob);
  return (text) => exact.has(text) || globs.some((matches) => matches(text));
}

/** "*" is any run of characters. Linear: no backtracking, whatever the text. */
function glob(pattern: string): Matcher {
  const pieces = pattern.split("*");
  if (pieces.length === 1) return (text) => text === pattern;
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
