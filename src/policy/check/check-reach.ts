/** Tools as callers find them: those that nobody can call, and those that everybody can. */
import { isDenying } from "../rule-index.ts";
import { type CheckedRule, isEnforced, matchedTools } from "./checked-rule.ts";
import { type Finding, findingOf, listed } from "./finding.ts";
import type { Known } from "./known.ts";
import { allWithin } from "./overlap.ts";

export function checkReach(rules: readonly CheckedRule[], known: Known): readonly Finding[] {
  const enforced = rules.filter(isEnforced);
  return [...unreachable(enforced, known), ...open(rules, known)];
}

function unreachable(rules: readonly CheckedRule[], { tools }: Known): readonly Finding[] {
  return [...tools].flatMap(([server, named]) => {
    const names = [...named.keys()].filter((name) => !isReachable(rules, server, name));
    if (names.length === 0) return [];
    return [
      findingOf({
        kind: "unreachable-tool",
        at: [],
        wrong: `Nobody can call ${listed(names)} of "${server}".`,
        mend: `Allow ${names.length === 1 ? "it" : "them"} to somebody, or leave it so: what no rule allows is denied.`,
      }),
    ];
  });
}

function isReachable(rules: readonly CheckedRule[], server: string, name: string): boolean {
  const about = rules.filter(({ rule }) => rule.matches.tools(server, name));
  const denied = about
    .filter(({ rule, document: { when, link, on_behalf_of: others } }) => {
      const isWhole = when === undefined && link === undefined && others === undefined;
      return isDenying(rule) && isWhole;
    })
    .flatMap(({ document }) => document.callers);
  return about.some(({ rule, document }) => rule.effect === "allow" && !allWithin(document.callers, denied));
}

/** Rules that allow everybody something without asking anything, where no other rule asks anything either. */
function open(rules: readonly CheckedRule[], known: Known): readonly Finding[] {
  return rules.flatMap((checked, index) => {
    const { document } = checked;
    const { name, tools = [] } = document;
    if (tools.length === 0 || !isUnconditional(checked)) return [];
    const others = rules.filter((other) => isEnforced(other) && other.rule.effect !== "allow");
    const found = matchedTools(checked, known).filter(
      ({ server, name: tool }) => !others.some(({ rule }) => rule.matches.tools(server, tool)),
    );
    if (known.tools.size === 0 ? others.length > 0 : found.length === 0) return [];
    const what = found.length === 0 ? tools : found.map((each) => `${each.server}/${each.name}`);
    return [
      findingOf(
        {
          kind: "open-to-all",
          at: ["callers"],
          wrong: `Everybody who gets in can call ${listed(what)}, whatever the arguments, the link and the time.`,
          mend: "Name the callers it is for, or add a condition.",
        },
        { rule: name, index },
      ),
    ];
  });
}

function isUnconditional({ document, rule }: CheckedRule): boolean {
  const { callers, when, link, signature, on_behalf_of: others } = document;
  const asksNothing = [when, link, signature, others].every((each) => each === undefined);
  return (
    rule.effect === "allow" && !rule.isShadow && callers.some((each) => /^\*+$/.test(each)) && asksNothing
  );
}
