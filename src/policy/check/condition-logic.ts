/**
 * What can be told of a condition by its text alone: that it can never be true, or never false. The condition is
 * taken apart into alternatives, each a list of claims that must all be true; an alternative is impossible if two of
 * its claims exclude each other. INVARIANT: whatever isn't understood is a claim that may be true or false.
 */
import { type Node, sourceOf } from "../../expr/syntax.ts";
import { type Claim, isPossible } from "./claims.ts";
import { comparisonOf, flipped, keyOf } from "./comparison.ts";

/** Whether no facts make it `value`. It may still err. */
export function canNeverBe(value: boolean, node: Node): boolean {
  const found = alternatives(node, value);
  return found !== undefined && found.every((claims) => !isPossible(claims));
}

/** More than so many ways to be true, or claims in one, aren't looked at. */
const maxAlternatives = 128;
const maxClaims = 200;

type Alternatives = readonly (readonly Claim[])[];

/** The ways in which it becomes `wanted`; undefined where there are too many. */
function alternatives(node: Node, wanted: boolean): Alternatives | undefined {
  switch (node.op) {
    case "&&":
    case "||": {
      const [one, other] = node.args.map((part) => alternatives(part, wanted));
      if (one === undefined || other === undefined) return undefined;
      return (node.op === "&&") === wanted ? both(one, other) : either(one, other);
    }
    case "!_":
      return alternatives(node.args, !wanted);
    case "?:": {
      const [test, then, otherwise] = node.args;
      const paths = [
        [alternatives(test, true), alternatives(then, wanted)],
        [alternatives(test, false), alternatives(otherwise, wanted)],
      ].map(([one, other]) => one && other && both(one, other));
      const [first, second] = paths;
      return first && second && either(first, second);
    }
    case "value":
      if (typeof node.args === "boolean") return node.args === wanted ? [[]] : [];
      return [[{ kind: "claim", key: keyOf(node), is: wanted }]];
    default:
      return [[claimOf(node, wanted)]];
  }
}

function claimOf(node: Node, wanted: boolean): Claim {
  const comparison = comparisonOf(node);
  if (comparison !== undefined) return wanted ? comparison : flipped(comparison);
  return { kind: "claim", key: keyOf(node), is: wanted };
}

function both(one: Alternatives, other: Alternatives): Alternatives | undefined {
  if (one.length * other.length > maxAlternatives) return undefined;
  const joined = one.flatMap((claims) => other.map((more) => [...claims, ...more]));
  return joined.some(({ length }) => length > maxClaims) ? undefined : joined;
}

function either(one: Alternatives, other: Alternatives): Alternatives | undefined {
  return one.length + other.length > maxAlternatives ? undefined : [...one, ...other];
}

/** Comparisons with a value that what is compared never has: the hour of a clock with 24. */
export function outOfRange(
  node: Node,
): readonly { readonly node: Node; readonly says: string; readonly range: string }[] {
  return nodesIn(node).flatMap((part) => {
    const comparison = comparisonOf(part);
    if (comparison?.range?.says === undefined) return [];
    const isNever = !isPossible([comparison]);
    const isAlways = comparison.op === "!=" && !isPossible([flipped(comparison)]);
    if (!isNever && !isAlways) return [];
    return [{ node: part, says: sourceOf(part), range: comparison.range.says }];
  });
}

/** What is looked for in a list of names that the config gives: `"finance" in caller.groups`. */
export function namesLookedFor(
  node: Node,
  list: { readonly variable: string; readonly member: string },
): readonly { readonly name: string; readonly node: Node }[] {
  return nodesIn(node).flatMap((part) => {
    if (part.op !== "in" || part.args[0].op !== "value" || typeof part.args[0].args !== "string") return [];
    const [name, within] = part.args;
    const isList =
      within.op === "." &&
      within.args[1] === list.member &&
      within.args[0].op === "id" &&
      within.args[0].args === list.variable;
    return isList && typeof name.args === "string" ? [{ name: name.args, node: name }] : [];
  });
}

/** All nodes, from the outside in. */
export function nodesIn(node: Node): readonly Node[] {
  return [node, ...partsOf(node.args).flatMap(nodesIn)];
}

function partsOf(args: unknown): readonly Node[] {
  if (Array.isArray(args)) return args.flatMap(partsOf);
  return typeof args === "object" && args !== null && "op" in args ? [args as Node] : [];
}
