/** Values that a JSON Schema allows, made by fast-check: of the keywords our tools' schemas are written with. */
import * as fc from "fast-check";

type Schema = Readonly<Record<string, unknown>>;

const maxDepth = 4;

/** @param root holds `$defs`. What is made of schemas that contradict themselves may be wrong: whoever uses it validates. */
export function valuesOf(root: Schema): fc.Arbitrary<unknown> {
  return valueOf(root, root, 0);
}

function valueOf(given: unknown, root: Schema, depth: number): fc.Arbitrary<unknown> {
  const schema = objectOf(given);
  if ("const" in schema) return fc.constant(schema["const"]);
  const choices = schema["enum"];
  if (Array.isArray(choices) && choices.length > 0) return fc.constantFrom(...(choices as unknown[]));
  const ref = schema["$ref"];
  if (typeof ref === "string")
    return valueOf(objectOf(root["$defs"])[ref.replace("#/$defs/", "")], root, depth + 1);
  for (const keyword of ["anyOf", "oneOf"]) {
    const parts = schema[keyword];
    if (Array.isArray(parts) && parts.length > 0)
      return fc.oneof(...(parts as unknown[]).slice(0, 8).map((part) => valueOf(part, root, depth + 1)));
  }
  const all = schema["allOf"];
  if (Array.isArray(all))
    return merged([{ ...schema, allOf: undefined }, ...(all as unknown[])], root, depth);
  return ofType(schema, root, depth);
}

function merged(parts: readonly unknown[], root: Schema, depth: number): fc.Arbitrary<unknown> {
  return fc.tuple(...parts.map((part) => valueOf(part, root, depth + 1))).map((values) => {
    const objects = values.filter(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    );
    return objects.length > 0 ? Object.assign({}, ...objects) : values.at(-1);
  });
}

function ofType(schema: Schema, root: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema["type"]) {
    case "string":
      return textOf(schema);
    case "integer":
      return fc.integer(rangeOf(schema));
    case "number": {
      const { min, max } = rangeOf(schema);
      return fc.integer({ min, max });
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const minLength = numberOf(schema, "minItems") ?? 0;
      const maxLength = Math.max(minLength, Math.min(numberOf(schema, "maxItems") ?? 2, 2));
      const items = valueOf(schema["items"], root, depth + 1);
      if (depth > maxDepth && minLength === 0) return fc.constant([]);
      return schema["uniqueItems"] === true
        ? fc.uniqueArray(items, {
            minLength,
            maxLength,
            comparator: (a, b) => JSON.stringify(a) === JSON.stringify(b),
          })
        : fc.array(items, { minLength, maxLength });
    }
    case "object":
      return objectWith(schema, root, depth);
    default:
      return fc.constantFrom("x", "y");
  }
}

function objectWith(schema: Schema, root: Schema, depth: number): fc.Arbitrary<unknown> {
  const required = (schema["required"] ?? []) as readonly string[];
  const properties = Object.entries(objectOf(schema["properties"]));
  // Deep down only what must be there: schemas that hold themselves would have no end.
  const made = properties.filter(([name]) => required.includes(name) || depth <= maxDepth);
  const known = made.slice(0, 40).concat(made.slice(40).filter(([name]) => required.includes(name)));
  if (depth > 12) return fc.constant({});
  return fc.record(Object.fromEntries(known.map(([name, each]) => [name, valueOf(each, root, depth + 1)])), {
    requiredKeys: known.flatMap(([name]) => (required.includes(name) ? [name] : [])),
    noNullPrototype: true,
  });
}

const formats: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "date-time": fc
    .date({ min: new Date("2000-01-01"), max: new Date("2040-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString()),
  date: fc.constant("2026-02-28"),
  time: fc.constant("12:00:00Z"),
  duration: fc.constant("P1D"),
  email: fc.constant("a@example.test"),
  hostname: fc.constant("example.test"),
  ipv4: fc.constant("192.0.2.1"),
  ipv6: fc.constant("2001:db8::1"),
  uri: fc.constant("https://example.test/a"),
  "uri-reference": fc.constant("/a"),
  uuid: fc.uuid(),
};

function textOf(schema: Schema): fc.Arbitrary<string> {
  const format = formats[String(schema["format"])];
  if (format !== undefined) return format;
  if (schema["contentEncoding"] === "base64") return fc.base64String({ minLength: 4, maxLength: 12 });
  const minLength = Math.max(1, numberOf(schema, "minLength") ?? 1);
  const maxLength = Math.max(minLength, Math.min(numberOf(schema, "maxLength") ?? 12, minLength + 12));
  const { pattern } = schema as { readonly pattern?: string };
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, "u"));
  return fc
    .string({ unit: fc.constantFrom(...Array.from("abc XYZ019-_é/&=")), minLength, maxLength })
    .filter((text) => text.trim() === text && !/^\.+$/.test(text));
}

function rangeOf(schema: Schema): { readonly min: number; readonly max: number } {
  const low = numberOf(schema, "minimum") ?? (numberOf(schema, "exclusiveMinimum") ?? 0) + 1;
  const high = numberOf(schema, "maximum") ?? (numberOf(schema, "exclusiveMaximum") ?? low + 101) - 1;
  const min = Math.ceil(Math.max(low, -(2 ** 31)));
  return { min, max: Math.max(min, Math.floor(Math.min(high, 2 ** 31 - 1))) };
}

function numberOf(schema: Schema, name: string): number | undefined {
  const value = schema[name];
  return typeof value === "number" ? value : undefined;
}

function objectOf(value: unknown): Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Schema) : {};
}
