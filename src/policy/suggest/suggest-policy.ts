/**
 * Drafts the least policy that passes the calls that were seen: who asked, what for, and with which arguments. What was not
 * seen is not allowed. INVARIANT: each call is passed by the draft, or said to be left out with the reason; the judge that
 * calls meet says so, call by call, before a rule is handed out.
 */
import { compileRules, type RuleDocument } from "../rules.ts";
import { ruleSchema } from "../rule-schema.ts";
import { errorsOf, type Known } from "../check/check-rules.ts";
import { draftConditions, type DraftedCondition, type Looseness } from "./draft-conditions.ts";
import { evidenceOf } from "./evidence.ts";
import { passes } from "./judge-seen.ts";
import { rolesOf, type Role, type Use, usesOf } from "./roles.ts";
import type { SeenCall } from "./seen-call.ts";

/** What is written down of a rule beside the rule. */
export interface SuggestedRule {
  readonly document: RuleDocument;
  /** What the arguments were, a line each. */
  readonly evidence: readonly string[];
  readonly calls: number;
  /** It allows what came once or twice, exactly as it came: for a person to look at. */
  readonly isRare: boolean;
}

/** Calls that the draft doesn't allow, and why. */
interface LeftOut {
  readonly what: string;
  readonly calls: number;
  readonly because: string;
}

export interface Suggestion {
  readonly rules: readonly SuggestedRule[];
  readonly leftOut: readonly LeftOut[];
  /** `server/tool` of the servers that were called: nobody called these, so no rule allows them. */
  readonly neverCalled: readonly string[];
}

/** @param known what there is to be called, with its schemas; what isn't known isn't asked for */
export function suggestPolicy(seen: readonly SeenCall[], known: Known): Suggestion {
  const roles = rolesOf(seen.flatMap(usesOf));
  const names = new Set<string>();
  const drafts = roles.flatMap((role) => {
    const byTarget = Map.groupBy(role.uses, ({ call }) => `${call.kind}/${call.name}`);
    return [...byTarget.values()].map((uses) => draftTarget({ role, uses, known, names }));
  });
  return {
    rules: drafts.flatMap(({ rules }) => rules),
    leftOut: drafts.flatMap(({ leftOut }) => leftOut),
    neverCalled: neverCalled(seen, known),
  };
}

function neverCalled(seen: readonly SeenCall[], { tools }: Known): readonly string[] {
  const called = new Set(seen.map(({ kind, server, name }) => JSON.stringify([kind, server, name])));
  return [...new Set(seen.map(({ server }) => server))]
    .toSorted()
    .flatMap((server) =>
      [...(tools.get(server)?.keys() ?? [])]
        .filter((name) => !called.has(JSON.stringify(["tools", server, name])))
        .map((name) => `${server}/${name}`),
    );
}

interface Drafting {
  readonly role: Role;
  /** Of one target. */
  readonly uses: readonly Use[];
  readonly known: Known;
  /** Those that are taken. */
  readonly names: Set<string>;
}

/** From the narrowest on, until every call passes. */
const loosenesses: readonly Looseness[] = ["narrow", "without patterns", "names", "open"];

function draftTarget(drafting: Drafting): Omit<Suggestion, "neverCalled"> {
  const { uses } = drafting;
  let why = "no rule could be written for it";
  for (const looseness of loosenesses) {
    const rules = rulesOf(drafting, looseness);
    const wrong = errorsOf(
      rules.map(({ document }) => document),
      drafting.known,
    );
    const isAboutCondition = wrong.some(({ at }) => at[0] === "when");
    why = wrong[0]?.wrong ?? "the judge doesn't pass it by any rule that can be drafted";
    if (wrong.length > 0 && !isAboutCondition) break;
    if (wrong.length > 0) continue;
    const compiled = compileRules(rules.map(({ document }) => document));
    if (!uses.every((use) => passes(use, compiled))) continue;
    for (const { document } of rules) drafting.names.add(document.name);
    return { rules, leftOut: [] };
  }
  const [first] = uses;
  const what = first === undefined ? "" : `${first.call.server}/${first.call.name}`;
  return { rules: [], leftOut: [{ what, calls: uses.length, because: why }] };
}

/** What can't be put into a rule at all is in none. */
function rulesOf({ role, uses, known, names }: Drafting, looseness: Looseness): readonly SuggestedRule[] {
  const [first] = uses;
  if (first === undefined) return [];
  const { server, kind, name } = first.call;
  const tool = kind === "tools" ? known.tools.get(server)?.get(name) : undefined;
  const drafted = draftConditions(
    uses.map(({ call }) => call),
    { looseness, kind, isSeldom: isSeldom(uses, role), ...(tool?.args !== undefined && { type: tool.args }) },
  );
  const taken = new Set(names);
  return drafted.flatMap((each) => {
    const document = documentOf(role, each, { server, kind, name, taken });
    if (document === undefined) return [];
    taken.add(document.name);
    const { calls, says, isRare } = each;
    return [{ document, evidence: says, calls: calls.length, isRare }];
  });
}

/** What is called so seldom among so many calls is nothing usual. */
const seldomCalls = 2;
const amongCalls = 50;

function isSeldom(uses: readonly Use[], role: Role): boolean {
  return uses.length <= seldomCalls && role.uses.length >= amongCalls;
}

function documentOf(
  { callers, began, isDelegated }: Role,
  { when, calls, isRare, says }: DraftedCondition,
  {
    server,
    kind,
    name,
    taken,
  }: Pick<SeenCall, "server" | "kind" | "name"> & { readonly taken: ReadonlySet<string> },
): RuleDocument | undefined {
  const read = ruleSchema.safeParse({
    name: freeName(`${server}-${name}${isRare ? "-rarely" : ""}`, taken),
    callers,
    ...(began !== "" && { on_behalf_of: [began] }),
    ...(!isDelegated && { delegated: "never" }),
    [kind]: [`${server}/${name}`],
    // A star in a name would stand for any.
    ...withName(when, name),
    effect: "allow",
    because: evidenceOf(calls, { isRare, says }),
  });
  return read.success ? read.data : undefined;
}

function withName(when: string, name: string): { readonly when?: string } {
  const parts = [
    ...(name.includes("*") ? [`call.name == ${JSON.stringify(name)}`] : []),
    ...(when === "" ? [] : [when]),
  ];
  return parts.length === 0
    ? {}
    : { when: parts.length === 1 ? (parts[0] ?? "") : parts.map((part) => `(${part})`).join(" && ") };
}

const maxNameChars = 100;

function freeName(text: string, taken: ReadonlySet<string>): string {
  const slug = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, maxNameChars)
    .replace(/[^a-z0-9]+$/, "");
  const name = slug === "" ? "rule" : slug;
  if (!taken.has(name)) return name;
  for (let count = 2; ; count++) {
    if (!taken.has(`${name}-${count}`)) return `${name}-${count}`;
  }
}
