/** Parsed JSON that somebody else wrote: what is read of it may be anything, or not there. */
import { fromUtf8 } from "../kernel/bytes.ts";

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object; an empty one if it is none. */
export function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

/** A member of its own; undefined if there is none, or the value is no object. */
export function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** The value that a scan has found at a place; undefined if its text isn't UTF-8. */
export function valueAt(
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
): unknown {
  const text = fromUtf8(bytes.subarray(start, end));
  return text === undefined ? undefined : JSON.parse(text);
}
