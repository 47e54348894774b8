/** The Mcp-* request headers of MCP 2026-07-28 (streamable HTTP, SEP-2243): written by clients, checked by us. */
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Frame, namedBy, type NotificationFrame, type RequestFrame } from "./frame.ts";
import { memberOf } from "./values.ts";

/** Looks a header up by its lower-case name. */
type HeaderReader = (lowerCaseName: string) => string | undefined;

/** An argument that travels as a header too (`x-mcp-header`). */
export interface ParameterHeader {
  /** The header's name behind `Mcp-Param-`. */
  readonly header: string;
  readonly path: readonly string[];
}

/**
 * A modern request's headers must say what its body says; older ones have no such headers.
 * @throws Refusal `header_mismatch`
 */
export function checkHeaders(frame: Frame, header: HeaderReader): void {
  if (frame.kind !== "request" || frame.era === "legacy") return;
  checkOne(
    "MCP-Protocol-Version",
    header("mcp-protocol-version")?.trim(),
    frame.params?.meta?.protocolVersion,
  );
  checkOne("Mcp-Method", header("mcp-method")?.trim(), frame.method);
  const name = nameOf(frame);
  if (name !== undefined) checkOne("Mcp-Name", decoded(header("mcp-name")), name);
}

/**
 * Arguments that travel as headers too must be the same in both, as the server would insist.
 * @throws Refusal `header_mismatch`
 */
export function checkParameterHeaders(
  frame: RequestFrame,
  header: HeaderReader,
  parameters: readonly ParameterHeader[],
): void {
  const values = argumentsOf(frame);
  for (const { header: name, path } of parameters) {
    const value = valueAt(values, path);
    const expected = isScalar(value) ? String(value) : undefined;
    const found = decoded(header(`mcp-param-${name.toLowerCase()}`));
    const isSameNumber = typeof value === "number" && found !== undefined && Number(found) === value;
    if (found !== expected && !isSameNumber) checkOne(`Mcp-Param-${name}`, found, expected);
    if (expected === undefined && header(`mcp-param-${name.toLowerCase()}`) !== undefined) {
      throw new Refusal("header_mismatch", `The header Mcp-Param-${name} has no argument.`);
    }
  }
}

/** The headers a client sends with a modern message: names and values. Legacy messages have none. */
export function standardHeaders(
  frame: RequestFrame | NotificationFrame,
  parameters: readonly ParameterHeader[] = [],
): readonly (readonly [string, string])[] {
  const version = frame.params?.meta?.protocolVersion;
  if (version === undefined) return [];
  const headers: [string, string][] = [
    ["mcp-protocol-version", version],
    ["mcp-method", frame.method],
  ];
  const name = nameOf(frame);
  if (name !== undefined) headers.push(["mcp-name", encodeHeaderValue(name)]);
  if (parameters.length === 0) return headers;
  const values = argumentsOf(frame);
  for (const { header, path } of parameters) {
    const value = valueAt(values, path);
    if (isScalar(value)) headers.push([`mcp-param-${header}`, encodeHeaderValue(String(value))]);
  }
  return headers;
}

function argumentsOf({ bytes, params }: RequestFrame | NotificationFrame): unknown {
  const place = params?.arguments;
  if (place === undefined) return undefined;
  return JSON.parse(new TextDecoder().decode(bytes.subarray(place.start, place.end)));
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

const sentinelStart = "=?base64?";
const sentinelEnd = "?=";

/** A header value as it is if it can be one, else wrapped in the base64 sentinel. */
export function encodeHeaderValue(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) || text === "";
  const looksWrapped = text.startsWith(sentinelStart) && text.endsWith(sentinelEnd);
  if (isPlain && !looksWrapped) return text;
  return sentinelStart + Buffer.from(utf8(text)).toString("base64") + sentinelEnd;
}

/** The text a header value stands for; undefined if it is wrapped wrongly. */
export function decodeHeaderValue(value: string): string | undefined {
  const isWrapped =
    value.length >= sentinelStart.length + sentinelEnd.length &&
    value.startsWith(sentinelStart) &&
    value.endsWith(sentinelEnd);
  if (!isWrapped) return value;
  const inner = value.slice(sentinelStart.length, -sentinelEnd.length);
  const bytes = Buffer.from(inner, "base64");
  return bytes.toString("base64") === inner ? fromUtf8(bytes) : undefined;
}

/** Which arguments of each tool in a `tools/list` result have headers; tools annotated wrongly have none. */
export function toolParameterHeaders(
  toolsListResult: unknown,
): ReadonlyMap<string, readonly ParameterHeader[]> {
  const found = new Map<string, readonly ParameterHeader[]>();
  const tools = memberOf(toolsListResult, "tools");
  for (const tool of Array.isArray(tools) ? tools : []) {
    const name = memberOf(tool, "name");
    const headers = parameterHeaders(memberOf(tool, "inputSchema"));
    if (typeof name === "string" && headers !== "invalid") found.set(name, headers);
  }
  return found;
}

const maxSchemaDepth = 16;

/** The annotations of an input schema; "invalid" if one breaks the rules, and then the tool isn't offered at all. */
export function parameterHeaders(inputSchema: unknown): readonly ParameterHeader[] | "invalid" {
  const headers: ParameterHeader[] = [];
  const names = new Set<string>();
  const walk = (schema: unknown, path: readonly string[]): boolean => {
    const properties = memberOf(schema, "properties");
    if (typeof properties !== "object" || properties === null || path.length > maxSchemaDepth) return true;
    return Object.entries(properties).every(([name, child]) => {
      const header = memberOf(child, "x-mcp-header");
      const here = [...path, name];
      if (header === undefined) return walk(child, here);
      if (!isAnnotation(header, child) || names.has(header.toLowerCase())) return false;
      names.add(header.toLowerCase());
      headers.push({ header, path: here });
      return true;
    });
  };
  return walk(inputSchema, []) ? headers : "invalid";
}

function isAnnotation(header: unknown, schema: unknown): header is string {
  const type = memberOf(schema, "type");
  const isScalar = type === "string" || type === "integer" || type === "boolean";
  return isScalar && typeof header === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header);
}

/** What `Mcp-Name` mirrors; subscriptions have none. */
/** The methods whose name travels in `Mcp-Name`; others may name something without it. */
const inHeader: ReadonlySet<string> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "tasks/get",
  "tasks/update",
  "tasks/cancel",
]);

function nameOf(frame: RequestFrame | NotificationFrame): string | undefined {
  const member = inHeader.has(frame.method) ? namedBy.get(frame.method) : undefined;
  return member === undefined ? undefined : frame.params?.[member];
}

function checkOne(name: string, found: string | undefined, expected: string | undefined): void {
  if (found === expected) return;
  const what = found === undefined ? "is missing" : "differs from the message";
  throw new Refusal("header_mismatch", `The header ${name} ${what}.`);
}

function decoded(value: string | undefined): string | undefined {
  return value === undefined ? undefined : decodeHeaderValue(value.trim());
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => memberOf(at, name), value);
}
