/**
 * The types of a tool's arguments, from the JSON Schema of its input: 2020-12 and draft-07, as MCP servers write
 * them. What the schema says in a way that types can't is `dyn`: less is checked then, nothing is refused.
 */
import type { ObjectSpec, TypeSpec } from "./type-spec.ts";

/** A schema is a stranger's text: these many levels and parts are read, what is beyond is `dyn`. */
const maxDepth = 16;
const maxParts = 2000;

/** More values than this are a string, not a choice. */
const maxEnum = 100;

/**
 * The type of `args`. Additional members are allowed only where the schema says so in words; where it says nothing,
 * they must be written `args["name"]`, since a slip is likelier than an argument nobody declared.
 */
export function typeOfSchema(schema: unknown): TypeSpec {
  return typeOf(schema, { root: schema, parts: { left: maxParts }, depth: 0, following: [] });
}

interface Place {
  readonly root: unknown;
  readonly parts: { left: number };
  readonly depth: number;
  /** The references that led here: one that comes again never ends. */
  readonly following: readonly string[];
}

type Schema = Readonly<Record<string, unknown>>;

function typeOf(schema: unknown, place: Place): TypeSpec {
  place.parts.left -= 1;
  if (!isRecord(schema) || place.depth > maxDepth || place.parts.left < 0) return "dyn";
  if (typeof schema["$ref"] === "string") return typeOfReference(schema["$ref"], schema, place);
  for (const several of ["allOf", "not", "if", "$dynamicRef", "$recursiveRef"]) {
    if (schema[several] !== undefined) return "dyn";
  }
  const choice = schema["anyOf"] ?? schema["oneOf"];
  if (choice !== undefined) return typeOfChoice(choice, schema, place);
  const values = schema["const"] === undefined ? schema["enum"] : [schema["const"]];
  if (Array.isArray(values)) return typeOfValues(values, schema["type"]);
  const type = typeOfNames(schema["type"], schema, place);
  return schema["nullable"] === true ? nullable(type) : type;
}

/** `type` is a name, or several of which null may be one. */
function typeOfNames(names: unknown, schema: Schema, place: Place): TypeSpec {
  if (typeof names === "string") return typeOfName(names, schema, place);
  if (names === undefined) return isRecord(schema["properties"]) ? objectType(schema, place) : "dyn";
  if (!Array.isArray(names)) return "dyn";
  const others: readonly unknown[] = names.filter((name) => name !== "null");
  if (others.length === 0) return "null";
  const both = others.every((name) => name === "integer" || name === "number");
  const [first] = others.length === 1 ? others : both ? ["number"] : [];
  if (typeof first !== "string") return "dyn";
  const type = typeOfName(first, schema, place);
  return others.length < names.length ? nullable(type) : type;
}

function typeOfName(name: string, schema: Schema, place: Place): TypeSpec {
  switch (name) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "integer":
      return "int";
    case "number":
      return "double";
    case "null":
      return "null";
    case "array":
      return arrayType(schema, place);
    case "object":
      return objectType(schema, place);
    default:
      return "dyn";
  }
}

function arrayType(schema: Schema, place: Place): TypeSpec {
  const { items } = schema;
  // A list of schemas (draft-07's `items`, 2020-12's `prefixItems`) is a tuple.
  const tuple = Array.isArray(items) || schema["prefixItems"] !== undefined;
  return { kind: "list", of: tuple ? "dyn" : typeOf(items, deeper(place)) };
}

function objectType(schema: Schema, place: Place): TypeSpec {
  const { properties, additionalProperties } = schema;
  const declared = isRecord(properties) ? Object.entries(properties) : [];
  const open = schema["patternProperties"] !== undefined || schema["propertyNames"] !== undefined;
  const others = open ? ({ of: "dyn" } as const) : otherMembers(additionalProperties, place);
  if (declared.length === 0 && typeof others === "object") return { kind: "map", of: others.of };
  // Nothing is declared and nothing said of others: it may hold anything.
  if (declared.length === 0 && others === "unsaid") return { kind: "map", of: "dyn" };
  const members = declared.map(([name, type]) => [name, typeOf(type, deeper(place))] as const);
  return { kind: "object", members: Object.fromEntries(members), others };
}

function otherMembers(additional: unknown, place: Place): ObjectSpec["others"] {
  if (additional === undefined) return "unsaid";
  if (additional === false) return "none";
  return { of: additional === true ? "dyn" : typeOf(additional, deeper(place)) };
}

function typeOfValues(values: readonly unknown[], type: unknown): TypeSpec {
  const plain = values.filter((value) => value !== null);
  const hasNull = plain.length < values.length || (Array.isArray(type) && type.includes("null"));
  return hasNull && plain.length > 0 ? nullable(typeOfPlain(plain)) : hasNull ? "null" : typeOfPlain(plain);
}

function typeOfPlain(values: readonly unknown[]): TypeSpec {
  if (values.every((value) => typeof value === "string")) {
    return values.length > maxEnum ? "string" : { kind: "enum", values };
  }
  if (values.every((value) => typeof value === "boolean")) return "bool";
  return values.every((value) => typeof value === "number") ? "double" : "dyn";
}

/** One thing or null is that thing; of several nobody knows which it will be. */
function typeOfChoice(choice: unknown, schema: Schema, place: Place): TypeSpec {
  if (!Array.isArray(choice) || schema["properties"] !== undefined) return "dyn";
  const types = choice.map((each) => typeOf(each, deeper(place)));
  const others = types.filter((type) => type !== "null");
  const [only] = others;
  if (only === undefined) return types.length > 0 ? "null" : "dyn";
  if (others.length > 1) return "dyn";
  return others.length < types.length ? nullable(only) : only;
}

function typeOfReference(reference: string, schema: Schema, place: Place): TypeSpec {
  // In 2020-12 what stands beside a reference counts too; nobody can tell which draft was meant.
  const beside = Object.keys(schema).filter((name) => !silent.includes(name));
  if (beside.length > 0 || place.following.includes(reference)) return "dyn";
  const target = pointed(place.root, reference);
  return typeOf(target, { ...deeper(place), following: [...place.following, reference] });
}

/** Members that say nothing of the type. */
const silent: readonly string[] = [
  "$ref",
  "$schema",
  "$id",
  "$comment",
  "$defs",
  "definitions",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
];

/** The part of the document that a local JSON pointer (RFC 6901) names; undefined for anything else. */
function pointed(root: unknown, reference: string): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/") || reference.length > 512) return undefined;
  let part = root;
  for (const raw of reference.slice(2).split("/")) {
    const name = decoded(raw);
    if (name === undefined || typeof part !== "object" || part === null || !Object.hasOwn(part, name)) {
      return undefined;
    }
    part = (part as Schema)[name];
  }
  return part;
}

function decoded(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}

function deeper(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}

function nullable(type: TypeSpec): TypeSpec {
  const already = type === "dyn" || type === "null" || (typeof type === "object" && type.kind === "nullable");
  return already ? type : { kind: "nullable", of: type };
}

function isRecord(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
