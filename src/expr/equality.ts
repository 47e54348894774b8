/**
 * `==` and `in`. Numbers compare as numbers. Values of different kinds are neither equal nor unequal but an error:
 * CEL's `false` would let `args.mode != "write"` hold for `["write"]`.
 */
import { type Budget, spend } from "./budget.ts";
import { namesOf } from "./names-of.ts";
import { limits } from "./limits.ts";
import { Dictionary, Duration, Halt, List, Timestamp, type Value, valueInWords } from "./values.ts";

/** What `equals` needs besides the two values. */
export interface Comparison {
  readonly budget: Budget;
  /** Null is a value like others here: it was written, or is declared. */
  readonly nullable: boolean;
}

export function equals(left: Value, right: Value, comparison: Comparison, depth = 0): boolean | Halt {
  if (left === null || right === null) {
    return left === right || comparison.nullable ? left === right : incomparable(left, right);
  }
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right) === 0;
  if (typeof left === "object" && typeof right === "object")
    return equalObjects(left, right, comparison, depth);
  if (typeof left !== typeof right) return incomparable(left, right);
  if (typeof left === "string") spend(comparison.budget, left.length >> 6);
  return left === right;
}

function equalObjects(
  left: Value & object,
  right: Value & object,
  comparison: Comparison,
  depth: number,
): boolean | Halt {
  if (left instanceof Timestamp && right instanceof Timestamp) return left.unixMs === right.unixMs;
  if (left instanceof Duration && right instanceof Duration) return left.ms === right.ms;
  if (depth >= limits.comparedDepth) return new Halt("the values are nested too deeply to compare.");
  if (left instanceof List && right instanceof List) return equalLists(left, right, comparison, depth);
  if (left instanceof Dictionary && right instanceof Dictionary) {
    return equalDictionaries(left, right, comparison, depth);
  }
  return incomparable(left, right);
}

/** @returns whether one of the list equals it; an error where none does and one couldn't be compared */
export function isIn(value: Value, list: List, comparison: Comparison): boolean | Halt {
  spend(comparison.budget, list.items.length);
  let halt: Halt | undefined;
  for (let at = 0; at < list.items.length; at++) {
    const item = list.at(at, element);
    const same = item instanceof Halt ? item : equals(value, item, comparison);
    if (same === true) return true;
    if (same instanceof Halt) halt ??= same;
  }
  return halt ?? false;
}

function equalLists(left: List, right: List, comparison: Comparison, depth: number): boolean | Halt {
  if (left.items.length !== right.items.length) return false;
  spend(comparison.budget, left.items.length);
  for (let at = 0; at < left.items.length; at++) {
    const [one, other] = [left.at(at, element), right.at(at, element)];
    if (one instanceof Halt) return one;
    if (other instanceof Halt) return other;
    const same = equals(one, other, comparison, depth + 1);
    if (same !== true) return same;
  }
  return true;
}

function equalDictionaries(
  left: Dictionary,
  right: Dictionary,
  comparison: Comparison,
  depth: number,
): boolean | Halt {
  const [names, others] = [namesOf(left, comparison.budget), namesOf(right, comparison.budget)];
  if (names instanceof Halt) return names;
  if (others instanceof Halt) return others;
  if (names.length !== others.length) return false;
  for (const name of names) {
    if (!right.has(name)) return false;
    const [one, other] = [left.get(name, element), right.get(name, element)];
    if (one instanceof Halt) return one;
    if (other instanceof Halt) return other;
    const same = equals(one, other, comparison, depth + 1);
    if (same !== true) return same;
  }
  return true;
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** Exact, also between a whole number and one with a fraction. */
export function compareNumbers(left: number | bigint, right: number | bigint): number {
  if (left < right) return -1;
  return left > right ? 1 : 0;
}

function incomparable(left: Value, right: Value): Halt {
  return new Halt(`${valueInWords(left)} can't be compared with ${valueInWords(right)}.`);
}

const element = (): string => "an element";
