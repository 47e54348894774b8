/** Runs of a text that say something else when they are decoded: base64, hexadecimal, percent-encoding. */
import { decodingsOf } from "../../wire/decodings.ts";
import { traitsOf } from "../gates/traits.ts";

export interface Encoded {
  /** Of the run. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const runs = /[A-Za-z0-9+/_-]{24,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){16,}|(?:%[0-9a-fA-F]{2}){8,}/g;
/** Of one text; to decode costs more than to read. */
const maxRuns = 64;
const maxChars = 32 * 1024;
/** Less than a few words says nothing. */
const leastChars = 16;

/** @returns `isAll` is false where there was more than is decoded */
export function encodedIn(text: string): { readonly found: readonly Encoded[]; readonly isAll: boolean } {
  const found: Encoded[] = [];
  if (!traitsOf(text).hasRun) return { found, isAll: true };
  let [left, tried] = [maxChars, 0];
  for (const { 0: run, index } of text.matchAll(runs)) {
    // Paths and names with separators are no encodings.
    if ((run.match(/[/_-]/g)?.length ?? 0) * 8 > run.length) continue;
    left -= run.length;
    if (left < 0 || ++tried > maxRuns) return { found, isAll: false };
    for (const decoded of decodingsOf(run).texts) {
      if (decoded.length >= leastChars) found.push({ start: index, end: index + run.length, text: decoded });
    }
  }
  return { found, isAll: true };
}
