/** The operators: which types they take, and what they do. Whole numbers and numbers with fractions mix freely. */
import { type Budget, spend } from "./budget.ts";
import { compareNumbers, type Comparison, isIn } from "./equality.ts";
import { limits } from "./limits.ts";
import { isDuration, isTimestamp } from "./time.ts";
import { kindOf, type Kind, type TypeSpec } from "./type-spec.ts";
import {
  Dictionary,
  Duration,
  Halt,
  inInt64,
  List,
  type Result,
  Timestamp,
  type Value,
  valueInWords,
} from "./values.ts";

export type Arithmetic = "+" | "-" | "*" | "/" | "%";
export type Order = "<" | "<=" | ">" | ">=";

/** @returns the type of the result, or undefined where the operator doesn't take these */
export function typeOfArithmetic(op: Arithmetic, left: TypeSpec, right: TypeSpec): TypeSpec | undefined {
  const [one, other] = [kindOf(left), kindOf(right)];
  const known = arithmeticTypes[`${one} ${op} ${other}`];
  if (known !== undefined) return known;
  if (one !== "dyn" && other !== "dyn") {
    const numeric = isNumeric(one) && isNumeric(other);
    return numeric ? (one === "int" && other === "int" ? "int" : "double") : undefined;
  }
  // One side is only known at run time: it is allowed if any kind of it would be.
  const given = one === "dyn" ? other : one;
  return given === "dyn" || operands[op].includes(given) ? "dyn" : undefined;
}

const arithmeticTypes: Readonly<Record<string, TypeSpec>> = {
  "string + string": "string",
  "timestamp + duration": "timestamp",
  "duration + timestamp": "timestamp",
  "duration + duration": "duration",
  "timestamp - timestamp": "duration",
  "timestamp - duration": "timestamp",
  "duration - duration": "duration",
};

const operands: Readonly<Record<Arithmetic, readonly Kind[]>> = {
  "+": ["int", "double", "string", "timestamp", "duration"],
  "-": ["int", "double", "timestamp", "duration"],
  "*": ["int", "double"],
  "/": ["int", "double"],
  "%": ["int", "double"],
};

export function canOrder(left: TypeSpec, right: TypeSpec): boolean {
  const [one, other] = [kindOf(left), kindOf(right)];
  if (one === "dyn" || other === "dyn") {
    const given = one === "dyn" ? other : one;
    return given === "dyn" || orderable.includes(given);
  }
  return (isNumeric(one) && isNumeric(other)) || (one === other && orderable.includes(one));
}

const orderable: readonly Kind[] = ["int", "double", "string", "timestamp", "duration"];

/** Whether two types can be equal at all; what never can is a mistake, not `false`. */
export function canEqual(left: TypeSpec, right: TypeSpec): boolean {
  const [one, other] = [kindOf(left), kindOf(right)];
  if (one === "flow" || other === "flow") return false;
  if (one === "dyn" || other === "dyn" || one === other) return true;
  if (one === "null") return isNullable(right);
  if (other === "null") return isNullable(left);
  return isNumeric(one) && isNumeric(other);
}

export function isNullable(type: TypeSpec): boolean {
  return type === "null" || (typeof type === "object" && type.kind === "nullable");
}

function isNumeric(kind: Kind | "dyn"): boolean {
  return kind === "int" || kind === "double";
}

/** The type of what may be either, or undefined where that can't be. */
export function commonType(one: TypeSpec, other: TypeSpec): TypeSpec | undefined {
  if (one === other) return one;
  const [kind, otherKind] = [kindOf(one), kindOf(other)];
  if (kind === "dyn" || otherKind === "dyn") return "dyn";
  if (kind === "null" || otherKind === "null") {
    return { kind: "nullable", of: kind === "null" ? other : one };
  }
  if (kind === otherKind) return kind === "list" || kind === "map" ? "dyn" : kind;
  return [kind, otherKind].every((each) => each === "int" || each === "double") ? "double" : undefined;
}

export function order(op: Order, left: Value, right: Value, budget: Budget): boolean | Halt {
  const sign = compare(left, right, budget);
  if (sign instanceof Halt) return sign;
  return orders[op](sign);
}

const orders: Readonly<Record<Order, (sign: number) => boolean>> = {
  "<": (sign) => sign < 0,
  "<=": (sign) => sign <= 0,
  ">": (sign) => sign > 0,
  ">=": (sign) => sign >= 0,
};

function compare(left: Value, right: Value, budget: Budget): number | Halt {
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right);
  if (typeof left === "string" && typeof right === "string") {
    spend(budget, Math.min(left.length, right.length) >> 6);
    return left < right ? -1 : left === right ? 0 : 1;
  }
  if (left instanceof Timestamp && right instanceof Timestamp) {
    return compareNumbers(left.unixMs, right.unixMs);
  }
  if (left instanceof Duration && right instanceof Duration) return compareNumbers(left.ms, right.ms);
  return new Halt(`${valueInWords(left)} is neither more nor less than ${valueInWords(right)}.`);
}

export function contains(value: Value, holder: Value, comparison: Comparison): boolean | Halt {
  if (holder instanceof List) return isIn(value, holder, comparison);
  if (!(holder instanceof Dictionary)) {
    return new Halt(`"in" looks into a list or an object, not into ${valueInWords(holder)}.`);
  }
  return typeof value === "string"
    ? holder.has(value)
    : new Halt(`an object's names are strings, not ${valueInWords(value)}.`);
}

export function negate(value: Value): Result {
  if (typeof value === "bigint") return bounded(-value);
  return typeof value === "number" ? -value : new Halt(`${valueInWords(value)} has no negative.`);
}

export function calculate(op: Arithmetic, left: Value, right: Value, budget: Budget): Result {
  if (typeof left === "bigint" && typeof right === "bigint") return ints[op](left, right);
  if (isNumber(left) && isNumber(right)) return calculateDoubles(op, Number(left), Number(right));
  if (op === "+" && typeof left === "string" && typeof right === "string") return join(left, right, budget);
  const timed = calculateTimes(op, left, right);
  return timed ?? new Halt(`"${op}" doesn't take ${valueInWords(left)} and ${valueInWords(right)}.`);
}

const ints: Readonly<Record<Arithmetic, (left: bigint, right: bigint) => Result>> = {
  "+": (left, right) => bounded(left + right),
  "-": (left, right) => bounded(left - right),
  "*": (left, right) => bounded(left * right),
  "/": (left, right) => (right === 0n ? byZero : bounded(left / right)),
  "%": (left, right) => (right === 0n ? byZero : left % right),
};

const doubles: Readonly<Record<Arithmetic, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right,
};

/** What isn't a finite number compares as false with everything, so it never arises. */
function calculateDoubles(op: Arithmetic, left: number, right: number): Result {
  if ((op === "/" || op === "%") && right === 0) return byZero;
  const result = doubles[op](left, right);
  return Number.isFinite(result) ? result : overflow;
}

function calculateTimes(op: Arithmetic, left: Value, right: Value): Result | undefined {
  if (op !== "+" && op !== "-") return undefined;
  const sign = op === "+" ? 1 : -1;
  if (left instanceof Timestamp && right instanceof Duration) return at(left.unixMs + sign * right.ms);
  if (left instanceof Duration && right instanceof Duration) return lasting(left.ms + sign * right.ms);
  if (!(right instanceof Timestamp)) return undefined;
  if (left instanceof Duration && op === "+") return at(left.ms + right.unixMs);
  return left instanceof Timestamp && op === "-" ? lasting(left.unixMs - right.unixMs) : undefined;
}

function at(unixMs: number): Result {
  return isTimestamp(unixMs)
    ? new Timestamp(unixMs)
    : new Halt("the time is outside of the years 1 to 9999.");
}

function lasting(ms: number): Result {
  return isDuration(ms) ? new Duration(ms) : new Halt("the duration is longer than 10,000 years.");
}

function join(left: string, right: string, budget: Budget): Result {
  spend(budget, (left.length + right.length) >> 5);
  return left.length + right.length <= limits.stringChars
    ? left + right
    : new Halt('a string made with "+" is too large.');
}

function bounded(value: bigint): Result {
  return inInt64(value) ? value : overflow;
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

const byZero = new Halt("a division by zero.");
const overflow = new Halt("a number became too large.");
