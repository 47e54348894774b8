/**
 * The conditions under which a tool was called: one for what is usual, and, for calls with a value that came once or twice
 * among many, those calls exactly as they came. So one odd call among hundreds doesn't open a recipient for every amount.
 */
import { compileCondition } from "../../expr/condition.ts";
import { limits } from "../../expr/limits.ts";
import type { TypeSpec } from "../../expr/type-spec.ts";
import { factTypes } from "../facts.ts";
import type { TargetKind } from "../rules.ts";
import { exactClause, memberClauses, memberPath } from "./clause.ts";
import { type Clause, literal } from "./literal.ts";
import { rareCalls } from "./rare-calls.ts";
import { isSecret } from "./secret-names.ts";
import type { SeenCall } from "./seen-call.ts";
import { isMoment, stringClause } from "./string-clause.ts";

/** How much is asked of the arguments. */
export type Looseness = "narrow" | "without patterns" | "names" | "open";

export interface DraftedCondition {
  /** "" for none. */
  readonly when: string;
  /** What it says of the arguments, a line each. */
  readonly says: readonly string[];
  /** The calls it was made from. */
  readonly calls: readonly SeenCall[];
  readonly isRare: boolean;
}

interface Terms {
  readonly looseness: Looseness;
  readonly kind: TargetKind;
  /** It is hardly ever called: what came is allowed as it came. */
  readonly isSeldom: boolean;
  /** Of the arguments, by the tool's input schema. */
  readonly type?: TypeSpec;
}

export function draftConditions(calls: readonly SeenCall[], terms: Terms): readonly DraftedCondition[] {
  if (terms.kind === "resources" || terms.looseness === "open") {
    return [{ when: "", says: [], calls, isRare: false }];
  }
  const odd = terms.isSeldom ? calls : rareCalls(calls);
  const rare = new Set(terms.looseness === "narrow" ? odd : []);
  const exact = exactConditions([...rare], terms);
  const written = new Set(exact.flatMap((each) => each.calls));
  const usual = calls.filter((call) => !written.has(call));
  return usual.length === 0 ? exact : [usualCondition(usual, terms), ...exact];
}

function usualCondition(calls: readonly SeenCall[], terms: Terms): DraftedCondition {
  const clauses = memberClauses(
    calls.map(({ args }) => args),
    { path: "args", depth: 0, isDeclared: declares(terms.type) },
  );
  const asked = terms.looseness === "names" ? clauses?.slice(0, 1) : clauses;
  const plain = (asked ?? []).filter(
    ({ text }) => terms.looseness === "narrow" || !text.includes(".matches("),
  );
  const kept = withinLimits(plain.filter((clause) => isTrueOfAll(clause, calls, terms.type)));
  return {
    when: kept.map(({ text }) => text).join(" && "),
    says: kept.map(({ says }) => says),
    calls,
    isRare: false,
  };
}

/** Members that a schema doesn't declare are written in quotes, as conditions want them. */
function declares(type: TypeSpec | undefined): (name: string) => boolean {
  if (type === undefined || typeof type === "string" || type.kind !== "object") return () => true;
  return (name) => Object.hasOwn(type.members, name);
}

/** INVARIANT: what isn't true of a call that was seen, or can't be told, is not asked for. */
function isTrueOfAll({ text }: Clause, calls: readonly SeenCall[], type: TypeSpec | undefined): boolean {
  const condition = compileCondition(text, factTypes);
  if (condition.kind === "mistake" || !fitsType(text, type)) return false;
  return calls.every(({ args }) => condition.evaluate({ args }).kind === "true");
}

function fitsType(text: string, type: TypeSpec | undefined): boolean {
  return type === undefined || compileCondition(text, { ...factTypes, args: type }).kind === "condition";
}

/** Of too many, the longest make way: sets of long texts before ranges and names. */
function withinLimits(clauses: readonly Clause[]): readonly Clause[] {
  let kept = clauses;
  for (;;) {
    const text = kept.map((clause) => clause.text).join(" && ");
    if (kept.length === 0 || (text.length <= maxChars && isCondition(text))) return kept;
    const longest = kept.reduce((one, other) => (other.text.length > one.text.length ? other : one));
    kept = kept.filter((clause) => clause !== longest);
  }
}

/** Some room for what is put before a condition. */
const maxChars = limits.textChars - 400;

function isCondition(text: string): boolean {
  return compileCondition(text, factTypes).kind === "condition";
}

/** So many calls are written out in one rule. */
const maxExact = 8;

/** Calls as they came; those that can't be written out are in none of them. */
function exactConditions(calls: readonly SeenCall[], terms: Terms): readonly DraftedCondition[] {
  const byText = new Map<string, SeenCall[]>();
  for (const call of calls) {
    const text = exactly(call, terms.type);
    if (text === undefined) continue;
    byText.set(text, [...(byText.get(text) ?? []), call]);
  }
  const drafted: DraftedCondition[] = [];
  let texts: string[] = [];
  let own: SeenCall[] = [];
  const finish = (): void => {
    if (texts.length > 0) drafted.push({ when: texts.join(" || "), says: [], calls: own, isRare: true });
    [texts, own] = [[], []];
  };
  for (const [text, some] of byText) {
    const isFull = texts.length === maxExact || !isCondition([...texts, text].join(" || "));
    if (isFull) finish();
    texts.push(text);
    own.push(...some);
  }
  finish();
  return drafted;
}

function exactly({ args }: SeenCall, type: TypeSpec | undefined): string | undefined {
  const isDeclared = declares(type);
  const clauses = Object.entries(args).map(([name, value]) => {
    const { path } = memberPath(name, { path: "args", isDeclared });
    const isTime = typeof value === "string" && isMoment(value);
    return (isTime ? stringClause([value], path)?.text : undefined) ?? exactClause(value, path);
  });
  if (clauses.includes(undefined) || Object.keys(args).some(isSecret)) return undefined;
  const names = Object.keys(args).map(literal).join(", ");
  const text = `(${[`args.all(name, name in [${names}])`, ...clauses].join(" && ")})`;
  const condition = compileCondition(text, factTypes);
  const isExact = condition.kind === "condition" && condition.evaluate({ args }).kind === "true";
  return isExact && text.length <= maxChars && fitsType(text, type) ? text : undefined;
}
