/**
 * Stretches of a text whose words are written so that a program doesn't know them and a model does: digits for letters,
 * words parted by hyphens. One such word is a name, also where it comes again; several close to each other are a disguise.
 */

const closeChars = 200;
const manyWords = 3;
/** Of one text; a reader that looks for more is kept busy. */
const maxStretches = 64;

const lettersOfDigits: Readonly<Record<string, string>> = {
  0: "o",
  1: "i",
  3: "e",
  4: "a",
  5: "s",
  7: "t",
};

/** Digits among letters, none of them but those that look like letters. */
const withDigits = /(?<![A-Za-z0-9])[A-Za-z013457]{3,30}(?![A-Za-z0-9])/g;
const parted = /(?<![\w-])([A-Za-z]{1,8})-([A-Za-z]{2,24})(?![\w-])/g;

/** @returns each such stretch as a model would read it */
export function undisguised(text: string): readonly string[] {
  const found = [
    ...[...text.matchAll(withDigits)].filter(([word]) => isPosing(word)),
    ...text.matchAll(parted),
  ].map(({ index, 0: word }) => ({ start: index, end: index + word.length, word: word.toLowerCase() }));
  return stretchesOf(found.toSorted((a, b) => a.start - b.start))
    .slice(0, maxStretches)
    .map(({ start, end }) => asRead(text.slice(Math.max(0, start - closeChars), end + closeChars)));
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

function stretchesOf(words: readonly (Stretch & { readonly word: string })[]): readonly Stretch[] {
  const stretches: { start: number; end: number; words: Set<string> }[] = [];
  for (const { start, end, word } of words) {
    const last = stretches.at(-1);
    if (last !== undefined && start - last.end <= closeChars) {
      last.end = end;
      last.words.add(word);
    } else stretches.push({ start, end, words: new Set([word]) });
  }
  return stretches.filter((each) => each.words.size >= manyWords);
}

function isPosing(word: string): boolean {
  const digits = word.match(/\d/g)?.length ?? 0;
  return digits > 0 && digits <= word.length - digits;
}

function asRead(text: string): string {
  return text
    .replaceAll(withDigits, (word) =>
      isPosing(word) ? word.replaceAll(/\d/g, (digit) => lettersOfDigits[digit] ?? digit) : word,
    )
    .replaceAll(parted, "$1$2");
}
