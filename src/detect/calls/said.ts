/** A text as a model reads it: unescaped, without what can't be seen, compatibility forms folded (NFKC), letters that pose as Latin ones as those. */
import { unmixed } from "../text/read-text.ts";

/** Zero-width, direction, soft hyphen, variation selectors, tag characters. */
const unseen = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/gu;
const tags = /[\u{e0020}-\u{e007e}]+/gu;

/** More marks in a row than any language writes: putting them in order takes the square of their number. */
const manyMarks = /(\p{M}{4})\p{M}+/gu;

/** What one result says, at most: of a longer one its beginning and its end are read. */
const maxResultChars = 128 * 1024;

export function said(text: string): string {
  let read = cut(text);
  if (read.includes("\\")) read = read.replaceAll(/\\+(u[0-9a-f]{4}|[nrt"'/\\])/gi, unescape);
  return /[^\p{ASCII}]/u.test(read) ? folded(read) : read;
}

function cut(text: string): string {
  if (text.length <= maxResultChars) return text;
  const tail = maxResultChars / 4;
  return `${text.slice(0, maxResultChars - tail)}\n${text.slice(-tail)}`;
}

function unescape(_: string, code: string): string {
  if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
  if (code === "n" || code === "r") return "\n";
  return code === "t" ? " " : code;
}

function folded(text: string): string {
  const plain = text
    .replaceAll(tags, untagged)
    .replaceAll(unseen, "")
    .replaceAll(manyMarks, "$1")
    .normalize("NFKC");
  return unmixed(plain);
}

/** ASCII once more, unseen: a text of its own. */
function untagged(run: string): string {
  return `\n${Array.from(run, (tag) => String.fromCharCode((tag.codePointAt(0) ?? 0) - 0xe0000)).join("")}\n`;
}
