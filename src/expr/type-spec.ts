/** The types a condition's variables have, in a form that knows neither CEL's library nor JSON Schema. */

export type TypeSpec = Scalar | EnumSpec | NullableSpec | ListSpec | MapSpec | ObjectSpec;

/**
 * `int` and `double` are both numbers and mix freely. `timestamp` is Unix milliseconds and `duration` milliseconds,
 * as numbers, in the facts. `dyn` is anything JSON can say; its kind is looked at when it is used. `history` is no value:
 * it is asked (`recall.ts`); `flow` is asked with methods of its own.
 */
export type Scalar =
  | "string"
  | "bool"
  | "int"
  | "double"
  | "null"
  | "timestamp"
  | "duration"
  | "dyn"
  | "history"
  | "flow";

/** A string that is one of these. */
interface EnumSpec {
  readonly kind: "enum";
  readonly values: readonly string[];
}

/** `of`, or null. */
interface NullableSpec {
  readonly kind: "nullable";
  readonly of: TypeSpec;
}

interface ListSpec {
  readonly kind: "list";
  readonly of: TypeSpec;
}

/** Any names, all values of one type. */
interface MapSpec {
  readonly kind: "map";
  readonly of: TypeSpec;
}

export interface ObjectSpec {
  readonly kind: "object";
  readonly members: Readonly<Record<string, TypeSpec>>;
  /**
   * What a name that isn't among the members is: a mistake (`none`), a mistake unless written as `x["name"]`
   * (`unsaid`: nobody said whether there are others), or a value of a type.
   */
  readonly others: "none" | "unsaid" | { readonly of: TypeSpec };
}

/** What a value is once it is read. */
export type Kind =
  | "string"
  | "bool"
  | "int"
  | "double"
  | "null"
  | "timestamp"
  | "duration"
  | "list"
  | "map"
  | "history"
  | "flow";

/** The kind a type stands for, null aside; `dyn` where only the value tells. */
export function kindOf(type: TypeSpec): Kind | "dyn" {
  if (typeof type === "string") return type;
  if (type.kind === "nullable") return kindOf(type.of);
  return kinds[type.kind];
}

const kinds = { enum: "string", list: "list", map: "map", object: "map" } as const;

/** The type of an element of a list or a map; `dyn` where they aren't of one type. */
export function elementOf(type: TypeSpec): TypeSpec {
  if (typeof type === "string") return "dyn";
  if (type.kind === "nullable") return elementOf(type.of);
  return type.kind === "list" || type.kind === "map" ? type.of : "dyn";
}

const words: Readonly<Record<Kind | "dyn", string>> = {
  string: "a string",
  bool: "true or false",
  int: "a whole number",
  double: "a number",
  null: "null",
  timestamp: "a point in time",
  duration: "a duration",
  list: "a list",
  map: "an object",
  history: "the calls that came before",
  flow: "what the session has read",
  dyn: "a value of any type",
};

export function kindInWords(kind: Kind | "dyn"): string {
  return words[kind];
}

export function typeInWords(type: TypeSpec): string {
  if (typeof type === "string") return words[type];
  return type.kind === "nullable" ? `${typeInWords(type.of)} or null` : words[kindOf(type)];
}
