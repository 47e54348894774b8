/** The words of a text, with what each does (lexicon.ts), and where sentences end. */
import { bitOf, classesOf } from "./lexicon.ts";

export interface Words {
  /** Of the arrays, how much is used. */
  readonly length: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Classes of the word, or an end. */
  readonly bits: Int32Array;
}

export const sentenceEnd = -1;
/** A colon, or a line's end: what follows begins anew, and belongs to what was before. */
const clauseEnd = -2;

/** Of a sentence or a part of one. */
export function isEnd(bits: number): boolean {
  return bits < 0;
}

export function wordsOf(text: string): Words {
  const most = text.length + 1;
  const words = {
    length: 0,
    starts: new Int32Array(most),
    ends: new Int32Array(most),
    bits: new Int32Array(most),
  };
  let start = -1;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : lineFeed;
    if (isLetter(code)) {
      if (start === -1) start = i;
      continue;
    }
    if (start !== -1) pushWord(words, text, start, i);
    start = -1;
    const end = endAt(code, text.charCodeAt(i + 1));
    if (end !== undefined) pushEnd(words, i, end);
  }
  return words;
}

/** Longer ones are none. */
const maxWord = 40;
const lineFeed = 10;

interface Growing extends Words {
  length: number;
}

function pushWord(words: Growing, text: string, start: number, end: number): void {
  const word = text.slice(start, Math.min(end, start + maxWord));
  if (isParted(words, text, start)) {
    const first = words.starts[words.length - 1] ?? start;
    const whole = classesOf.get(`${text.slice(first, start - 1)}${word}`.toLowerCase());
    if (whole !== undefined) {
      words.ends[words.length - 1] = end;
      words.bits[words.length - 1] = whole;
      return;
    }
  }
  words.starts[words.length] = start;
  words.ends[words.length] = end;
  words.bits[words.length] = bitsOf(word);
  words.length++;
}

/** By a hyphen from the word before, which is short enough to be its first half. */
function isParted({ length, starts, ends }: Words, text: string, start: number): boolean {
  if (length === 0 || ends[length - 1] !== start - 1 || text.charCodeAt(start - 1) !== 0x2d) return false;
  return start - (starts[length - 1] ?? 0) < maxWord;
}

/** Ends that follow each other are one: the arrays have room for a word and an end each. */
function pushEnd(words: Growing, at: number, end: number): void {
  if (words.length === 0) return;
  if (isEnd(words.bits[words.length - 1] ?? 0)) {
    if (end === sentenceEnd) words.bits[words.length - 1] = sentenceEnd;
    return;
  }
  words.starts[words.length] = at;
  words.ends[words.length] = at;
  words.bits[words.length] = end;
  words.length++;
}

const toolBit = bitOf("tool");

function bitsOf(word: string): number {
  const known = classesOf.get(word);
  if (known !== undefined) return known;
  const odd = oddityOf(word);
  if (odd === 0) return 0;
  const lower = word.toLowerCase();
  const inLower = classesOf.get(lower);
  if (inLower !== undefined) return inLower;
  // As in "l'utilisateur".
  const apostrophe = word.indexOf("'");
  if (apostrophe === 1 || apostrophe === 2) return classesOf.get(lower.slice(apostrophe + 1)) ?? 0;
  if ((odd & withDigit) !== 0) return classesOf.get(withoutDigits(lower)) ?? 0;
  return (odd & withUnderscore) !== 0 && /^[a-z]{2,20}_[a-z_]{2,40}$/.test(word) ? toolBit : 0;
}

const [withOther, withDigit, withUnderscore] = [1, 2, 4];

/** What a word has beside small letters of ASCII. */
function oddityOf(word: string): number {
  let odd = 0;
  for (let i = 0; i < word.length; i++) {
    const code = word.charCodeAt(i);
    if (code >= 97 && code <= 122) continue;
    if (code >= 48 && code <= 57) odd |= withDigit;
    else odd |= code === 95 ? withUnderscore : withOther;
  }
  return odd;
}

/** Digits that stand for the letters they look like. */
function withoutDigits(word: string): string {
  return word.replaceAll(/[013457]/g, (digit) => digitsAsLetters[digit] ?? digit);
}

const digitsAsLetters: Readonly<Record<string, string>> = { 0: "o", 1: "i", 3: "e", 4: "a", 5: "s", 7: "t" };

const asciiLetters = Uint8Array.from({ length: 128 }, (_, code) =>
  /[\w']/.test(String.fromCharCode(code)) ? 1 : 0,
);

function isLetter(code: number): boolean {
  if (code < 128) return asciiLetters[code] === 1;
  // What separates: Latin-1 signs, general punctuation, that of East Asia.
  return (
    code >= 0xc0 &&
    !(code >= 0x2000 && code <= 0x206f) &&
    !(code >= 0x3000 && code <= 0x303f) &&
    code < 0xff00
  );
}

/** A full stop within a word ends nothing; a line may go on in the next. */
function endAt(code: number, next: number): number | undefined {
  if (code === lineFeed) return lineEnd(next);
  if (code === 0x3b || code === 0x3002) return sentenceEnd;
  if (code === 0x3a) return isSpaceOrQuote(next) ? clauseEnd : undefined;
  const isStop = code === 0x2e || code === 0x21 || code === 0x3f;
  return isStop && isSpaceOrQuote(next) ? sentenceEnd : undefined;
}

function lineEnd(next: number): number | undefined {
  if (next === lineFeed) return sentenceEnd;
  return next >= 0x61 && next <= 0x7a ? undefined : clauseEnd;
}

function isSpaceOrQuote(code: number): boolean {
  return Number.isNaN(code) || code <= 32 || code === 34 || code === 39 || code === 41;
}
