/** The functions and methods of the language, one row each. A name that has no row is unknown when it is compiled. */
import { type Budget, spend } from "./budget.ts";
import { flowRows } from "./flow.ts";
import { limits } from "./limits.ts";
import { type Address, holds, type Network, parseAddress, parseNetwork } from "./network.ts";
import { namesOf } from "./names-of.ts";
import { compilePattern, type Pattern } from "./pattern.ts";
import {
  type Clock,
  type ClockFields,
  parseDuration,
  parseTimestamp,
  isTimestamp,
  utc,
  zoneClock,
} from "./time.ts";
import type { Kind, TypeSpec } from "./type-spec.ts";
import {
  Dictionary,
  Duration,
  Halt,
  List,
  type Result,
  Timestamp,
  type Value,
  valueInWords,
} from "./values.ts";

/** What stands behind a literal argument: made once, when the condition is compiled. */
export type Prepared = Pattern | Clock | Network | Value;

export interface Row {
  readonly name: string;
  /** A method is written `receiver.name(…)`, and its receiver is the first parameter. */
  readonly style: "function" | "method" | "both";
  /** The kinds each parameter takes. */
  readonly takes: readonly (readonly Kind[])[];
  readonly gives: TypeSpec;
  /** The parameter that is made ready at compile time where it is a literal. */
  readonly literal?: {
    readonly at: number;
    /** It can't be anything but a literal. */
    readonly required: boolean;
    /** @returns what it stands for, or what is wrong with it */
    readonly prepare: (text: string) => { readonly made: Prepared } | { readonly wrong: string };
  };
  /** `prepared` is undefined where the literal isn't one. @throws Exhausted */
  readonly run: (values: readonly Value[], budget: Budget, prepared: Prepared | undefined) => Result;
}

const text = ["string"] as const;
const number = ["int", "double"] as const;

const stringTest = (
  name: string,
  test: (text: string, part: string) => boolean,
  costs: (text: string, part: string) => number,
): Row => ({
  name,
  style: "method",
  takes: [text, text],
  gives: "bool",
  run: ([whole, part], budget) => {
    const [searched, wanted] = [textOf(whole), textOf(part)];
    spend(budget, 1 + costs(searched, wanted));
    return test(searched, wanted);
  },
});

/** Of a search the worst case is the product of the lengths, and hostile texts can bring it about. */
const searchCost = (whole: string, part: string): number => Math.floor((whole.length * part.length) / 256);
const compareCost = (_: string, part: string): number => part.length >> 6;

const stringChange = (name: string, change: (text: string) => string): Row => ({
  name,
  style: "method",
  takes: [text],
  gives: "string",
  run: ([value], budget) => {
    spend(budget, 1 + (textOf(value).length >> 1));
    return change(textOf(value));
  },
});

const field = (name: string, pick: (clock: ClockFields) => number): readonly Row[] => [
  {
    name,
    style: "method",
    takes: [["timestamp"]],
    gives: "int",
    run: ([time]) => (time instanceof Timestamp ? BigInt(pick(utc(time.unixMs))) : unexpected(time)),
  },
  {
    name,
    style: "method",
    takes: [["timestamp"], text],
    gives: "int",
    literal: { at: 1, required: true, prepare: prepareZone },
    run: ([time], budget, clock) => {
      spend(budget, 50);
      if (!(time instanceof Timestamp) || typeof clock !== "function") return unexpected(time);
      return BigInt(pick(clock(time.unixMs)));
    },
  },
];

/** `getHours` and the like: the clock's field of a timestamp, or how many whole ones a duration has. */
const fieldOrCount = (name: string, pick: (clock: ClockFields) => number, unitMs: number): readonly Row[] => {
  const [plain, zoned] = field(name, pick);
  if (plain === undefined || zoned === undefined) return [];
  return [
    {
      ...plain,
      takes: [["timestamp", "duration"]],
      run: (values, budget, prepared) =>
        values[0] instanceof Duration
          ? BigInt(Math.trunc(values[0].ms / unitMs))
          : plain.run(values, budget, prepared),
    },
    zoned,
  ];
};

export const rows: readonly Row[] = [
  {
    name: "size",
    style: "both",
    takes: [["string", "list", "map"]],
    gives: "int",
    run: ([value], budget) => sizeOf(value, budget),
  },
  stringTest("contains", (whole, part) => whole.includes(part), searchCost),
  stringTest("startsWith", (whole, part) => whole.startsWith(part), compareCost),
  stringTest("endsWith", (whole, part) => whole.endsWith(part), compareCost),
  {
    name: "matches",
    style: "both",
    takes: [text, text],
    gives: "bool",
    literal: { at: 1, required: true, prepare: preparePattern },
    run: ([value], budget, pattern) =>
      typeof value === "string" && isPattern(pattern) ? pattern.isFoundIn(value, budget) : unexpected(value),
  },
  stringChange("lowerAscii", (value) => value.replace(/[A-Z]+/g, (part) => part.toLowerCase())),
  stringChange("upperAscii", (value) => value.replace(/[a-z]+/g, (part) => part.toUpperCase())),
  stringChange("trim", (value) => value.trim()),
  {
    name: "split",
    style: "method",
    takes: [text, text],
    gives: { kind: "list", of: "string" },
    run: ([whole, separator], budget) => split(textOf(whole), textOf(separator), budget),
  },
  {
    name: "inNetwork",
    style: "function",
    takes: [text, text],
    gives: "bool",
    literal: { at: 1, required: false, prepare: prepareNetwork },
    run: ([address, network], budget, prepared) => {
      spend(budget, 20);
      return inNetwork(textOf(address), isNetwork(prepared) ? prepared : parseNetwork(textOf(network)));
    },
  },
  {
    name: "duration",
    style: "function",
    takes: [text],
    gives: "duration",
    literal: { at: 0, required: false, prepare: prepareDuration },
    run: ([value], _, made) => (made instanceof Duration ? made : durationOf(textOf(value))),
  },
  {
    name: "timestamp",
    style: "function",
    takes: [["string", "int"]],
    gives: "timestamp",
    literal: { at: 0, required: false, prepare: prepareTimestamp },
    run: ([value], _, made) => (made instanceof Timestamp ? made : timestampOf(value ?? null)),
  },
  {
    name: "int",
    style: "function",
    takes: [[...number, "string", "timestamp"]],
    gives: "int",
    run: ([value]) => intOf(value ?? null),
  },
  {
    name: "double",
    style: "function",
    takes: [[...number, "string"]],
    gives: "double",
    run: ([value]) => doubleOf(value ?? null),
  },
  {
    name: "string",
    style: "function",
    takes: [[...number, "string", "bool"]],
    gives: "string",
    run: ([value]) => (typeof value === "object" ? unexpected(value) : String(value)),
  },
  ...field("getFullYear", ({ year }) => year),
  ...field("getMonth", ({ month }) => month - 1),
  ...field("getDate", ({ day }) => day),
  ...field("getDayOfMonth", ({ day }) => day - 1),
  ...field("getDayOfWeek", ({ weekday }) => weekday),
  ...field("getDayOfYear", ({ dayOfYear }) => dayOfYear),
  ...fieldOrCount("getHours", ({ hour }) => hour, 3_600_000),
  ...fieldOrCount("getMinutes", ({ minute }) => minute, 60_000),
  ...fieldOrCount("getSeconds", ({ second }) => second, 1000),
  ...fieldOrCount("getMilliseconds", ({ millisecond }) => millisecond, 1),
  ...flowRows,
];

/** A value that was checked to be a string. */
function textOf(value: Value | undefined): string {
  return typeof value === "string" ? value : "";
}

function preparePattern(pattern: string): { made: Prepared } | { wrong: string } {
  const made = compilePattern(pattern);
  return typeof made === "string" ? { wrong: made } : { made };
}

function prepareZone(zone: string): { made: Prepared } | { wrong: string } {
  const made = zoneClock(zone);
  return made === undefined
    ? { wrong: `there is no time zone "${zone}"; write "UTC", "+02:00" or "Europe/Berlin"` }
    : { made };
}

function prepareNetwork(network: string): { made: Prepared } | { wrong: string } {
  const made = parseNetwork(network);
  if (made !== undefined) return { made };
  const masked = /^[^/]+\/\d{1,3}$/.test(network) && parseAddress(network.split("/")[0] ?? "") !== undefined;
  const why = masked ? "; its address must be the network's first one" : "";
  return { wrong: `"${network}" is no network such as "10.0.0.0/8" or "2001:db8::/32"${why}` };
}

function prepareDuration(value: string): { made: Prepared } | { wrong: string } {
  const made = durationOf(value);
  return made instanceof Halt ? { wrong: made.why } : { made };
}

function prepareTimestamp(value: string): { made: Prepared } | { wrong: string } {
  const made = timestampOf(value);
  return made instanceof Halt ? { wrong: made.why } : { made };
}

function inNetwork(address: string, network: Network | undefined): Result {
  const parsed: Address | undefined = parseAddress(address);
  if (parsed === undefined) return new Halt("what inNetwork was given is no IP address.");
  return network === undefined ? new Halt("what inNetwork was given is no network.") : holds(network, parsed);
}

function durationOf(value: string): Duration | Halt {
  const ms = parseDuration(value);
  return ms === undefined
    ? new Halt('a duration is a number and a unit (y, w, d, h, m, s, ms), such as "10y", "90s" or "1d12h"')
    : new Duration(ms);
}

function timestampOf(value: Value): Timestamp | Halt {
  if (typeof value === "bigint") {
    const unixMs = Number(value) * 1000;
    return isTimestamp(unixMs)
      ? new Timestamp(unixMs)
      : new Halt("the time is outside of the years 1 to 9999.");
  }
  const unixMs = typeof value === "string" ? parseTimestamp(value) : undefined;
  return unixMs === undefined
    ? new Halt('a timestamp is written like "2030-01-01T00:00:00Z"')
    : new Timestamp(unixMs);
}

function intOf(value: Value): Result {
  if (typeof value === "bigint") return value;
  if (value instanceof Timestamp) return BigInt(Math.floor(value.unixMs / 1000));
  if (typeof value === "number") {
    const whole = Math.trunc(value);
    return Number.isSafeInteger(whole) ? BigInt(whole) : new Halt("the number is too large for int().");
  }
  return typeof value === "string" && /^-?\d{1,15}$/.test(value)
    ? BigInt(value)
    : new Halt("what int() was given is no whole number.");
}

function doubleOf(value: Value): Result {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  return typeof value === "string" && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value)
    ? Number(value)
    : new Halt("what double() was given is no number.");
}

/** Of a string: its code points, as CEL counts. */
function sizeOf(value: Value | undefined, budget: Budget): Result {
  if (value instanceof List) return BigInt(value.items.length);
  if (value instanceof Dictionary) {
    const names = namesOf(value, budget);
    return names instanceof Halt ? names : BigInt(names.length);
  }
  if (typeof value !== "string") return unexpected(value);
  spend(budget, 1 + (value.length >> 5));
  let low = 0;
  for (let at = 0; at + 1 < value.length; at++) {
    if (isHigh(value.charCodeAt(at)) && isLow(value.charCodeAt(at + 1))) low += 1;
  }
  return BigInt(value.length - low);
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

function split(whole: string, separator: string, budget: Budget): Result {
  spend(budget, 1 + whole.length + searchCost(whole, separator));
  const parts = whole.split(separator);
  return parts.length <= limits.elements
    ? new List(parts, "computed")
    : new Halt("split() made too many parts.");
}

function isPattern(prepared: Prepared | undefined): prepared is Pattern {
  return typeof prepared === "object" && prepared !== null && "isFoundIn" in prepared;
}

function isNetwork(prepared: Prepared | undefined): prepared is Network {
  return typeof prepared === "object" && prepared !== null && "prefixBits" in prepared;
}

function unexpected(value: Value | undefined): Halt {
  return new Halt(`a function was given ${valueInWords(value ?? null)}.`);
}
