/**
 * What a value says, apart from how it is written: the texts in it, and their letters and digits alone. Case, accents,
 * white space, punctuation, quotation marks, escapes, entities and the names of tags say nothing.
 */

/** Of one value: more texts than that aren't looked at one by one. */
const maxTexts = 20_000;
const maxDepth = 64;

export interface Texts {
  /** Strings and numbers, in order. */
  readonly values: readonly string[];
  /** Names of members. */
  readonly names: readonly string[];
}

/** The texts within a value; undefined where there is more than can be looked at. */
export function textsIn(value: unknown): Texts | undefined {
  const texts = { values: [], names: [] };
  return collect(value, texts, 0) ? texts : undefined;
}

export function charsOf({ values, names }: Texts): number {
  return [...values, ...names].reduce((sum, { length }) => sum + length, 0);
}

interface Collected {
  readonly values: string[];
  readonly names: string[];
}

function collect(value: unknown, texts: Collected, depth: number): boolean {
  if (depth > maxDepth || texts.values.length + texts.names.length >= maxTexts) return false;
  if (typeof value === "string") return collectText(value, texts, depth);
  if (typeof value === "number" || typeof value === "bigint") {
    texts.values.push(String(value));
    return true;
  }
  if (Array.isArray(value)) return value.every((each) => collect(each, texts, depth + 1));
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([name, member]) => {
    texts.names.push(name);
    return collect(member, texts, depth + 1);
  });
}

/** A text that is JSON is what it says; where a member comes twice, readers differ in which one they take: it is that text, too. */
function collectText(text: string, texts: Collected, depth: number): boolean {
  if (/^\s*[[{]/.test(text)) {
    try {
      const parsed = JSON.parse(text) as unknown;
      if (isTwofold(text, parsed)) texts.values.push(text.slice(1));
      return collect(parsed, texts, depth + 1);
    } catch {
      // It only begins like JSON.
    }
  }
  texts.values.push(text);
  return true;
}

/** A text without escapes, entities and tags, in lower case and without accents. */
export function plain(text: string): string {
  let read = text;
  // What is quoted within something that is quoted is escaped twice.
  for (let times = 0; times < 3 && read.includes("\\"); times++) read = unescaped(read);
  for (let times = 0; times < 3 && read.includes("&"); times++) read = withoutEntities(read);
  if (read.includes("<")) read = read.replaceAll(/<\/?[a-z][a-z0-9]{0,20}/gi, " ");
  // Marks go first, too: to put many of them in order takes the square of their number.
  if (/\P{ASCII}/v.test(read)) read = withoutMarks(withoutMarks(read).normalize("NFKD"));
  return read.toLowerCase();
}

function withoutMarks(text: string): string {
  return text.replaceAll(/\p{M}+/gv, "");
}

/** Its letters and digits. */
export function lettersOf(plainText: string): string {
  return plainText.replaceAll(/[^\p{L}\p{N}]+/gv, "");
}

function unescaped(text: string): string {
  return text.replaceAll(
    /\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|([nrtbf"'/\\]))/gi,
    (_, wide: string | undefined, short: string | undefined, letter: string | undefined) => {
      const code = wide ?? short;
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      return /["'/\\]/.test(letter ?? "") ? (letter ?? "") : " ";
    },
  );
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  commat: "@",
  period: ".",
};

function withoutEntities(text: string): string {
  return text.replaceAll(
    /&(?:#x0{0,8}([0-9a-f]{1,6})|#0{0,8}(\d{1,7})|([a-z]{2,8}));/gi,
    (all, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
      if (name !== undefined) return entities[name.toLowerCase()] ?? all;
      const code = Number.parseInt(hex ?? decimal ?? "0", hex === undefined ? 10 : 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}

/** Whether some member of a JSON text comes twice. */
export function isTwofold(json: string, parsed: unknown): boolean {
  return membersWritten(json) !== membersWithin(parsed);
}

function membersWritten(json: string): number {
  let written = 0;
  for (const [, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) written += 1;
  return written;
}

function membersWithin(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const parts: readonly unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : parts.length;
  return parts.reduce<number>((sum, part) => sum + membersWithin(part), own);
}
