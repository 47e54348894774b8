/** Rules beside each other: what another one makes void, what says nothing new. */
import { isDenying } from "../rule-index.ts";
import { targetKindNames } from "../rules.ts";
import { type CheckedRule, isEnforced } from "./checked-rule.ts";
import { type Finding, findingOf, type Remark } from "./finding.ts";
import { allWithin, overlaps, targetsOverlap, targetsWithin } from "./overlap.ts";

/** Pairs are looked at one by one: of more rules than that, they aren't. */
const maxCompared = 2000;

export function checkSet(rules: readonly CheckedRule[]): readonly Finding[] {
  if (rules.length > maxCompared) return [];
  const denying = rules.filter((each) => isEnforced(each) && isDenying(each.rule));
  const allowing = rules.filter((each) => isEnforced(each) && each.rule.effect === "allow");
  const seen = new Map<string, string>();
  return rules.flatMap((checked, index) => {
    const { name } = checked.document;
    const remark =
      duplicateRemark(checked, seen) ?? shadowedRemark(checked, denying) ?? idleRemark(checked, allowing);
    return remark === undefined ? [] : [findingOf(remark, { rule: name, index })];
  });
}

function duplicateRemark({ document }: CheckedRule, seen: Map<string, string>): Remark | undefined {
  const { name, because, callers, on_behalf_of, tools, resources, prompts, methods, ...rest } = document;
  const lists = [callers, on_behalf_of, tools, resources, prompts, methods].map(
    (list) => list?.toSorted() ?? null,
  );
  const key = JSON.stringify([lists, Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  const other = seen.get(key);
  if (other === undefined) {
    seen.set(key, name);
    return undefined;
  }
  return {
    kind: "duplicate-rule",
    at: ["name"],
    wrong: `It says the same as "${other}"${because === "" ? "" : ", but for the reason it gives"}.`,
    mend: "Take one of them out.",
  };
}

/** One that restricts what is denied anyway, or allows it. INVARIANT: only where the other surely matches whatever it does. */
function shadowedRemark(checked: CheckedRule, denying: readonly CheckedRule[]): Remark | undefined {
  if (isDenying(checked.rule)) return undefined;
  const over = denying.find((deny) => isOver(deny.document, checked.document));
  if (over === undefined) return undefined;
  const does = checked.rule.effect === "allow" ? "allows" : "says";
  return {
    kind: "shadowed-rule",
    at: ["effect"],
    wrong: `"${over.document.name}" denies all that it ${does}: no call ever passes by it.`,
    mend: "Take one of them out, or narrow the one that denies.",
  };
}

type Document = CheckedRule["document"];

function isOver(deny: Document, other: Document): boolean {
  const isSame = (one: unknown, another: unknown): boolean => JSON.stringify(one) === JSON.stringify(another);
  return (
    (deny.when === undefined || deny.when === other.when) &&
    (deny.link === undefined || isSame(deny.link, other.link)) &&
    deny.on_behalf_of === undefined &&
    allWithin(other.callers, deny.callers) &&
    other.methods === undefined &&
    targetKindNames.every((kind) => targetsWithin(other[kind] ?? [], deny[kind] ?? []))
  );
}

/**
 * One that denies what nothing allows. A user may be denied what nobody allowed it: its client needs to be allowed;
 * and a rule that cuts is about who tries.
 */
function idleRemark({ document, rule }: CheckedRule, allowing: readonly CheckedRule[]): Remark | undefined {
  if (rule.effect !== "deny" || rule.isShadow) return undefined;
  // Methods are open unless one denies them.
  if (document.methods !== undefined) return undefined;
  const isOfUsers = document.callers.some((pattern) => overlaps(pattern, "oauth:*/user/*"));
  const isAllowed = allowing.some(
    ({ document: allow }) =>
      (isOfUsers || someOverlap(document.callers, allow.callers, overlaps)) &&
      targetKindNames.some((kind) => someOverlap(document[kind] ?? [], allow[kind] ?? [], targetsOverlap)),
  );
  if (isAllowed) return undefined;
  return {
    kind: "idle-deny",
    at: ["effect"],
    wrong: "It denies what no rule allows: without it the same calls are denied.",
    mend: "Keep it as a guard against rules to come, or look for a slip in whom and what it names.",
  };
}

function someOverlap(
  some: readonly string[],
  others: readonly string[],
  test: (one: string, other: string) => boolean,
): boolean {
  return some.some((one) => others.some((other) => test(one, other)));
}
