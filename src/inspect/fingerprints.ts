/**
 * What is remembered of a text in place of the text: keyed hashes of its pieces. Of running text a choice of pieces of
 * twelve letters, such that any 19 letters in a row hold one (winnowing, Schleimer, Wilkerson and Aiken 2003); of what
 * is rare in itself (addresses, account numbers, keys) each piece, and the whole.
 */
import { lettersOf } from "../wire/plain-text.ts";

/** Letters of a piece. */
export const pieceLetters = 12;
/** Of so many pieces in a row one is remembered. */
const window = 8;

/** Two odd numbers to multiply by, two to mix in; of the process alone. */
export interface FingerprintKey {
  readonly factors: readonly [number, number];
  readonly mixed: readonly [number, number];
}

/** @param bytes 16 random ones */
export function fingerprintKey(bytes: Uint8Array): FingerprintKey {
  const { buffer, byteOffset, byteLength } = bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  return {
    factors: [view.getUint32(0) | 1, view.getUint32(4) | 1],
    mixed: [view.getUint32(8), view.getUint32(12)],
  };
}

/** Of every piece of `letters`, in order: a whole number below 2^52. */
export function piecesOf(letters: string, key: FingerprintKey): Float64Array {
  const count = Math.max(0, letters.length - pieceLetters + 1);
  const hashes = new Float64Array(count);
  const [a, b] = key.factors;
  const [lastA, lastB] = [power(a, pieceLetters), power(b, pieceLetters)];
  let [one, other] = [0, 0];
  for (let at = 0; at < letters.length; at++) {
    const unit = letters.charCodeAt(at) + 1;
    one = (Math.imul(one, a) + unit) | 0;
    other = (Math.imul(other, b) + unit) | 0;
    if (at >= pieceLetters) {
      const gone = letters.charCodeAt(at - pieceLetters) + 1;
      one = (one - Math.imul(gone, lastA)) | 0;
      other = (other - Math.imul(gone, lastB)) | 0;
    }
    if (at >= pieceLetters - 1) hashes[at - pieceLetters + 1] = joined(one, other, key);
  }
  return hashes;
}

/** Of a short text as a whole. */
export function wholeOf(letters: string, key: FingerprintKey): number {
  const [a, b] = key.factors;
  let [one, other] = [key.mixed[1], key.mixed[0]];
  for (let at = 0; at < letters.length; at++) {
    const unit = letters.charCodeAt(at) + 1;
    one = (Math.imul(one, a) + unit) | 0;
    other = (Math.imul(other, b) + unit) | 0;
  }
  return joined(one ^ letters.length, other, key);
}

/** The places of the pieces that are remembered. */
export function chosenOf(hashes: Float64Array): readonly number[] {
  const chosen: number[] = [];
  let last = -1;
  for (let end = Math.min(window, hashes.length); end <= hashes.length && end > 0; end++) {
    // The last of the least ones, so that runs of one letter choose few.
    if (last >= end - window && last !== -1 && (hashes[end - 1] ?? 0) > (hashes[last] ?? 0)) continue;
    let least = Math.max(0, end - window);
    for (let at = least + 1; at < end; at++) if ((hashes[at] ?? 0) <= (hashes[least] ?? 0)) least = at;
    if (least !== last) chosen.push(least);
    last = least;
  }
  return chosen;
}

/** What is rare in itself, as letters and digits. */
export interface Rare {
  readonly letters: string;
  /** Any piece of it is rare too: an account number, an order's, a key. */
  readonly isCode: boolean;
}

/** Addresses of mail and of the web; numbers of six digits and more, and words with digits in them, but for dates. */
export function rareIn(plainText: string): readonly Rare[] {
  const undated = plainText.replaceAll(dates, " ");
  const found = new Map<string, Rare>();
  for (const { pattern, isCode } of kinds) {
    for (const [text] of undated.matchAll(pattern)) {
      const letters = lettersOf(text.replace(/^https?:\/\/(?:www\.)?/, ""));
      if (found.size >= maxRare) break;
      if (isCode ? isCodeLike(letters) : letters.length >= pieceLetters)
        found.set(letters, { letters, isCode });
    }
  }
  return [...found.values()];
}

/** Of one text. */
const maxRare = 20_000;

const dates =
  /\b\d{4}[/.-]\d{1,2}[/.-]\d{1,2}(?:[t ]\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\.\d+)?(?:z|[+-]\d{2}:?\d{2})?)?|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b|\b\d{1,2}:\d{2}(?::\d{2})?\b/g;

const kinds: readonly { readonly pattern: RegExp; readonly isCode: boolean }[] = [
  { pattern: /[\w.%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6}/g, isCode: false },
  { pattern: /\bhttps?:\/\/[^\s"'<>()[\]{}]{6,2000}/g, isCode: false },
  // Groups of four, as account numbers are written.
  { pattern: /\b[a-z]{2}\d{2}(?: [a-z0-9]{4}){2,7}(?: [a-z0-9]{1,4})?\b/g, isCode: true },
  { pattern: /\+?\d(?:[ /.()-]?\d){5,40}/g, isCode: true },
  { pattern: /[a-z0-9](?:[a-z0-9_-]){5,255}/g, isCode: true },
];

const leastCodeLetters = 6;
const leastCodeDigits = 4;

/** Not a round number, nor a word with a year in it. */
function isCodeLike(letters: string): boolean {
  if (letters.length < leastCodeLetters) return false;
  const digits = letters.replaceAll(/\D+/g, "");
  return (
    digits.length >= leastCodeDigits && new Set(digits).size >= 3 && !/^\D*(?:19|20)\d\d\D*$/.test(letters)
  );
}

function power(base: number, times: number): number {
  let result = 1;
  for (let i = 0; i < times; i++) result = Math.imul(result, base);
  return result;
}

function joined(one: number, other: number, { mixed: [a, b] }: FingerprintKey): number {
  return (avalanche(one ^ a) >>> 0) * 0x100000 + (avalanche(other ^ b) >>> 12);
}

/** MurmurHash3's last step: each bit of the result depends on all. */
function avalanche(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
