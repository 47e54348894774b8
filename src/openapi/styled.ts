/** Values of parameters as texts, by their styles (OpenAPI 3.1 §4.8.12.3). */
import type { Parameter } from "./operations.ts";
import { isObject } from "./values.ts";

type Styled = Pick<Parameter, "name" | "in" | "style" | "explode" | "allowsReserved" | "contentType">;

/**
 * Pieces of a query or of cookies, to be joined by whoever writes them; of a path or a header exactly one.
 * An empty list or object is no piece, but for a path or a header.
 */
export function styled(parameter: Styled, value: unknown): readonly string[] {
  if (parameter.contentType !== undefined) return [whole(parameter, value)];
  if (parameter.in === "path") return [inPath(parameter, value)];
  return parameter.in === "header" ? [simple(parameter, value, (text) => text)] : inQuery(parameter, value);
}

function whole({ in: place, name, contentType = "" }: Styled, value: unknown): string {
  const text = /json\b/i.test(contentType) ? JSON.stringify(value) : scalar(value);
  if (place === "header") return text;
  const encoded = encodeURIComponent(text);
  return place === "path" ? encoded : `${encodeURIComponent(name)}=${encoded}`;
}

function inPath({ name, style, explode }: Styled, value: unknown): string {
  const encoded = encodeURIComponent;
  if (style === "label") {
    const parts = Array.isArray(value)
      ? value.map((each) => encoded(scalar(each)))
      : pairs(value, explode ? "=" : ",", encoded);
    return `.${(parts ?? [encoded(scalar(value))]).join(explode ? "." : ",")}`;
  }
  if (style === "matrix") return matrix({ name, explode }, value);
  return simple({ explode }, value, encoded);
}

function matrix({ name, explode }: Pick<Styled, "name" | "explode">, value: unknown): string {
  const encoded = encodeURIComponent;
  const key = encoded(name);
  if (Array.isArray(value)) {
    const parts = value.map((each) => encoded(scalar(each)));
    return explode ? parts.map((part) => `;${key}=${part}`).join("") : `;${key}=${parts.join(",")}`;
  }
  const members = pairs(value, explode ? "=" : ",", encoded);
  if (members === undefined) return `;${key}=${encoded(scalar(value))}`;
  return explode ? members.map((each) => `;${each}`).join("") : `;${key}=${members.join(",")}`;
}

function simple(
  { explode }: Pick<Styled, "explode">,
  value: unknown,
  encoded: (text: string) => string,
): string {
  if (Array.isArray(value)) return value.map((each) => encoded(scalar(each))).join(",");
  return pairs(value, explode ? "=" : ",", encoded)?.join(",") ?? encoded(scalar(value));
}

const separators: Readonly<Record<string, string>> = { spaceDelimited: "%20", pipeDelimited: "%7C" };

function inQuery(parameter: Styled, value: unknown): readonly string[] {
  const { name, style, explode } = parameter;
  const key = encodeURIComponent(name);
  const encoded = (text: string): string =>
    parameter.allowsReserved ? reserved(text) : encodeURIComponent(text);
  if (style === "deepObject" && typeof value === "object" && value !== null)
    return deep(key, value, encoded, 0);
  if (Array.isArray(value)) {
    const parts = value.map((each) => encoded(scalar(each)));
    if (parts.length === 0) return [];
    return explode
      ? parts.map((part) => `${key}=${part}`)
      : [`${key}=${parts.join(separators[style] ?? ",")}`];
  }
  const members = pairs(value, explode ? "=" : (separators[style] ?? ","), encoded);
  if (members === undefined) return [`${key}=${encoded(scalar(value))}`];
  if (members.length === 0) return [];
  return explode ? members : [`${key}=${members.join(separators[style] ?? ",")}`];
}

/** Deeper ones no API takes. */
const maxDepth = 8;

/** `filter[name]=x`, and what is in general use for more: `filter[tags][0]=x`, `filter[a][b]=x`. */
function deep(
  key: string,
  value: object,
  encoded: (text: string) => string,
  depth: number,
): readonly string[] {
  return Object.entries(value).flatMap(([name, each]: [string, unknown]) => {
    const inner = `${key}[${encodeURIComponent(name)}]`;
    if (typeof each === "object" && each !== null && depth < maxDepth)
      return deep(inner, each, encoded, depth + 1);
    return each === undefined ? [] : [`${inner}=${encoded(scalar(each))}`];
  });
}

function pairs(
  value: unknown,
  between: string,
  encoded: (text: string) => string,
): readonly string[] | undefined {
  if (!isObject(value)) return undefined;
  return Object.entries(value).map(([name, each]) => `${encoded(name)}${between}${encoded(scalar(each))}`);
}

/** Numbers and truth values as JSON writes them; what has parts in a place for none, as JSON. */
function scalar(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return JSON.stringify(value);
}

/** RFC 3986 §2.2, but for what would end the value (`&`, `#`, `+`) or begin another piece. */
function reserved(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /%(?:3A|2F|3F|5B|5D|40|21|24|27|28|29|2A|2C|3B|3D)/g,
    decodeURIComponent,
  );
}
