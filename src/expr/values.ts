/**
 * What an expression computes with, and how the facts become it: a value is looked at when it is read, against the
 * type it was declared with, and what isn't of that type is an error. Nothing is ever coerced.
 */
import { limits } from "./limits.ts";
import { type Kind, kindInWords, type Scalar, type TypeSpec, typeInWords } from "./type-spec.ts";

/** `bigint` is CEL's int, `number` its double. */
export type Value =
  | string
  | boolean
  | bigint
  | number
  | null
  | Timestamp
  | Duration
  | List
  | Dictionary
  | Flow;

export type Result = Value | Halt;

/** Why there is no value: what went wrong, or which variables aren't known yet. */
export class Halt {
  /** Absent where something went wrong. */
  readonly missing: ReadonlySet<string> | undefined;
  readonly why: string;

  constructor(why: string, missing?: ReadonlySet<string>) {
    this.why = why;
    this.missing = missing;
  }
}

export class Timestamp {
  readonly unixMs: number;

  constructor(unixMs: number) {
    this.unixMs = unixMs;
  }
}

export class Duration {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

/** What is known of what a session has read; in words, why something can't be told. */
export interface KnownFlow {
  readonly labels: () => readonly string[];
  readonly seen: (label: string) => boolean | { readonly why: string };
  /** Of all arguments where no value is given. @param spend is told how many characters are looked through */
  readonly carries: (
    label: string,
    value: unknown,
    spend: (chars: number) => void,
  ) => boolean | { readonly why: string };
}

/** `flow`: nothing but what it is asked. */
export class Flow {
  readonly known: KnownFlow;

  constructor(known: KnownFlow) {
    this.known = known;
  }
}

/** Elements as they came; each is checked when it is read. */
export class List {
  readonly items: readonly unknown[];
  readonly of: ElementType;

  constructor(items: readonly unknown[], of: ElementType) {
    this.items = items;
    this.of = of;
  }

  at(index: number, where: Where): Result {
    if (!Number.isInteger(index) || index < 0 || index >= this.items.length) {
      return new Halt(`${where()} isn't there: the list has ${this.items.length} elements.`);
    }
    return read(this.items[index], this.of, where);
  }
}

/** Members as they came; each is checked when it is read. */
export class Dictionary {
  readonly members: Readonly<Record<string, unknown>>;
  readonly type: ElementType;

  constructor(members: Readonly<Record<string, unknown>>, type: ElementType) {
    this.members = members;
    this.type = type;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.members, name) && this.members[name] !== undefined;
  }

  get(name: string, where: Where): Result {
    if (!this.has(name)) return new Halt(`${where()} isn't there.`);
    return read(this.members[name], memberType(this.type, name), where);
  }
}

/** `computed`: made by the expression itself, so there is nothing to check. */
type ElementType = TypeSpec | "computed";

/** How a value is called in a message; only asked for when there is something to say. */
export type Where = () => string;

/** The value of `raw`, or why it isn't of the type. */
export function read(raw: unknown, type: ElementType, where: Where): Result {
  if (type === "computed") return raw as Value;
  if (typeof type === "string") return scalars[type](raw, where);
  if (type.kind === "nullable") return raw === null ? null : read(raw, type.of, where);
  if (type.kind === "list") return Array.isArray(raw) ? listOf(raw, type.of, where) : wrong(raw, type, where);
  if (type.kind !== "enum") return isRecord(raw) ? new Dictionary(raw, type) : wrong(raw, type, where);
  if (typeof raw !== "string") return wrong(raw, type, where);
  return type.values.includes(raw) ? raw : new Halt(`${where()} is none of the values its type allows.`);
}

const scalars: Readonly<Record<Scalar, (raw: unknown, where: Where) => Result>> = {
  string: (raw, where) => (typeof raw === "string" ? shortEnough(raw, where) : wrong(raw, "string", where)),
  bool: (raw, where) => (typeof raw === "boolean" ? raw : wrong(raw, "bool", where)),
  int: readInt,
  double: (raw, where) =>
    typeof raw === "number" || typeof raw === "bigint" ? readNumber(raw, where) : wrong(raw, "double", where),
  null: (raw, where) => (raw === null ? null : wrong(raw, "null", where)),
  timestamp: (raw, where) => (isTime(raw) ? new Timestamp(raw) : wrong(raw, "timestamp", where)),
  duration: (raw, where) => (isTime(raw) ? new Duration(raw) : wrong(raw, "duration", where)),
  dyn: readDynamic,
  history: (raw, where) => wrong(raw, "history", where),
  flow: (raw, where) => (raw instanceof Flow ? raw : wrong(raw, "flow", where)),
};

function isTime(raw: unknown): raw is number {
  return typeof raw === "number" && Number.isFinite(raw);
}

function readDynamic(raw: unknown, where: Where): Result {
  switch (typeof raw) {
    case "string":
      return shortEnough(raw, where);
    case "boolean":
      return raw;
    case "number":
    case "bigint":
      return readNumber(raw, where);
    default:
      if (raw === null) return null;
      if (Array.isArray(raw)) return listOf(raw, "dyn", where);
      return isRecord(raw) ? new Dictionary(raw, "dyn") : wrong(raw, "dyn", where);
  }
}

function readInt(raw: unknown, where: Where): Result {
  if (typeof raw === "bigint") return inInt64(raw) ? raw : new Halt(`${where()} is too large a number.`);
  if (typeof raw !== "number") return wrong(raw, "int", where);
  if (!Number.isInteger(raw)) {
    return new Halt(`${where()} should be a whole number, but has a fraction.`);
  }
  return Number.isSafeInteger(raw) ? BigInt(raw) : inexact(where);
}

/** Beyond 2^53 JSON's digits are already lost, and a comparison would silently be about another number. */
function readNumber(raw: number | bigint, where: Where): Result {
  if (typeof raw === "bigint") return readInt(raw, where);
  if (!Number.isFinite(raw)) return new Halt(`${where()} isn't a finite number.`);
  return Number.isInteger(raw) && !Number.isSafeInteger(raw) ? inexact(where) : raw;
}

function inexact(where: Where): Halt {
  return new Halt(`${where()} is a number too large to be exact.`);
}

export function inInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

function shortEnough(text: string, where: Where): Result {
  return text.length <= limits.stringChars ? text : new Halt(`${where()} is too large: a long string.`);
}

function listOf(items: readonly unknown[], of: TypeSpec, where: Where): Result {
  return items.length <= limits.elements
    ? new List(items, of)
    : new Halt(`${where()} is too large: a list of ${items.length}.`);
}

function isRecord(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

function wrong(raw: unknown, type: TypeSpec, where: Where): Halt {
  if (raw === undefined) return new Halt(`${where()} isn't there.`);
  return new Halt(`${where()} should be ${typeInWords(type)}, but is ${rawInWords(raw)}.`);
}

function rawInWords(raw: unknown): string {
  if (raw === null) return "null";
  if (Array.isArray(raw)) return "a list";
  switch (typeof raw) {
    case "string":
      return "a string";
    case "boolean":
      return "true or false";
    case "number":
    case "bigint":
      return "a number";
    case "object":
      return "an object";
    default:
      return "nothing JSON knows";
  }
}

function memberType(type: ElementType, name: string): ElementType {
  if (type === "computed" || typeof type === "string") return type;
  if (type.kind === "map") return type.of;
  if (type.kind !== "object") return "dyn";
  if (Object.hasOwn(type.members, name)) return type.members[name] ?? "dyn";
  return typeof type.others === "string" ? "dyn" : type.others.of;
}

export function kindOfValue(value: Value): Kind {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "double";
    default:
      if (value === null) return "null";
      if (value instanceof Timestamp) return "timestamp";
      if (value instanceof Duration) return "duration";
      if (value instanceof Flow) return "flow";
      return value instanceof List ? "list" : "map";
  }
}

export function valueInWords(value: Value): string {
  return kindInWords(kindOfValue(value));
}
