/**
 * Characters without a glyph, where they have no business. Scripts and emoji that need joiners, selectors or marks of
 * direction (Unicode 17 §9, §12, §23; UTS 51) keep them.
 */
import { fromUtf8 } from "../kernel/bytes.ts";
import type { HiddenKind, HiddenSpan, Severity } from "./hidden-text.ts";

/** All that is looked at closely; the rest has a glyph, or is an ordinary space or line break. */
const suspicious =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Variation_Selector}\u034F\u115F\u1160\u17B4\u17B5\u2800\u3164\uFFA0]/u;

/** A run of characters of one row. */
interface Found {
  readonly run: string;
  /** One code point each, or nothing at an end of the text. */
  readonly before: string;
  readonly after: string;
  readonly isRightToLeft: boolean;
  readonly textLength: number;
}

interface Judged {
  readonly severity: Severity;
  readonly says: string;
}

const escape = "\u001B";

interface Row {
  readonly kind: HiddenKind;
  readonly find: RegExp;
  /** Undefined if it belongs there. */
  readonly judge: (found: Found) => Judged | undefined;
}

/** The first row that a character falls under counts. */
const rows: readonly Row[] = [
  {
    kind: "ansi",
    // ECMA-48: CSI; OSC and the other strings up to their terminator; any other escape sequence.
    find: new RegExp(
      `(?:${escape}\\[|\u009B)[0-?]{0,64}[ -/]{0,8}[@-~]?|` +
        `${escape}[\\]PX^_][^\\p{Cc}]{0,1024}(?:\u0007|${escape}\\\\|\u009C)?|` +
        `${escape}[ -/]{0,8}[0-~]?`,
      "gu",
    ),
    judge: ({ run }) => ({ severity: "hold", says: `ANSI escape ${escaped(run)}` }),
  },
  { kind: "tags", find: /[\u{E0000}-\u{E007F}]+/gu, judge: tags },
  {
    kind: "variation-selectors",
    find: /[\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}\u180B-\u180D\u180F]+/gu,
    judge: ({ run, before }) =>
      mayVary(run, before) ? undefined : { severity: "hold", says: selectors(run) },
  },
  { kind: "bidi", find: /[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]+/gu, judge: bidi },
  {
    kind: "zero-width",
    find: /(?:[\u200B-\u200D\u2060-\u2064\u206A-\u206F\uFEFF\u180E\u00AD\u115F\u1160\u3164\uFFA0\u17B4\u17B5\u2800]|\u034F)+/gu,
    judge: zeroWidth,
  },
  {
    kind: "control",
    find: /(?:(?![\t\n\r])[\p{Cc}\p{Zl}\p{Zp}])+|\r(?!\n)/gu,
    judge: ({ run }) => ({ severity: /[\0\b]/.test(run) ? "hold" : "note", says: named(run) }),
  },
  {
    kind: "unassigned",
    find: /[\p{Co}\p{Cn}\p{Cs}\uFFF9-\uFFFB]+/gu,
    judge: ({ run }) => ({ severity: /[\uFFF9-\uFFFB]/.test(run) ? "hold" : "note", says: named(run) }),
  },
];

export function hiddenCharacters(text: string): readonly HiddenSpan[] {
  if (!suspicious.test(text)) return [];
  const found: HiddenSpan[] = [];
  const isRightToLeft = rightToLeft.test(text);
  // One walk over all rows at once, so that a row's characters within another's sequence are that one's.
  for (const match of text.matchAll(anyRow)) {
    const [run] = match;
    const row = rows[match.slice(1).findIndex((group) => group !== undefined)];
    const start = match.index;
    const judged = row?.judge({
      run,
      before: lastOf(text.slice(Math.max(0, start - 2), start)),
      after: firstOf(text.slice(start + run.length, start + run.length + 2)),
      isRightToLeft,
      textLength: text.length,
    });
    if (row === undefined || judged === undefined) continue;
    found.push({ kind: row.kind, start, end: start + run.length, shown: "instead", ...judged });
  }
  return found;
}

const anyRow = new RegExp(rows.map(({ find }) => `(${find.source})`).join("|"), "gu");

/** Emoji flags of regions, which have a tag sequence (UTS 51, RGI): England, Scotland, Wales. */
const flags: ReadonlySet<string> = new Set(["gbeng\u007F", "gbsct\u007F", "gbwls\u007F"]);

function tags({ run, before }: Found): Judged | undefined {
  const text = codePoints(run)
    .map((tag) => String.fromCharCode((tag.codePointAt(0) ?? 0) - 0xe0000))
    .join("");
  if (before === "\u{1F3F4}" && flags.has(text)) return undefined;
  return { severity: "hold", says: `tags "${escaped(text)}"` };
}

function mayVary(run: string, before: string): boolean {
  if (codePoints(run).length > 1) return false;
  if (run === "\uFE0E" || run === "\uFE0F") return /[\p{Emoji}\p{So}\p{Sm}]/u.test(before);
  if (/[\u180B-\u180D\u180F]/.test(run)) return /\p{Script=Mongolian}/u.test(before);
  return /[\p{Script=Han}\p{Script=Myanmar}\p{Script=Phags_Pa}\p{Sm}\p{P}]/u.test(before) || before === "0";
}

/** Sixteen and 240 selectors: one for each value of a byte, and so used to carry any text behind one character. */
function selectors(run: string): string {
  const values = codePoints(run).map((each) => {
    const code = each.codePointAt(0) ?? 0;
    if (code >= 0xe0100) return code - 0xe0100 + 16;
    return code >= 0xfe00 ? code - 0xfe00 : -1;
  });
  const text = values.includes(-1) ? undefined : fromUtf8(Uint8Array.from(values));
  if (text !== undefined && values.length > 2) return `variation selectors, as bytes "${escaped(text)}"`;
  return values.length === 1 ? named(run) : `${values.length} variation selectors`;
}

const rightToLeft =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}\p{Script=Mandaic}\p{Script=Samaritan}\p{Script=Hanifi_Rohingya}]/u;

/** Text of scripts that run from right to left needs marks, embeddings and isolates; overrides it doesn't. */
function bidi({ run, isRightToLeft }: Found): Judged | undefined {
  if (/[\u202D\u202E]/.test(run)) return { severity: "hold", says: named(run) };
  if (isRightToLeft) return undefined;
  return { severity: /^[\u200E\u200F]$/.test(run) ? "note" : "hold", says: named(run) };
}

/** Scripts whose letters join or break by these, or whose words are split by them. */
const joining =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Nko}\p{Script=Mandaic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Tibetan}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Thai}\p{Script=Lao}\p{Script=Balinese}\p{Script=Javanese}\p{Script=Adlam}\p{Script=Hanifi_Rohingya}]/u;
/** Words without spaces between them: a break may be marked. */
const spaceless =
  /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Javanese}\p{Script=Balinese}]/u;
const pictograph = /[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F\u20E3]/u;

function zeroWidth({ run, before, after, textLength }: Found): Judged | undefined {
  const isSingle = run.length === 1;
  if (isSingle && belongs(run, before, after)) return undefined;
  // Left over from a file's beginning or a web page's layout: it parts nothing.
  if (isSingle && textLength > 1 && (/^\s?$/.test(before) || /^\s?$/.test(after)))
    return { severity: "note", says: named(run) };
  // A place where a word may be parted, as typesetters set them.
  if (run === "\u00AD" && /\p{L}/u.test(before) && /\p{L}/u.test(after)) {
    return { severity: "note", says: named(run) };
  }
  return { severity: "hold", says: named(run) };
}

function belongs(character: string, before: string, after: string): boolean {
  if (character === "\u200D" && pictograph.test(before) && pictograph.test(after)) return true;
  return places.some(
    ([characters, place]) => characters.includes(character) && place.test(`${before}|${after}`),
  );
}

/** What joins or parts, and what stands before and after it (`before|after`) where it does. */
const places: readonly (readonly [string, RegExp])[] = [
  ["\u200C\u200D", new RegExp(`^${joining.source}`, "u")],
  ["\u200B\u2060", spaceless],
  ["\u180E", /^\p{Script=Mongolian}/u],
  ["\u115F\u1160", /[\u1100-\u11FF]/],
  ["\u2800", /[\u2801-\u28FF]/],
  ["\u2061\u2062\u2063\u2064", /^[\u{1D400}-\u{1D7FF}]/u],
];

const names: Readonly<Record<string, string>> = {
  "\0": "null",
  "\b": "backspace",
  "\r": "carriage return",
  "\u007F": "delete",
  "\u00AD": "soft hyphen",
  "\u034F": "combining grapheme joiner",
  "\u061C": "Arabic letter mark",
  "\u115F": "Hangul choseong filler",
  "\u1160": "Hangul jungseong filler",
  "\u180E": "Mongolian vowel separator",
  "\u200B": "zero width space",
  "\u200C": "zero width non-joiner",
  "\u200D": "zero width joiner",
  "\u200E": "left-to-right mark",
  "\u200F": "right-to-left mark",
  "\u2028": "line separator",
  "\u2029": "paragraph separator",
  "\u202A": "left-to-right embedding",
  "\u202B": "right-to-left embedding",
  "\u202C": "pop directional formatting",
  "\u202D": "left-to-right override",
  "\u202E": "right-to-left override",
  "\u2060": "word joiner",
  "\u2061": "function application",
  "\u2062": "invisible times",
  "\u2063": "invisible separator",
  "\u2064": "invisible plus",
  "\u2066": "left-to-right isolate",
  "\u2067": "right-to-left isolate",
  "\u2068": "first strong isolate",
  "\u2069": "pop directional isolate",
  "\u2800": "blank Braille pattern",
  "\u3164": "Hangul filler",
  "\uFEFF": "zero width no-break space",
  "\uFFA0": "halfwidth Hangul filler",
};

/** More of a run is only counted. */
const maxNamed = 8;

function named(run: string): string {
  const characters = codePoints(run);
  const shown = characters.slice(0, maxNamed).map((character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const name = names[character];
    return name === undefined ? `U+${code}` : `U+${code} ${name}`;
  });
  const more = characters.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/** In a JSON string's spelling, with nothing but ASCII and not much of it: it may itself hide something. */
export function escaped(text: string): string {
  const short = text.length > maxSaid ? `${text.slice(0, maxSaid)}…` : text;
  return JSON.stringify(short)
    .slice(1, -1)
    .replace(/[\u007F-\u009F\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Variation_Selector}]/gu, (each) =>
      each.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
    );
}

const maxSaid = 500;

function lastOf(text: string): string {
  return codePoints(text).at(-1) ?? "";
}

function firstOf(text: string): string {
  return codePoints(text)[0] ?? "";
}

function codePoints(text: string): readonly string[] {
  return Array.from(text);
}
