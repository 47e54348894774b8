/** Finds cues in one pass over a text's words. Time and memory are in proportion to its length, whatever it says. */
import { type Cue, cues } from "./cues.ts";
import { bitOf, type WordClass } from "./lexicon.ts";
import { requestAt } from "./requests.ts";
import { isEnd, sentenceEnd, type Words } from "./words.ts";

interface CueMatch {
  /** Of `cues`. */
  readonly cue: number;
  readonly start: number;
  readonly end: number;
}

export interface CueMatches {
  readonly matches: readonly CueMatch[];
  readonly words: number;
  readonly sentences: number;
  /** Sentences that begin with what is to be done, and those that ask for an answer. */
  readonly orders: number;
  readonly questions: number;
  /** Words of each class. */
  readonly counts: Uint32Array;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Of one text: the first say enough. */
const maxMatches = 256;

/** What a step asks for, and where the cue stands that waits for it. */
interface State {
  readonly cue: number;
  readonly steps: readonly number[];
  readonly gap: number;
  /** Of each step that was met: the word's number, and where its first word began; -1: not met. */
  readonly words: Int32Array;
  readonly starts: Int32Array;
}

/** @param range words from and to, for less than the whole text */
export function matchCues(text: string, all: Words, range: Range = { from: 0, to: all.length }): CueMatches {
  for (const { words: met } of states) met.fill(-1);
  const matches: CueMatch[] = [];
  const counts = new Uint32Array(32);
  const requests = { order: 0, question: 0 };
  let [words, sentences, isFirst] = [0, 0, true];
  for (let i = range.from; i < range.to; i++) {
    const bits = all.bits[i] ?? 0;
    if (isEnd(bits)) {
      isFirst = true;
      if (bits === sentenceEnd) for (const { words: met } of states) met.fill(-1);
      continue;
    }
    words++;
    if (isFirst) {
      sentences++;
      const request = requestAt(text, all, i);
      if (request !== undefined) requests[request]++;
    }
    isFirst = false;
    if (bits !== 0) countBits(counts, bits);
    if ((bits & anyStep) !== 0 && matches.length < maxMatches) advanceAll(matches, all, { i, word: words });
  }
  const { order: orders, question: questions } = requests;
  return { matches, words, sentences: Math.max(1, sentences), orders, questions, counts };
}

/** `i` is the word's number in the arrays, `word` without ends of sentences. */
function advanceAll(
  matches: CueMatch[],
  { bits, starts, ends }: Words,
  { i, word }: { readonly i: number; readonly word: number },
): void {
  const met = { bits: bits[i] ?? 0, word, start: starts[i] ?? 0 };
  for (const state of states) {
    if (advance(state, met))
      matches.push({ cue: state.cue, start: state.starts.at(-1) ?? 0, end: ends[i] ?? 0 });
  }
}

function countBits(counts: Uint32Array, bits: number): void {
  for (let rest = bits; rest !== 0; rest &= rest - 1) {
    const at = 31 - Math.clz32(rest & -rest);
    counts[at] = (counts[at] ?? 0) + 1;
  }
}

function stateOf({ steps, gap }: Cue, cue: number): State {
  const masks = steps.map((step) => [step].flat().reduce((mask, name: WordClass) => mask | bitOf(name), 0));
  const unmet = (): Int32Array => new Int32Array(steps.length).fill(-1);
  return { cue, steps: masks, gap, words: unmet(), starts: unmet() };
}

/** Used anew by each call, which is over before the next begins. */
const states = cues.map((cue: Cue, i) => stateOf(cue, i));

/** Words of none of these meet no step. */
const anyStep = states.reduce((all, { steps }) => steps.reduce((bits, step) => bits | step, all), 0);

interface Met {
  readonly bits: number;
  readonly word: number;
  readonly start: number;
}

/** From the last step to the first, so that one word isn't two steps. @returns whether the cue is whole now */
function advance({ steps, gap, words, starts }: State, { bits, word, start }: Met): boolean {
  for (let i = steps.length - 1; i >= 0; i--) {
    if ((bits & (steps[i] ?? 0)) === 0) continue;
    const before = i === 0 ? word : (words[i - 1] ?? -1);
    if (before === -1 || word - before > gap) continue;
    words[i] = word;
    starts[i] = i === 0 ? start : (starts[i - 1] ?? start);
    if (i < steps.length - 1) continue;
    words.fill(-1);
    return true;
  }
  return false;
}
