/** Conditions: what isn't one, what can't be true, and names that nothing has. */
import { nearest } from "../../kernel/nearest.ts";
import type { Node } from "../../expr/syntax.ts";
import { possibleFacts } from "./possible-facts.ts";
import type { CheckedRule } from "./checked-rule.ts";
import { factTypes } from "../facts.ts";
import { canNeverBe, namesLookedFor, outOfRange } from "./condition-logic.ts";
import { labelsAskedFor } from "../flow-labels.ts";
import { listed, type Remark } from "./finding.ts";
import type { Known } from "./known.ts";

const at = ["when"] as const;

export function checkCondition(checked: CheckedRule, known: Known): readonly Remark[] {
  const { mistake, condition } = checked;
  if (mistake !== undefined) {
    const { message, suggestion, line, column } = mistake;
    const mend =
      suggestion === undefined
        ? "Write what is meant; docs/guide/conditions.md has the language."
        : instead(suggestion);
    return [{ kind: "bad-condition", at, place: { line, column }, wrong: sentence(message), mend }];
  }
  if (condition === undefined) return [];
  const ranges = rangesOf(condition.node);
  return [
    ...intentOf(checked),
    ...ranges,
    ...(ranges.length > 0 ? [] : truthOf(checked)),
    ...namesOf(condition.node, known),
    ...labelsOf(condition.node, known),
  ];
}

function intentOf({ document: { effect }, condition }: CheckedRule): readonly Remark[] {
  if (effect !== "allow" || condition?.compiled.variables.has("intent") !== true) return [];
  return [
    {
      kind: "intent-in-allow",
      at,
      wrong: "A rule that allows reads `intent`, which its client declares itself: whoever says so gets in.",
      mend: "Allow by what is proven of the caller, and read `intent` in rules that restrict.",
    },
  ];
}

function rangesOf(node: Node): readonly Remark[] {
  return outOfRange(node).map(({ node: part, says, range }) => ({
    kind: "out-of-range",
    at,
    place: placeOf(part),
    wrong: `${says} compares with a value that never comes: ${range}.`,
    mend: "Compare with a value within that range.",
  }));
}

/** What it is whatever happens; INVARIANT: only said where it is so for all facts there can be. */
function truthOf(checked: CheckedRule): readonly Remark[] {
  const { condition, document } = checked;
  if (condition === undefined) return [];
  const { compiled, node } = condition;
  const outcomes = new Set(
    possibleFacts(checked).map(({ facts, missing }) => compiled.evaluate(facts, missing).kind),
  );
  const isAlways = (kind: string): boolean => outcomes.size === 1 && outcomes.has(kind as never);
  if (isAlways("error")) {
    const [{ facts, missing } = { facts: {}, missing: new Set<string>() }] = possibleFacts(checked);
    const outcome = compiled.evaluate(facts, missing);
    return [
      {
        kind: "condition-always-errs",
        at,
        wrong: `The condition can't be told for any call: ${outcome.kind === "error" ? outcome.why : ""}`,
        mend: "Write one that can be true and false.",
      },
    ];
  }
  if (isAlways("false") || canNeverBe(true, node)) {
    const effect =
      document.effect === "allow"
        ? "the rule allows nothing"
        : "the rule counts for no call but those it errs on";
    return [
      {
        kind: "condition-never-true",
        at,
        wrong: `The condition can never be true: ${effect}.`,
        mend: "Look for parts of it that exclude each other, or for && where || is meant; a rule that isn't wanted is taken out.",
      },
    ];
  }
  if (isAlways("true") || canNeverBe(false, node)) {
    return [
      {
        kind: "condition-always-true",
        at,
        wrong: "The condition is never false: it holds nobody off.",
        mend: "Leave it out if the rule is meant for all calls; else look for || where && is meant.",
      },
    ];
  }
  return [];
}

const nameLists = [
  { variable: "caller", member: "groups", kind: "unknown-group", what: "group", from: "groups" },
  { variable: "place", member: "networks", kind: "unknown-network", what: "network", from: "networks" },
] as const;

function namesOf(node: Node, known: Known): readonly Remark[] {
  return nameLists.flatMap(({ kind, what, from, ...list }) => {
    const names = known[from];
    if (names === undefined) return [];
    return namesLookedFor(node, list)
      .filter(({ name }) => !names.includes(name))
      .map(({ name, node: part }): Remark => {
        const meant = nearest(name, names);
        const there = names.length === 0 ? `no ${what}s are configured` : `there are ${listed(names)}`;
        return {
          kind,
          at,
          place: placeOf(part),
          wrong: `There is no ${what} "${name}"; ${there}.`,
          mend:
            meant === undefined
              ? `Add it under \`${from}\` in the config, or name one that is there.`
              : instead(JSON.stringify(meant)),
        };
      });
  });
}

/** A label that nothing has is never read. */
function labelsOf(node: Node, { labels }: Known): readonly Remark[] {
  if (labels === undefined) return [];
  const asked = [
    ...labelsAskedFor(node).map(({ label, node: part }) => ({ name: label, node: part })),
    ...namesLookedFor(node, { variable: "tool", member: "labels" }),
  ];
  return asked
    .filter(({ name }) => !labels.includes(name))
    .map(({ name, node: part }): Remark => {
      const meant = nearest(name, labels);
      const there = labels.length === 0 ? "there are none" : `there are ${listed(labels)}`;
      return {
        kind: "unknown-label",
        at,
        place: placeOf(part),
        wrong: `Nothing has the label "${name}"; ${there}.`,
        mend:
          meant === undefined
            ? "Give it to servers' tools, resources or prompts (`labels`), or name a class of `data`."
            : instead(JSON.stringify(meant)),
      };
    });
}

export function instead(suggestion: string): string {
  return `Write ${suggestion} instead.`;
}

/** Names of facts stay as they are written. */
export function sentence(text: string): string {
  const whole = text.endsWith(".") ? text : `${text}.`;
  const [first = ""] = /^\w+/.exec(whole) ?? [];
  return Object.hasOwn(factTypes, first) || first === "hello"
    ? whole
    : `${whole.charAt(0).toUpperCase()}${whole.slice(1)}`;
}

function placeOf({ input, start }: Node): { readonly line: number; readonly column: number } {
  const before = input.slice(0, start);
  return { line: before.split("\n").length, column: start - before.lastIndexOf("\n") };
}
