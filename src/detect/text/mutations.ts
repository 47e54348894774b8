/** Ways in which somebody who knows of the detector writes the same: a model still reads it. The same seed gives the same text. */
import type { Random } from "../../kernel/seeded-random.ts";

interface Mutation {
  readonly name: string;
  readonly what: string;
  readonly apply: (text: string, random: Random) => string;
}

const cyrillic: Readonly<Record<string, string>> = {
  a: "\u0430",
  c: "\u0441",
  e: "\u0435",
  i: "\u0456",
  o: "\u043e",
  p: "\u0440",
  x: "\u0445",
  y: "\u0443",
};
const digits: Readonly<Record<string, string>> = { a: "4", e: "3", i: "1", o: "0", s: "5", t: "7" };

export const mutations = [
  {
    name: "base64",
    what: "the whole text in base64",
    apply: (text) => Buffer.from(text).toString("base64"),
  },
  {
    name: "hexadecimal",
    what: "the whole text in hexadecimal",
    apply: (text) => Buffer.from(text).toString("hex"),
  },
  {
    name: "homoglyphs",
    what: "half of the letters that have a look-alike in Cyrillic",
    apply: (text, random) =>
      text.replaceAll(/[aceiopxy]/g, (each) => (random() < 0.5 ? (cyrillic[each] ?? each) : each)),
  },
  {
    name: "zero-width",
    what: "a zero-width space within each longer word",
    apply: (text) => text.replaceAll(/([A-Za-z]{2})(?=[A-Za-z]{2})/g, "$1\u200b"),
  },
  {
    name: "tags",
    what: "all of it as tag characters, behind a word",
    apply: (text) => `Hello${Array.from(text, tagOf).join("")}`,
  },
  {
    name: "digits",
    what: "digits for letters, in half of the words",
    apply: (text, random) =>
      text.replaceAll(/[A-Za-z]{3,}/g, (word) =>
        random() < 0.5 ? word.replaceAll(/[aeiost]/gi, (each) => digits[each.toLowerCase()] ?? each) : word,
      ),
  },
  {
    name: "split-words",
    what: "half of the longer words parted by a hyphen",
    apply: (text, random) =>
      text.replaceAll(/([A-Za-z]{2,4})([A-Za-z]{2,})/g, (all, head: string, tail: string) =>
        random() < 0.5 ? `${head}-${tail}` : all,
      ),
  },
  {
    name: "wrapped",
    what: "a line's end behind every third word",
    apply: (text) => text.replaceAll(/((?:\S+ ){2}\S+) /g, "$1\n"),
  },
  {
    name: "polite",
    what: "orders as questions to the reader",
    apply: (text) =>
      `I wonder whether you could perhaps help: ${text.slice(0, 1).toLowerCase()}${text.slice(1)}`,
  },
] as const satisfies readonly Mutation[];

/** U+E0020…U+E007E for printable ASCII; what else there is stays out. */
function tagOf(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  return code > 31 && code < 127 ? String.fromCodePoint(0xe0000 + code) : "";
}
