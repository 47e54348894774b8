/** Whether a sentence asks its reader to do or to answer something: by its first words alone. */
import { bitOf } from "./lexicon.ts";
import { isEnd, sentenceEnd, type Words } from "./words.ts";

/** `order`: begins with what is to be done; `question`: asks for an answer. */
export type Request = "order" | "question";

const knownVerbs = bitOf("act") | bitOf("override") | bitOf("send");
/** Stand before what is to be done, and aren't it. */
const softening = bitOf("please") | bitOf("now") | bitOf("urgent") | bitOf("before") | bitOf("must");

const small = (words: string): ReadonlySet<string> => new Set(words.split(" "));
/** Stand behind a verb that takes an object, seldom behind a noun. */
const behindVerbs = small(
  "the a an your this these those all any every each my our their his her its me us random following it them el la los las un una le les des une den die das ein eine il lo gli",
);
/** Begin sentences and are no verbs. */
const noVerbs = small(
  "in on at for with of and but or if is are was were to by from as about over under after before during into like when where while that both here there because since so the a an this these those i we you he she it they my your our his her its their not no yes what who how why which can could would will do does did may might once until through between among within without against per via than then also only just even such same other some any all each every most more many much one two three first last new old who's it's that's there's en de con para por que et dans pour avec und im in der die das mit",
);
const asking = small(
  "what who whom whose how why when where which can could would will is are do does did was were may might should shall have has qué quién cómo por cuál puedes quel quelle qui comment pourquoi peux pouvez was wer wie warum wo kannst können",
);
const reader = small("you i we the a an this these it there your u tú usted vous tu du sie");

/** @param i the number of the sentence's first word */
export function requestAt(text: string, words: Words, i: number): Request | undefined {
  const { at, isAskedNicely } = behindSoftening(words, i);
  const first = wordAt(text, words, at);
  if (first === "") return undefined;
  if (((words.bits[at] ?? 0) & knownVerbs) !== 0) return "order";
  const second = wordAt(text, words, at + 1);
  if (asking.has(first) && !isAskedNicely)
    return reader.has(second) && isQuestion(text, words, at) ? "question" : undefined;
  if (noVerbs.has(first)) return undefined;
  return isAskedNicely || isVerbLike(first, second) ? "order" : undefined;
}

function isVerbLike(first: string, second: string): boolean {
  return behindVerbs.has(second) && !/(?:s|ed|ing|ly|ion|ment|\d)$/.test(first);
}

/** The word behind "please", "now", "immediately" and the like, two at most. */
function behindSoftening(
  { bits, length }: Words,
  i: number,
): { readonly at: number; readonly isAskedNicely: boolean } {
  let at = i;
  let isAskedNicely = false;
  for (; at < Math.min(length, i + 3); at++) {
    const word = bits[at] ?? sentenceEnd;
    if (isEnd(word) || (word & softening) === 0) break;
    isAskedNicely ||= (word & bitOf("please")) !== 0;
  }
  return { at, isAskedNicely };
}

function wordAt(text: string, { length, starts, ends, bits }: Words, i: number): string {
  if (i >= length || isEnd(bits[i] ?? sentenceEnd)) return "";
  return text.slice(starts[i], Math.min(ends[i] ?? 0, (starts[i] ?? 0) + 24)).toLowerCase();
}

/** Ends with a question mark, within a sentence's usual length. */
function isQuestion(text: string, { length, starts, bits }: Words, i: number): boolean {
  for (let at = i; at < length && at < i + 60; at++) {
    if (bits[at] === sentenceEnd) return text[starts[at] ?? 0] === "?";
  }
  return false;
}
