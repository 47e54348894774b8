/** Reads of fields of parsed JSON that somebody else wrote: of the type and within the bounds, or absent. */
import { fromUtf8 } from "../kernel/bytes.ts";

export type Fields = Readonly<Record<string, unknown>>;

export function objectIn(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The object that a JSON text is; undefined for anything else. */
export function parsedObject(text: string): Fields | undefined {
  try {
    return objectIn(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The object that strict base64url says in JSON. By way of Buffer: each message has one or two of them. */
export function encodedObject(base64url: string): Fields | undefined {
  const bytes = Buffer.from(base64url, "base64url");
  const text = bytes.toString("base64url") === base64url ? fromUtf8(bytes) : undefined;
  return text === undefined ? undefined : parsedObject(text);
}

/** All of the fields; undefined if one of them is absent. */
export function whole<T extends object>(
  fields: T,
): { readonly [Name in keyof T]: Exclude<T[Name], undefined> } | undefined {
  for (const name in fields) if (fields[name] === undefined) return undefined;
  return fields as { readonly [Name in keyof T]: Exclude<T[Name], undefined> };
}

/** What a field says that may be absent: undefined if it is there and isn't right. */
export function optional<T, Name extends string>(
  fields: Fields,
  name: Name,
  read: (value: unknown) => T | undefined,
): { readonly [N in Name]?: T } | undefined {
  if (!(name in fields)) return {};
  const value = read(fields[name]);
  return value === undefined ? undefined : ({ [name]: value } as { readonly [N in Name]?: T });
}

/** A text that isn't empty. */
export function textIn(value: unknown, maxLength: number): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= maxLength ? value : undefined;
}

/** A whole number from 0 on. */
export function countIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** 16 bytes in base64url. */
export function tokenIn(value: unknown): string | undefined {
  return typeof value === "string" && /^[A-Za-z0-9_-]{21}[AQgw]$/.test(value) ? value : undefined;
}

/** `sha-256:` and 32 bytes in base64url. */
export function digestIn(value: unknown): string | undefined {
  return typeof value === "string" && /^sha-256:[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
}

/** A NumericDate of RFC 7519: Unix seconds, whole or not. @returns Unix time in whole milliseconds */
export function numericDateIn(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= maxUnixS ? Math.round(value * 1000) : undefined;
}

/** As far as `Date` goes. */
const maxUnixS = 8_640_000_000_000;

/** RFC 3339, in UTC, at most milliseconds. @returns Unix time in milliseconds */
export function timeIn(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value))
    return undefined;
  const time = Date.parse(value);
  return Number.isFinite(time) ? time : undefined;
}

/** A list whose elements are all right. */
export function listIn<T>(
  value: unknown,
  maxLength: number,
  read: (element: unknown) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > maxLength) return undefined;
  const found: T[] = [];
  for (const element of value) {
    const one = read(element);
    if (one === undefined) return undefined;
    found.push(one);
  }
  return found;
}
