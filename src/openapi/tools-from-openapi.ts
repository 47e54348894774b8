/** The operations of a document as tools of MCP: names, descriptions, schemas, and which argument goes where in a request. */
import { convertSchema } from "./json-schema.ts";
import { isSafe, type Method, type Operation, type Parameter } from "./operations.ts";
import type { ApiDocument } from "./read-document.ts";
import { resolved } from "./references.ts";
import { isObject, type JsonObject } from "./values.ts";

export interface ApiTool {
  readonly name: string;
  readonly operation: Operation;
  /** As MCP declares it. */
  readonly declaration: JsonObject;
  /** The parameter an argument is for, by the argument's name; the body's is `body`. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The argument that is sent as the body. */
  readonly bodyArgument?: string;
  /** Whether its answer is put into an object, since results of tools are objects. */
  readonly wrapsAnswer: boolean;
  /** What its calls become, as a text: method, path, and where each argument goes. */
  readonly binding: string;
  /** What of its schemas was left out. */
  readonly notes: readonly string[];
}

/** Which operations become tools; all of them if nothing is said. */
export interface Narrowing {
  readonly tags?: readonly string[];
  /** `*` stands for any characters. */
  readonly paths?: readonly string[];
  readonly operations?: readonly string[];
  readonly methods?: readonly Method[];
}

export function toolsOf({ root }: ApiDocument, operations: readonly Operation[]): readonly ApiTool[] {
  const names = new Set<string>();
  return operations.map((operation) => {
    const name = nameOf(operation, names);
    names.add(name);
    return toolOf(root, operation, name);
  });
}

export function isWanted(
  { id, method, path, tags }: Operation,
  { tags: tagged, paths, operations, methods }: Narrowing,
): boolean {
  return (
    (tagged === undefined || tags.some((tag) => tagged.includes(tag))) &&
    (methods?.includes(method) ?? true) &&
    (paths?.some((pattern) => isLike(path, pattern)) ?? true) &&
    (operations?.some((each) => each === id || each === `${method.toUpperCase()} ${path}`) ?? true)
  );
}

function isLike(path: string, pattern: string): boolean {
  const [first = "", ...others] = pattern.split("*");
  if (others.length === 0) return path === pattern;
  if (!path.startsWith(first)) return false;
  let at = first.length;
  const last = others.pop() ?? "";
  for (const part of others) {
    const found = path.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return path.length - last.length >= at && path.endsWith(last);
}

const longestName = 64;

/** Letters, digits, `_`, `-` and `.` (SEP-986), short enough for every model's maker. */
function nameOf({ id, method, path }: Operation, taken: ReadonlySet<string>): string {
  const wished = id ?? `${method}_${path.replaceAll(/^\/|[{}]/g, "")}`;
  const clean = wished.replaceAll(/[^A-Za-z0-9_.-]+/g, "_").replaceAll(/^_+|_+$/g, "");
  const name = clean.slice(0, longestName) || method;
  if (!taken.has(name)) return name;
  for (let count = 2; ; count++) {
    const other = `${name.slice(0, longestName - 5)}_${count}`;
    if (!taken.has(other)) return other;
  }
}

export function toolOf(root: JsonObject, operation: Operation, name: string): ApiTool {
  const parameters = argumentNames(operation.parameters);
  const bodyArgument = operation.body && unusedName("body", new Set(parameters.keys()));
  const input = inputSchema(root, operation, { parameters, bodyArgument });
  const output = outputSchema(root, operation);
  return {
    name,
    operation,
    parameters,
    ...(bodyArgument !== undefined && { bodyArgument }),
    wrapsAnswer: output.wraps,
    binding: bindingOf(operation, parameters, bodyArgument),
    notes: [...new Set([...input.notes, ...output.notes])],
    declaration: {
      name,
      ...(operation.summary !== "" && { title: operation.summary.slice(0, 200) }),
      description: descriptionOf(operation),
      inputSchema: input.schema,
      ...(output.schema && { outputSchema: output.schema }),
      annotations: annotationsOf(operation.method),
    },
  };
}

/** INVARIANT: it changes with whatever changes the request that a call becomes, but for the schemas, which are declared. */
function bindingOf(
  { method, path, body }: Operation,
  parameters: ReadonlyMap<string, Parameter>,
  bodyArgument: string | undefined,
): string {
  const places = [...parameters].map(
    ([argument, { name, in: place, style, explode, allowsReserved, contentType }]) => [
      argument,
      place,
      name,
      style,
      explode,
      allowsReserved,
      contentType ?? "",
    ],
  );
  const sent = body === undefined ? [] : [bodyArgument, body.contentType, body.encoding];
  return JSON.stringify([method, path, places, sent]);
}

/** What models' makers take as names of arguments, each once. */
function argumentNames(parameters: readonly Parameter[]): ReadonlyMap<string, Parameter> {
  const named = new Map<string, Parameter>();
  for (const parameter of parameters) {
    const clean = parameter.name.replaceAll(/[^A-Za-z0-9_.-]+/g, "_").slice(0, 60) || parameter.in;
    const name = named.has(clean) ? `${clean}_${parameter.in}` : clean;
    named.set(unusedName(name, new Set(named.keys())), parameter);
  }
  return named;
}

function unusedName(wished: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wished)) return wished;
  for (let count = 2; ; count++) if (!taken.has(`${wished}_${count}`)) return `${wished}_${count}`;
}

interface Inputs {
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly bodyArgument: string | undefined;
}

function inputSchema(
  root: JsonObject,
  { body }: Operation,
  { parameters, bodyArgument }: Inputs,
): { readonly schema: JsonObject; readonly notes: readonly string[] } {
  const properties: Record<string, unknown> = {};
  for (const [name, { schema, description }] of parameters) {
    properties[name] = isObject(schema) && description !== "" ? { description, ...schema } : schema;
  }
  const required = [...parameters].filter(([, { isRequired }]) => isRequired).map(([name]) => name);
  if (body !== undefined && bodyArgument !== undefined) {
    properties[bodyArgument] =
      body.description === "" ? body.schema : describedAs(body.schema, body.description);
    if (body.isRequired) required.push(bodyArgument);
  }
  const whole = {
    type: "object",
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
  return convertSchema(root, whole, "request");
}

function describedAs(schema: unknown, description: string): unknown {
  return isObject(schema) ? { description, ...schema } : schema;
}

function outputSchema(
  root: JsonObject,
  { answerSchema }: Operation,
): { readonly schema?: JsonObject; readonly wraps: boolean; readonly notes: readonly string[] } {
  if (answerSchema === undefined) return { wraps: false, notes: [] };
  const { schema, notes } = convertSchema(root, resolved(root, answerSchema) ?? answerSchema, "answer");
  if (schema["type"] === "object") return { schema, wraps: false, notes };
  const { $defs, ...answer } = schema;
  return {
    schema: {
      type: "object",
      properties: { answer },
      required: ["answer"],
      ...($defs !== undefined && { $defs }),
    },
    wraps: true,
    notes,
  };
}

const longestDescription = 4000;

function descriptionOf({ summary, description, isDeprecated, method, path, parameters }: Operation): string {
  const said = [summary, description].filter((text, at, all) => text !== "" && all.indexOf(text) === at);
  const paged = parameters.filter(({ name, in: place }) => place === "query" && pages.test(name));
  const parts = [
    said.length === 0 ? `${method.toUpperCase()} ${path}` : said.join("\n\n").slice(0, longestDescription),
    ...(paged.length === 0
      ? []
      : [`Answers come in pages: ask on with ${paged.map(({ name }) => name).join(", ")}.`]),
    ...(isDeprecated ? ["Deprecated."] : []),
  ];
  return parts.join("\n\n");
}

/** Parameters that ask for another page, by the names that APIs use. */
const pages =
  /^(?:page|page_?token|page_?number|cursor|next_?token|continuation_?token|starting_after|offset|start|after|skip|\$skip)$/i;

/** RFC 9110 §9.2: what a method promises. */
function annotationsOf(method: Method): JsonObject {
  const readOnlyHint = isSafe(method);
  return {
    readOnlyHint,
    ...(!readOnlyHint && {
      destructiveHint: method !== "post",
      idempotentHint: method === "put" || method === "delete",
    }),
  };
}
