/** Letters that look like those of another script or style (Unicode UTS 39, UTS 36): what matters of its tables. */
import type { HiddenSpan } from "./hidden-text.ts";

/** Letters of other scripts that most fonts draw as they draw a Latin one, by the Latin one. */
const posingAs: Readonly<Record<string, string>> = {
  A: "АΑᎪ",
  B: "ВΒᏴ",
  C: "СϹᏟ",
  E: "ЕΕᎬ",
  G: "Ԍ",
  H: "НΗᎻ",
  I: "ІΙӀ",
  J: "ЈᎫ",
  K: "КΚᏦ",
  L: "Ꮮ",
  M: "МΜᎷ",
  N: "Ν",
  O: "ОΟՕ",
  P: "РΡᏢ",
  Q: "Ԛ",
  S: "ЅᏚ",
  T: "ТΤᎢ",
  U: "Ս",
  V: "ѴᏙ",
  W: "Ԝ",
  X: "ХΧ",
  Y: "ҮΥ",
  Z: "ΖᏃ",
  a: "аɑα",
  c: "сϲᴄ",
  d: "ԁ",
  e: "еҽ",
  g: "ɡց",
  h: "һհ",
  i: "іιı",
  j: "јϳ",
  k: "кκĸ",
  l: "ӏǀ",
  n: "ոп",
  o: "оοօ",
  p: "рρ",
  q: "ԛգ",
  r: "гᴦ",
  s: "ѕꜱ",
  t: "тτ",
  u: "υսᴜ",
  v: "νѵᴠ",
  w: "ԝѡᴡ",
  x: "хχ",
  y: "уγү",
  z: "ᴢ",
};

const latinFor: ReadonlyMap<string, string> = new Map(
  Object.entries(posingAs).flatMap(([latin, others]) =>
    Array.from(others, (other) => [other, latin] as const),
  ),
);

/** What is alike within ASCII too, in names: digits for letters, and letters that run together. */
const alikeInAscii: readonly (readonly [RegExp, string])[] = [
  [/0/g, "o"],
  [/[1|i]/g, "l"],
  [/rn/g, "m"],
  [/vv/g, "w"],
];

/** The form that names which look alike share (UTS 39 §4), whatever their case. */
export function skeleton(name: string): string {
  const letters = Array.from(name.normalize("NFKD"), (letter) => latinFor.get(letter) ?? letter);
  const plain = letters
    .join("")
    .replace(/[\p{M}\p{Cf}\p{Variation_Selector}]/gu, "")
    .toLowerCase();
  return alikeInAscii.reduce((text, [look, letter]) => text.replace(look, letter), plain);
}

/** Letters of other scripts that look like Latin ones, as those. */
export function inLatin(text: string): string {
  return Array.from(text, (letter) => latinFor.get(letter) ?? letter).join("");
}

/** Words in which a letter poses as one of another script, and runs of letters in a style that isn't ASCII's. */
export function posingLetters(text: string): readonly HiddenSpan[] {
  if (!/[^\p{ASCII}]/u.test(text)) return [];
  const scripts = nativeScripts(text);
  const isEastAsian = eastAsian.test(text);
  return [...text.matchAll(words)].flatMap((match): readonly HiddenSpan[] => {
    const [word] = match;
    const span = { start: match.index, end: match.index + word.length, shown: "behind" } as const;
    const styled = styledWord(word, isEastAsian);
    if (styled !== undefined) return [{ ...span, ...styled }];
    const posing = posingWord(word, scripts);
    return posing === undefined ? [] : [{ ...span, ...posing }];
  });
}

const words = /[\p{L}\p{M}\p{Nd}\p{Nl}\p{So}\u{1D400}-\u{1D7FF}]+/gu;
const latin = /\p{Script=Latin}/u;

const otherScripts = [
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Greek", /\p{Script=Greek}/u],
  ["Armenian", /\p{Script=Armenian}/u],
  ["Cherokee", /\p{Script=Cherokee}/u],
] as const;

type Found = Pick<HiddenSpan, "kind" | "severity" | "says">;

/** Formulas join Greek letters with Latin ones (Δx, ρgh, cosα), but not so. */
const greekWithin = /\p{Script=Latin}[αγικνρτυχ]\p{Script=Latin}|[ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο]/u;

/** A word of Latin letters and others that pose as such; or one of posing letters alone where nothing else is of its script. */
function posingWord(word: string, native: ReadonlySet<string>): Found | undefined {
  const letters = Array.from(word);
  const posing = letters.filter((letter) => latinFor.has(letter) && !latin.test(letter));
  const [first] = posing;
  if (first === undefined) return undefined;
  const script = otherScripts.find(([, letter]) => letter.test(first))?.[0];
  if (script === undefined) return undefined;
  const says = `${[...new Set(posing)].map(codePoint).join(", ")} ${script}`;
  const own = letters.filter((letter) => latin.test(letter)).length;
  if (script === "Greek" && (own < 3 || !greekWithin.test(word))) return undefined;
  if (own > 0) return { kind: "homoglyphs", severity: "hold", says };
  // A whole word that could be Latin, in a text that has no other word of that script.
  const isWhole = letters.length > 2 && letters.every((letter) => latinFor.has(letter));
  return isWhole && !native.has(script) ? { kind: "homoglyphs", severity: "hold", says } : undefined;
}

/** Scripts that a text has words of which can't be taken for Latin. */
function nativeScripts(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [word] of text.matchAll(words)) {
    for (const [script, letter] of otherScripts) {
      const own = Array.from(word).filter((each) => letter.test(each));
      if (!latin.test(word) && own.some((each) => !latinFor.has(each))) found.add(script);
    }
  }
  return found;
}

/** Mathematical, enclosed, full-width letters: a model reads them, a search for the word doesn't find it. */
const styledLetter =
  /[\u{1D400}-\u{1D7FF}\u{24B6}-\u{24E9}\u{1F130}-\u{1F189}\uFF21-\uFF3A\uFF41-\uFF5A\u1D2C-\u1D6A\u2070-\u209C]/u;
const eastAsian = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
/** Shorter ones are symbols: a variable, a footnote, a unit. */
const minStyled = 3;

function styledWord(word: string, isEastAsian: boolean): Found | undefined {
  const letters = Array.from(word);
  const styled = letters.filter(
    (letter) => styledLetter.test(letter) && /[a-z]/i.test(letter.normalize("NFKC")),
  );
  if (styled.length < minStyled) return undefined;
  const plain = word.normalize("NFKC");
  // Full-width letters are how East Asian texts set Latin ones.
  if (styled.every((letter) => /[\uFF21-\uFF5A]/.test(letter)) && isEastAsian) return undefined;
  const isMixed = letters.some((letter) => /[a-z]/i.test(letter));
  return {
    kind: "styled",
    severity: isMixed ? "hold" : "note",
    says: `styled letters "${plain.slice(0, 100)}"`,
  };
}

function codePoint(letter: string): string {
  return `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
