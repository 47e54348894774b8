/**
 * A text as a model reads it: without characters that aren't seen, letters in other styles as plain ones, escapes as what they
 * stand for; and for each character where it stands in the original.
 */
import { inLatin } from "../../wire/posing-letters.ts";

export interface ReadText {
  readonly text: string;
  /** Of each character, its offset in the original; undefined where all are their own. */
  readonly from: Uint32Array | undefined;
}

/** Where an offset of the text that was read stands in the original. */
export function originOf({ from }: ReadText, offset: number): number {
  return from === undefined ? offset : (from[offset] ?? 0);
}

export function readText(original: string): ReadText {
  if (isAsItReads(original)) return { text: original, from: undefined };
  // Nothing becomes longer than a ligature's letters; what would isn't unfolded.
  const from = new Uint32Array(original.length * longest + 1);
  const parts: string[] = [];
  let length = 0;
  for (let i = 0; i < original.length;) {
    const plain = plainUntil(original, i);
    for (let k = i; k < plain; k++) from[length++] = k;
    if (plain > i) parts.push(original.slice(i, plain));
    i = plain;
    if (i >= original.length) break;
    const { becomes, takes } = partAt(original, i);
    for (let k = 0; k < becomes.length; k++) from[length++] = i;
    parts.push(becomes);
    i += takes;
  }
  from[length] = original.length;
  return { text: unmixed(parts.join("")), from };
}

const longest = 3;

/** Up to where nothing reads as anything else. */
function plainUntil(text: string, i: number): number {
  for (let at = i; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === backslash || code >= 128) return at;
  }
  return text.length;
}

interface Part {
  readonly becomes: string;
  readonly takes: number;
}

function partAt(text: string, i: number): Part {
  const code = text.charCodeAt(i);
  if (code === backslash) return escapeAt(text, i);
  const point = text.codePointAt(i) ?? 0;
  if (isTag(point)) return tagAt(text, i, point);
  const character = String.fromCodePoint(point);
  return { becomes: folded(character), takes: character.length };
}

/** ASCII once more, unseen (U+E0020…U+E007E): a model may read it, as a text of its own. */
function isTag(point: number): boolean {
  return point >= 0xe0020 && point < 0xe007f;
}

function tagAt(text: string, i: number, point: number): Part {
  const isFirst = i < 2 || !isTag(text.codePointAt(i - 2) ?? 0);
  return { becomes: `${isFirst ? "\n" : ""}${String.fromCharCode(point - 0xe0000)}`, takes: 2 };
}

const backslash = 92;
const breaks: Readonly<Record<string, string>> = { n: "\n", r: "\n", t: " ", '"': '"', "'": "'", "/": "/" };

/** As JSON and YAML write what was quoted. */
function escapeAt(text: string, i: number): Part {
  const next = text[i + 1] ?? "";
  const short = breaks[next];
  if (short !== undefined) return { becomes: short, takes: 2 };
  const wide = next === "u" ? /^[0-9a-f]{4}$/i.exec(text.slice(i + 2, i + 6)) : null;
  if (wide === null) return { becomes: "\\", takes: 1 };
  return { becomes: folded(String.fromCharCode(Number.parseInt(wide[0], 16))), takes: 6 };
}

const unseenForm = /[\p{Cf}\p{Variation_Selector}\p{Cs}\u034F\u115F\u1160\u3164\uFFA0]/u;

function folded(character: string): string {
  if (unseenForm.test(character)) return "";
  const plain = character.normalize("NFKC");
  return plain.length <= longest ? plain : character;
}

/** Words in which letters of one script pose as another's, in one script. Lengths stay. */
export function unmixed(text: string): string {
  return text.replaceAll(mixed, (word) => {
    const plain = inLatin(word);
    return plain.length === word.length ? plain : word;
  });
}

const mixed =
  /[a-zA-Z]{1,30}[\u0370-\u058f\u13a0-\u13ff][\w\u0370-\u058f\u13a0-\u13ff]{0,30}|[\u0370-\u058f\u13a0-\u13ff]{1,30}[a-zA-Z][\w\u0370-\u058f\u13a0-\u13ff]{0,30}/g;

/** Nothing in it reads as anything else. */
function isAsItReads(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === backslash || code >= 0x0250 || code === 0xad) return false;
  }
  return true;
}
