/**
 * Canonical JSON of audit records (SEP-3004 §2.3): keys sorted, no white space, values are strings, booleans,
 * null and objects of such; strings are NFC, without control characters and without spaces at their ends.
 */

/** SEP-3004 §2.3: the baseline cap of one string, in code units. */
const maxStringUnits = 8192;
/** Records are three deep; this only stops hostile ones. */
const maxDepth = 8;

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
  if (typeof value === "string") return isNormal(value) ? JSON.stringify(value) : undefined;
  if (typeof value !== "object" || Array.isArray(value) || depth === maxDepth) return undefined;
  const members: string[] = [];
  for (const [key, member] of Object.entries(value).sort(byKey)) {
    const text = canonicalJson(member, depth + 1);
    if (text === undefined || !isWellFormedKey(key)) return undefined;
    members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

function isNormal(value: string): boolean {
  if (value.length > maxStringUnits || hasSpaceAtAnEnd(value)) return false;
  if (!needsCare.test(value)) return true;
  return value.isWellFormed() && !control.test(value) && value.normalize("NFC") === value;
}

/** Names are a registry's, not free text: only what JSON would have to escape is kept out. */
function isWellFormedKey(key: string): boolean {
  return key.isWellFormed() && !control.test(key);
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  if (a[0] === b[0]) return 0;
  return a[0] < b[0] ? -1 : 1;
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
