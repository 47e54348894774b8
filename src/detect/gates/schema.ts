/**
 * Whether arguments are what the tool's own schema allows (JSON Schema 2020-12, the part that tools use). A schema comes from a
 * server: nothing in it is compiled or run, patterns aren't tried, and the work is bounded. What isn't known here allows everything.
 */
import { placeIn } from "./places.ts";

type Schema = Readonly<Record<string, unknown>>;

export type SchemaVerdict =
  | { readonly kind: "fits" }
  | { readonly kind: "differs"; readonly at: string; readonly what: Keyword }
  /** More than is gone through. */
  | { readonly kind: "unread" };

type Keyword =
  | (typeof checks)[number]["keyword"]
  | "anyOf"
  | "oneOf"
  | "allOf"
  | "required"
  | "additionalProperties"
  | "false";

/** Steps for one call: a schema with a hundred parameters takes some hundreds. */
const maxSteps = 20_000;
const maxDepth = 64;

interface Work {
  readonly root: unknown;
  steps: number;
}

interface Difference {
  readonly at: string;
  readonly what: Keyword;
}

class TooMuch extends Error {}

/** @param at what the value is called, such as `arguments` */
export function checkSchema(value: unknown, schema: unknown, at: string): SchemaVerdict {
  try {
    const found = differs(value, schema, { at, depth: 0, work: { root: schema, steps: maxSteps } });
    return found === undefined ? { kind: "fits" } : { kind: "differs", ...found };
  } catch (error) {
    if (error instanceof TooMuch) return { kind: "unread" };
    throw error;
  }
}

interface Place {
  readonly at: string;
  readonly depth: number;
  readonly work: Work;
}

function differs(value: unknown, schema: unknown, place: Place): Difference | undefined {
  const { at, depth, work } = place;
  if (--work.steps < 0 || depth > maxDepth) throw new TooMuch();
  if (schema === false) return { at, what: "false" };
  if (!isObject(schema)) return undefined;
  const below = { at, depth: depth + 1, work };
  const referred = typeof schema["$ref"] === "string" ? resolved(work.root, schema["$ref"]) : undefined;
  const failed = checks.find(
    ({ keyword, fits }) => Object.hasOwn(schema, keyword) && !fits(value, schema[keyword]),
  );
  if (failed !== undefined) return { at, what: failed.keyword };
  return (
    (referred === undefined ? undefined : differs(value, referred, below)) ??
    ofMembers(value, schema, below) ??
    ofItems(value, schema, below) ??
    ofChoices(value, schema, below)
  );
}

interface Check {
  readonly keyword: string;
  readonly fits: (value: unknown, says: unknown) => boolean;
}

const isNumber = (value: unknown): value is number => typeof value === "number";
/** Of values that the keyword isn't about, nothing is said. */
const number =
  (fits: (value: number, says: number) => boolean) =>
  (value: unknown, says: unknown): boolean =>
    !isNumber(value) || !isNumber(says) || fits(value, says);
const size =
  (of: (value: unknown) => number | undefined, fits: (count: number, says: number) => boolean) =>
  (value: unknown, says: unknown): boolean => {
    const count = of(value);
    return count === undefined || !isNumber(says) || fits(count, says);
  };
const charsOf = (value: unknown): number | undefined =>
  typeof value === "string" ? value.length : undefined;
const itemsOf = (value: unknown): number | undefined => (Array.isArray(value) ? value.length : undefined);
const atLeast = (count: number, says: number): boolean => count >= says;
const atMost = (count: number, says: number): boolean => count <= says;

const checks = [
  { keyword: "type", fits: isOfType },
  {
    keyword: "enum",
    fits: (value, says) => !Array.isArray(says) || says.some((each) => isSame(value, each)),
  },
  { keyword: "const", fits: isSame },
  { keyword: "minimum", fits: number(atLeast) },
  { keyword: "maximum", fits: number(atMost) },
  { keyword: "exclusiveMinimum", fits: number((value, says) => value > says) },
  { keyword: "exclusiveMaximum", fits: number((value, says) => value < says) },
  // Lengths are counted in code points: as many UTF-16 units, or up to twice as many.
  { keyword: "minLength", fits: size(charsOf, atLeast) },
  { keyword: "maxLength", fits: size(charsOf, (count, says) => count <= 2 * says) },
  { keyword: "minItems", fits: size(itemsOf, atLeast) },
  { keyword: "maxItems", fits: size(itemsOf, atMost) },
] as const satisfies readonly Check[];

function isOfType(value: unknown, says: unknown): boolean {
  const types: readonly unknown[] = Array.isArray(says) ? says : [says];
  return types.some((type) => {
    if (type === "integer") return isNumber(value) && Number.isInteger(value);
    if (type === "null") return value === null;
    if (type === "array") return Array.isArray(value);
    if (type === "object") return isObject(value);
    return type === "string" || type === "number" || type === "boolean" ? typeof value === type : true;
  });
}

/** Of scalars; of what is bigger nothing is said. */
function isSame(value: unknown, says: unknown): boolean {
  return typeof says === "object" && says !== null ? typeof value === "object" : value === says;
}

function ofMembers(value: unknown, schema: Schema, place: Place): Difference | undefined {
  if (!isObject(value)) return undefined;
  const { properties, required, additionalProperties, patternProperties } = schema;
  if (Array.isArray(required)) {
    const missing: unknown = required.find((name) => typeof name === "string" && !Object.hasOwn(value, name));
    if (missing !== undefined) return { at: place.at, what: "required" };
  }
  const known = isObject(properties) ? properties : {};
  for (const name in value) {
    if (--place.work.steps < 0) throw new TooMuch();
    const below = { ...place, at: placeIn(place.at, name, place.depth) };
    if (Object.hasOwn(known, name)) {
      const found = differs(value[name], known[name], below);
      if (found !== undefined) return found;
    } else if (additionalProperties === false && !isObject(patternProperties)) {
      return { at: below.at, what: "additionalProperties" };
    }
  }
  return undefined;
}

function ofItems(value: unknown, { items }: Schema, place: Place): Difference | undefined {
  if (!Array.isArray(value) || !isObject(items)) return undefined;
  for (const [i, item] of value.entries()) {
    const found = differs(item, items, { ...place, at: placeIn(place.at, i, place.depth) });
    if (found !== undefined) return found;
  }
  return undefined;
}

function ofChoices(value: unknown, schema: Schema, place: Place): Difference | undefined {
  const { allOf, anyOf, oneOf } = schema;
  if (Array.isArray(allOf)) {
    for (const each of allOf) {
      const found = differs(value, each, place);
      if (found !== undefined) return found;
    }
  }
  // What fits two of `oneOf` may differ in what isn't looked at here.
  for (const [what, choices] of [
    ["anyOf", anyOf],
    ["oneOf", oneOf],
  ] as const) {
    if (!Array.isArray(choices) || choices.length === 0) continue;
    if (choices.every((each) => differs(value, each, place) !== undefined)) return { at: place.at, what };
  }
  return undefined;
}

/** Within the schema alone: nothing is fetched. */
function resolved(root: unknown, reference: string): unknown {
  if (!reference.startsWith("#")) return undefined;
  let at = root;
  for (const part of reference.slice(1).split("/").slice(1, maxDepth)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (!isObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
