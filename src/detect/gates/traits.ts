/** One look at each character of a text, which says what is worth looking at more closely. */

export interface Traits {
  /** Digits, in all. */
  readonly digits: number;
  readonly hasAt: boolean;
  /** Characters that hide, or letters of scripts that pose as Latin ones beside Latin ones. */
  readonly isOdd: boolean;
  /** A run of letters and digits as of base64 or hexadecimal, a comment, much white space, escapes. */
  readonly mayHide: boolean;
  /** A run as of base64 or hexadecimal. */
  readonly hasRun: boolean;
}

/** What an ASCII character is for us, in bits. */
const [word, space, hex, digit, escape, at, markup, control] = [1, 2, 4, 8, 16, 32, 64, 128];
const [upper, parting] = [256, 512];

const traitsOfAscii = Uint16Array.from({ length: 128 }, (_, code) => {
  const letter = String.fromCharCode(code);
  const bits = [
    [word, /[A-Za-z0-9+/_-]/],
    [space, /\s/],
    [hex, /[0-9A-Fa-f\s:]/],
    [digit, /\d/],
    [escape, /[\\%&]/],
    [at, /@/],
    [markup, /[<[]/],
    [control, /(?!\s)\p{Cc}/u],
    [upper, /[A-Z]/],
    [parting, /[/_-]/],
  ] as const;
  return bits.reduce((all, [bit, form]) => (form.test(letter) ? all | bit : all), 0);
});

const longRun = 24;
const muchSpace = 30;
const manyEscapes = 8;
/** Sixteen bytes in hexadecimal, parted or not. */
const longHex = 32;

export function traitsOf(text: string): Traits {
  const [letters, spaces, bytes] = [{ now: 0, uppers: 0, partings: 0, isLong: false }, newRun(), newRun()];
  let seen = 0;
  let digits = 0;
  let escapes = 0;
  let isOdd = false;
  let hasMarkup = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const bits = traitsOfAscii[code] ?? 0;
    seen |= bits;
    stepLetters(letters, bits);
    step(spaces, bits & space);
    step(bytes, bits & hex);
    digits += (bits & digit) >> 3;
    if ((bits & escape) !== 0 && escapesCode(text, i)) escapes++;
    if (code >= 128) isOdd ||= isOddCode(code, text.charCodeAt(i - 1), text.charCodeAt(i + 1));
    else if ((bits & markup) > 0) hasMarkup ||= opensHidden(text, i);
  }
  stepLetters(letters, 0);
  const hasRun = letters.isLong || bytes.longest >= longHex || escapes >= manyEscapes;
  return {
    digits,
    hasAt: (seen & at) > 0,
    isOdd: isOdd || (seen & control) > 0,
    mayHide: hasRun || hasMarkup || spaces.longest >= muchSpace,
    hasRun,
  };
}

interface Run {
  now: number;
  longest: number;
}

/** Of letters and digits. Base64 has capitals in it, and few of the signs that part paths and names. */
interface Letters {
  now: number;
  uppers: number;
  partings: number;
  isLong: boolean;
}

function stepLetters(run: Letters, bits: number): void {
  if ((bits & word) !== 0) {
    run.now++;
    run.uppers += (bits & upper) >> 8;
    run.partings += (bits & parting) >> 9;
    return;
  }
  run.isLong ||= run.now >= longRun && run.uppers > 1 && run.partings * 8 <= run.now;
  run.now = 0;
  run.uppers = 0;
  run.partings = 0;
}

function newRun(): Run {
  return { now: 0, longest: 0 };
}

function step(run: Run, belongs: number): void {
  if (belongs === 0) run.now = 0;
  else if (++run.now > run.longest) run.longest = run.now;
}

/** Not a line's end or a quotation mark, which JSON escapes everywhere: a character by its number. */
function escapesCode(text: string, at: number): boolean {
  const [sign, next] = [text[at], text[at + 1] ?? ""];
  if (sign === "\\") return next === "u" || next === "x";
  return sign === "&" ? next === "#" : /[0-9A-Fa-f]/.test(next);
}

/** A comment, a tag with a style, or a note in Markdown that isn't shown. */
function opensHidden(text: string, at: number): boolean {
  const next = text.charCodeAt(at + 1) | 32;
  return text.startsWith("<!--", at) || text.startsWith("[//]", at) || (next >= 97 && next <= 122);
}

function isOddCode(code: number, before: number, after: number): boolean {
  if (code < 0xad) return code < 0xa0;
  if (code < 0x0250) return code === 0xad;
  // Cyrillic, Greek, Armenian, Cherokee, where a Latin letter stands beside it; and alone, as they may be a word.
  if (code < 0x0590) return isLatin(before) || isLatin(after) || before < 128;
  if (code >= 0x2000 && code <= 0x206f) return !isTypography(code);
  if (code >= 0x13a0 && code <= 0x13ff) return true;
  return isOddRange(code);
}

/** Dashes, quotation marks, bullets, ellipsis and spaces that printers use. */
function isTypography(code: number): boolean {
  return (code >= 0x2010 && code <= 0x2027) || (code >= 0x2030 && code <= 0x205e) || code === 0x2009;
}

const oddRanges: readonly (readonly [number, number])[] = [
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x1d2c, 0x1d6a],
  [0x2070, 0x209c],
  [0x24b6, 0x24e9],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  // Mathematical letters, tags and selectors: the first halves of their pairs.
  [0xd835, 0xd835],
  [0xdb40, 0xdb40],
  [0xe000, 0xf8ff],
  [0xfe00, 0xfe0e],
  [0xfeff, 0xfeff],
  [0xff21, 0xff5a],
  [0xffa0, 0xffa0],
  [0xfff0, 0xffff],
];

function isOddRange(code: number): boolean {
  for (const [from, to] of oddRanges) if (code >= from && code <= to) return true;
  return false;
}

function isLatin(code: number): boolean {
  const lower = code | 32;
  return lower >= 97 && lower <= 122;
}
