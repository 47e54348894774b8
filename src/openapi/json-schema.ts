/**
 * Schemas of OpenAPI 3.1 as JSON Schema 2020-12 that strict validators take: known keywords alone, each beside a type it is
 * for, every reference within the schema. What can't be said that way is left out, and told: the API judges its arguments anyhow.
 */
import { resolved } from "./references.ts";
import { isObject, type JsonObject, member, membersOf } from "./values.ts";

export interface ConvertedSchema {
  /** With `$defs`, where it needs some. */
  readonly schema: JsonObject;
  /** What was left out: keywords, patterns, references; each once. */
  readonly notes: readonly string[];
}

/** In which direction it goes: what is read-only isn't sent, what is write-only isn't answered. */
export type Direction = "request" | "answer";

const schemaLimits = {
  depth: 40,
  /** Subschemas of one tool's arguments, and of its answer, which models read with every list: what is beyond them is taken as it comes. */
  nodes: { request: 2000, answer: 500 },
  /** Of one object: validators of clients compile them into one expression. */
  properties: 500,
};

type Draft = Record<string, unknown>;

const types = ["string", "number", "integer", "boolean", "object", "array", "null"] as const;
type TypeName = (typeof types)[number];

/** For which types a keyword says something. */
const keywordTypes: Readonly<Record<string, readonly TypeName[]>> = {
  multipleOf: ["number", "integer"],
  maximum: ["number", "integer"],
  minimum: ["number", "integer"],
  exclusiveMaximum: ["number", "integer"],
  exclusiveMinimum: ["number", "integer"],
  maxLength: ["string"],
  minLength: ["string"],
  pattern: ["string"],
  format: ["string"],
  contentEncoding: ["string"],
  contentMediaType: ["string"],
  items: ["array"],
  maxItems: ["array"],
  minItems: ["array"],
  uniqueItems: ["array"],
  properties: ["object"],
  required: ["object"],
  additionalProperties: ["object"],
  patternProperties: ["object"],
  maxProperties: ["object"],
  minProperties: ["object"],
};

/** JSON Schema 2020-12 Validation §7.3; those of OpenAPI (`int32`, `password` …) aren't among them. */
const formats = new Set(
  "date-time date time duration email hostname ipv4 ipv6 uri uri-reference uri-template uuid json-pointer relative-json-pointer regex".split(
    " ",
  ),
);

export function convertSchema(root: JsonObject, schema: unknown, direction: Direction): ConvertedSchema {
  const converter = new Converter(root, direction);
  const converted = converter.convert(schema, 0);
  const definitions = converter.definitions();
  return {
    schema: Object.keys(definitions).length === 0 ? converted : { ...converted, $defs: definitions },
    notes: converter.notes(),
  };
}

/** A class for what one conversion gathers: definitions by reference, and notes. */
class Converter {
  readonly #root: JsonObject;
  readonly #direction: Direction;
  readonly #names = new Map<string, string>();
  readonly #definitions: Draft = {};
  readonly #notes = new Set<string>();
  readonly #waiting: { readonly name: string; readonly ref: string }[] = [];
  #nodes = 0;

  constructor(root: JsonObject, direction: Direction) {
    this.#root = root;
    this.#direction = direction;
  }

  notes(): readonly string[] {
    return [...this.#notes];
  }

  definitions(): Draft {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const value = resolved(this.#root, { $ref: next.ref });
      if (value === undefined) this.#note(`${next.ref.slice(0, 200)} leads nowhere`);
      this.#definitions[next.name] = this.convert(value ?? {}, 1);
    }
    return this.#definitions;
  }

  convert(given: unknown, depth: number): Draft {
    if (given === false) return { not: {} };
    if (!isObject(given)) return {};
    if (depth > schemaLimits.depth || ++this.#nodes > schemaLimits.nodes[this.#direction]) {
      this.#note("it is larger than what is said of it; the rest is taken as it comes");
      return {};
    }
    const ref = member(given, "$ref");
    if (typeof ref === "string") return this.#referring(ref, given, depth);
    return this.#typed(given, depth);
  }

  #referring(ref: string, given: JsonObject, depth: number): Draft {
    const { $ref: _, ...siblings } = given;
    const annotations = this.#annotations(siblings);
    const rest = Object.keys(siblings).some((key) => !(key in annotations) && this.#isKnown(key));
    const referred: Draft = { $ref: `#/$defs/${this.#nameOf(ref)}` };
    return rest
      ? { ...this.#typed(siblings, depth + 1), allOf: [referred] }
      : { ...annotations, ...referred };
  }

  #isKnown(key: string): boolean {
    return (
      Object.hasOwn(keywordTypes, key) || ["type", "allOf", "anyOf", "oneOf", "enum", "const"].includes(key)
    );
  }

  #nameOf(ref: string): string {
    const known = this.#names.get(ref);
    if (known !== undefined) return known;
    const last = ref
      .slice(ref.lastIndexOf("/") + 1)
      .replaceAll(/~[01]|%[0-9A-Fa-f]{2}|[^A-Za-z0-9_.-]/g, "_");
    const wished = last.slice(0, 60) || "schema";
    const taken = new Set(this.#names.values());
    let name = wished;
    for (let count = 2; taken.has(name); count++) name = `${wished}_${count}`;
    this.#names.set(ref, name);
    this.#waiting.push({ name, ref });
    return name;
  }

  /** A union of types is written as a choice: strict validators want each keyword beside one type. */
  #typed(given: JsonObject, depth: number): Draft {
    const named = this.#types(given);
    const solid = named.filter((type) => type !== "null");
    if (solid.length > 1) {
      const choice = named.map((type) => this.#ofType(given, type, depth + 1));
      return { ...this.#annotations(given), anyOf: choice, ...this.#values(given) };
    }
    const [type] = solid.length === 1 ? solid : named;
    const base = { ...this.#annotations(given), ...this.#ofType(given, type, depth), ...this.#values(given) };
    if (solid.length === 1 && named.includes("null") && allowsNull(given)) return orNull(base);
    return this.#applied(base, given, depth);
  }

  /** What it says it is, or what its keywords are for. */
  #types(given: JsonObject): readonly TypeName[] {
    const said = given["type"];
    const list = (Array.isArray(said) ? said : [said]).filter((type): type is TypeName =>
      types.some((each) => each === type),
    );
    if (said === "file") return ["string"];
    if (list.length > 0)
      return [...new Set(list)].filter((type) => type !== "integer" || !list.includes("number"));
    if (said !== undefined) this.#note(`the type ${JSON.stringify(said).slice(0, 80)} isn't one`);
    const implied = new Set(
      Object.keys(given).flatMap((key) =>
        Object.hasOwn(keywordTypes, key) ? (keywordTypes[key] ?? []).slice(0, 1) : [],
      ),
    );
    implied.delete("string"); // A format alone is said of numbers as well.
    return implied.size === 1 ? [...implied] : [];
  }

  #ofType(given: JsonObject, type: TypeName | undefined, depth: number): Draft {
    if (type === undefined) return {};
    const draft: Draft = { type };
    for (const [keyword, value] of Object.entries(given)) {
      if (!Object.hasOwn(keywordTypes, keyword) || keywordTypes[keyword]?.includes(type) !== true) continue;
      const kept = this.#keyword(keyword, value, depth);
      if (kept !== undefined) draft[keyword] = kept;
    }
    if (type === "array") this.#finishArray(draft, given, depth);
    if (type === "object") this.#finishObject(draft, given);
    if (isCut(draft, given)) delete draft["additionalProperties"];
    if (type === "string" && given["type"] === "file") draft["contentEncoding"] = "base64";
    if (type === "string" && given["format"] === "byte") draft["contentEncoding"] = "base64";
    return draft;
  }

  #keyword(keyword: string, value: unknown, depth: number): unknown {
    switch (keyword) {
      case "properties":
      case "patternProperties":
        return this.#properties(keyword, value, depth);
      case "items":
        return Array.isArray(value) ? undefined : this.convert(value, depth + 1);
      case "additionalProperties":
        return typeof value === "boolean" ? value : this.convert(value, depth + 1);
      default:
        return typeof value === "string" ? this.#ofText(keyword, value) : plainKeyword(keyword, value);
    }
  }

  #ofText(keyword: string, value: string): string | undefined {
    if (keyword === "pattern") return this.#isPattern(value) ? value : undefined;
    if (keyword === "format") return formats.has(value) ? value : undefined;
    return keyword === "contentEncoding" || keyword === "contentMediaType" ? value : undefined;
  }

  #properties(keyword: string, value: unknown, depth: number): Draft | undefined {
    if (!isObject(value)) return undefined;
    const kept = Object.entries(value).filter(([name, property]) => {
      if (keyword === "patternProperties") return this.#isPattern(name);
      return !this.#isForTheOtherWay(property);
    });
    if (kept.length > schemaLimits.properties) this.#note(`of ${kept.length} properties not all are said`);
    const said = kept.slice(0, schemaLimits.properties);
    return Object.fromEntries(said.map(([name, property]) => [name, this.convert(property, depth + 1)]));
  }

  #isForTheOtherWay(property: unknown): boolean {
    const hidden = this.#direction === "request" ? "readOnly" : "writeOnly";
    return member(property, hidden) === true || resolvedOnce(this.#root, property)?.[hidden] === true;
  }

  #isPattern(pattern: string): boolean {
    try {
      return new RegExp(pattern, "u").source !== "";
    } catch {
      this.#note(`the pattern ${JSON.stringify(pattern.slice(0, 80))} isn't one of ECMA-262`);
      return false;
    }
  }

  /** Tuples are said as arrays of whatever any of their places may be. */
  #finishArray(draft: Draft, given: JsonObject, depth: number): void {
    const tuple = Array.isArray(given["items"]) ? given["items"] : given["prefixItems"];
    if (!Array.isArray(tuple)) return;
    this.#note("a tuple is said as an array");
    const choices = tuple.slice(0, 50).map((item) => this.convert(item, depth + 1));
    draft["items"] = choices.length === 0 ? {} : { anyOf: choices };
  }

  /** Strict validators want what is required to be a property; what goes the other way isn't. */
  #finishObject(draft: Draft, given: JsonObject): void {
    const { required } = draft;
    if (!Array.isArray(required)) return;
    const all = member(given, "properties");
    const properties = isObject(draft["properties"]) ? draft["properties"] : {};
    const hidden = (name: string): boolean => this.#isForTheOtherWay(member(all, name));
    const wanted = required.filter((name): name is string => typeof name === "string" && !hidden(name));
    const missing = wanted.filter((name) => !Object.hasOwn(properties, name));
    if (missing.length > 0)
      draft["properties"] = { ...properties, ...Object.fromEntries(missing.map((name) => [name, {}])) };
    if (wanted.length === 0) delete draft["required"];
    else draft["required"] = wanted;
  }

  /** allOf, anyOf, oneOf and not; beside a type only if their parts can have it. */
  #applied(base: Draft, given: JsonObject, depth: number): Draft {
    let draft = base;
    for (const keyword of ["allOf", "anyOf", "oneOf"] as const) {
      const parts = given[keyword];
      if (!Array.isArray(parts) || parts.length === 0) continue;
      const converted = parts.slice(0, 200).map((part) => this.convert(part, depth + 1));
      if (parts.length > converted.length) this.#note(`${keyword} has ${parts.length} parts`);
      draft = { ...draft, [keyword]: converted };
    }
    const not = given["not"];
    if (isObject(not)) draft = { ...draft, not: this.convert(not, depth + 1) };
    return isContradicting(draft) ? this.#parted(draft) : draft;
  }

  /** Types that contradict each other in one place are put side by side, where each stands for itself. */
  #parted({ allOf, anyOf, oneOf, not, ...own }: Draft): Draft {
    const said = { allOf, anyOf, oneOf, not };
    const parts = Object.entries(said).flatMap(([keyword, value]) =>
      value === undefined ? [] : [{ [keyword]: value }],
    );
    const { type: _, properties: _p, required: _r, items: _i, ...annotations } = own;
    this.#note("a type that contradicts the parts beside it is left to them");
    return { ...pick(annotations, annotationNames), ...Object.assign({}, ...parts) };
  }

  #annotations(given: JsonObject): Draft {
    const draft: Draft = {};
    for (const name of ["title", "description"] as const) {
      const text = given[name];
      if (typeof text === "string" && text !== "") draft[name] = text.slice(0, 2000);
    }
    for (const name of ["deprecated", "readOnly", "writeOnly"] as const) {
      if (given[name] === true) draft[name] = true;
    }
    if (given["default"] !== undefined) draft["default"] = given["default"];
    return draft;
  }

  #values(given: JsonObject): Draft {
    const values = given["enum"];
    const draft: Draft = {};
    if (Array.isArray(values) && values.length > 0) draft["enum"] = distinct(values);
    if (given["const"] !== undefined) draft["const"] = given["const"];
    return draft;
  }

  #note(text: string): void {
    if (this.#notes.size < 50) this.#notes.add(text);
  }
}

const annotationNames = [
  "title",
  "description",
  "deprecated",
  "readOnly",
  "writeOnly",
  "default",
  "enum",
  "const",
];

function pick(draft: Draft, names: readonly string[]): Draft {
  return Object.fromEntries(Object.entries(draft).filter(([name]) => names.includes(name)));
}

/** Whether there are properties that nothing is said of. */
function isCut({ properties }: Draft, given: JsonObject): boolean {
  const count = membersOf(given["properties"]).length;
  return count > schemaLimits.properties && membersOf(properties).length < count;
}

/** An enum says all there may be, whatever the types beside it. */
function allowsNull({ enum: values }: JsonObject): boolean {
  return !Array.isArray(values) || values.includes(null);
}

function orNull(draft: Draft): Draft {
  const { title, description, default: preset, ...rest } = draft;
  const annotations = { title, description, default: preset };
  const said = Object.fromEntries(Object.entries(annotations).filter(([, value]) => value !== undefined));
  return { ...said, anyOf: [rest, { type: "null" }] };
}

function plainKeyword(keyword: string, value: unknown): unknown {
  if (keyword === "required") {
    return Array.isArray(value) ? [...new Set(value.filter((name) => typeof name === "string"))] : undefined;
  }
  if (keyword === "uniqueItems") return value === true ? true : undefined;
  if (keyword === "multipleOf") return typeof value === "number" && value > 0 ? value : undefined;
  return limit(keyword, value);
}

/** Lengths and counts are whole numbers, bounds are numbers. */
function limit(keyword: string, value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  const isCount = /^(?:max|min)(?:Length|Items|Properties)$/.test(keyword);
  return isCount && (!Number.isInteger(value) || value < 0) ? undefined : value;
}

function distinct(values: readonly unknown[]): readonly unknown[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

function resolvedOnce(root: JsonObject, value: unknown): JsonObject | undefined {
  return typeof member(value, "$ref") === "string" ? resolved(root, value) : undefined;
}

/** Whether a part, or a part of one, says another type than the schema it stands in. */
function isContradicting(draft: Draft): boolean {
  const own = draft["type"];
  return own !== undefined && partsOf(draft).some((part) => contradicts(own, part));
}

function contradicts(own: unknown, part: Draft): boolean {
  const { type } = part;
  if (type === undefined) return partsOf(part).some((inner) => contradicts(own, inner));
  return type !== own && (own !== "number" || type !== "integer");
}

function partsOf(draft: Draft): readonly Draft[] {
  return ["allOf", "anyOf", "oneOf", "not"].flatMap((keyword): readonly Draft[] => {
    const found = draft[keyword];
    if (Array.isArray(found)) return found;
    return isObject(found) ? [found] : [];
  });
}
