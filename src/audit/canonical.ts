/**
 * Canonical JSON of audit records (SEP-3004 §2.3): keys sorted, no white space, values are strings, booleans,
 * null and objects of such; strings are NFC, without control characters and without spaces at their ends.
 */

/** SEP-3004 §2.3: the baseline cap of one string, in code units. */
const maxStringUnits = 8192;
/** Objects within one another, the record counted: ours have three, this only stops hostile ones. */
export const maxDepth = 8;

/** What stands where a value was cut. */
export const cutMark = "…[cut]";

/** Printable ASCII that JSON writes as it is: all that most values consist of. */
const needsCare = /[^ !#-[\]-~]/;
const control = /\p{Cc}/u;
const controls = /\p{Cc}/gu;

/** A JSON string literal of `value` after normalisation, cut to `limit` code units. Never throws. */
export function quote(value: string, limit: number): string {
  if (value.length <= limit && !needsCare.test(value) && !hasSpaceAtAnEnd(value)) return `"${value}"`;
  return JSON.stringify(normalise(value, limit));
}

/** NFC, well-formed, no control character (U+FFFD instead), trimmed of U+0020 only, at most `limit` code units. */
function normalise(value: string, limit: number): string {
  const whole = value.length > limit ? value.slice(0, limit) : value;
  const text = trimSpaces(whole.toWellFormed().replace(controls, "\uFFFD").normalize("NFC"));
  // NFC can lengthen a string, so the length counts twice.
  if (whole === value && text.length <= limit) return text;
  return text.slice(0, limit - cutMark.length).toWellFormed() + cutMark;
}

/** The canonical form of a parsed value; undefined if it has none. */
export function canonicalJson(value: unknown, depth = 0): string | undefined {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return canonicalString(value);
  if (typeof value !== "object" || Array.isArray(value) || depth === maxDepth) return undefined;
  const members = value as Readonly<Record<string, unknown>>;
  let body = "";
  for (const key of sorted(Object.keys(members))) {
    const name = canonicalKey(key);
    const text = canonicalJson(members[key], depth + 1);
    if (name === undefined || text === undefined) return undefined;
    body += `${body === "" ? "" : ","}${name}:${text}`;
  }
  return `{${body}}`;
}

/** Whether more objects than `maxDepth` stand within one another; arrays have no canonical form at all. */
export function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return depth === maxDepth || Object.values(value).some((member) => isTooDeep(member, depth + 1));
}

function canonicalString(value: string): string | undefined {
  if (value.length > maxStringUnits || hasSpaceAtAnEnd(value)) return undefined;
  if (!needsCare.test(value)) return `"${value}"`;
  const isNormal = value.isWellFormed() && !control.test(value) && value.normalize("NFC") === value;
  return isNormal ? JSON.stringify(value) : undefined;
}

/** Names are a registry's, not free text: only what JSON would have to escape is kept out. */
function canonicalKey(key: string): string | undefined {
  if (!needsCare.test(key)) return `"${key}"`;
  return key.isWellFormed() && !control.test(key) ? JSON.stringify(key) : undefined;
}

/** By code units; what is in order already, as every honest record is, isn't sorted again. */
function sorted(keys: string[]): readonly string[] {
  for (let i = 1; i < keys.length; i++) if ((keys[i - 1] ?? "") > (keys[i] ?? "")) return keys.sort();
  return keys;
}

const space = 0x20;

function hasSpaceAtAnEnd(value: string): boolean {
  return value !== "" && (value.charCodeAt(0) === space || value.charCodeAt(value.length - 1) === space);
}

function trimSpaces(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && value.charCodeAt(start) === space) start++;
  while (end > start && value.charCodeAt(end - 1) === space) end--;
  return value.slice(start, end);
}
