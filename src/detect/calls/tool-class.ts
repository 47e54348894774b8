/** What a tool may do, from its annotations and, where it has none, its name. */
import { actionsOf, readingAction } from "./vocabulary.ts";
import { eachWord, wordHash } from "./words.ts";

export interface ToolClass {
  readonly writes: boolean;
  readonly destroys: boolean;
  /** What it is given may leave the house. */
  readonly isOpenWorld: boolean;
  /** What its name says it does, as bits of the vocabulary, without reading. */
  readonly actions: number;
  /** Words of its name. */
  readonly words: readonly number[];
}

const reading = new Set(
  "get list search read view check find query fetch describe show count look browse select calculate think route extract info lookup inspect directory"
    .split(" ")
    .map(wordHash),
);
const bitsOf = (...words: readonly string[]): number =>
  words.reduce((bits, word) => bits | actionsOf(wordHash(word)), 0) & ~readingAction;
const destroying = bitsOf("delete", "cancel");
const credential = bitsOf("password");
const moneyOut = bitsOf("transfer");
const outward = bitsOf("send", "pay", "visit", "invite", "message", "post", "share", "download");
const longestName = 256;

export function toolClass(
  tool: string,
  hints: { readonly readOnly?: boolean; readonly destructive?: boolean },
): ToolClass {
  const words = wordsOfName(tool);
  const actions = words.reduce((bits, word) => bits | actionsOf(word), 0) & ~readingAction;
  const [first] = words;
  const last = words.at(-1);
  const named = words.length > 0 && !isReading(first) && !isReading(last);
  const writes = hints.readOnly === undefined ? named : !hints.readOnly;
  const byName = writes && (actions & (destroying | credential | moneyOut)) !== 0;
  return {
    writes,
    destroys: hints.destructive ?? byName,
    isOpenWorld: (actions & outward) !== 0,
    actions,
    words,
  };
}

function isReading(word: number | undefined): boolean {
  return word !== undefined && reading.has(word);
}

/** `server__sendMoney` → send, money: what stands before two underscores is the server's name. */
function wordsOfName(tool: string): readonly number[] {
  const name = tool.slice(0, longestName);
  const own = name.slice(name.lastIndexOf("__") + 1);
  const words: number[] = [];
  eachWord(
    own.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").replaceAll(/[^\p{L}\p{N}]+/gu, " "),
    { word: (hash) => words.push(hash), mark: () => undefined },
    16,
  );
  return words;
}
