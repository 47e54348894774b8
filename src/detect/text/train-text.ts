/** Learns a text model from labelled texts: the prior's weights, moved a little. The same texts give the same model. */
import { seededRandom } from "../../kernel/seeded-random.ts";
import { featuresOf, priorBias } from "./features.ts";
import { marks } from "./marks.ts";
import { matchCues } from "./match-cues.ts";
import { readText } from "./read-text.ts";
import { priorModel, type TextModel } from "./text-model.ts";
import { wordsOf } from "./words.ts";

export interface LabelledText {
  readonly text: string;
  readonly isInjection: boolean;
  /** The corpus it comes from: each counts the same, however large. */
  readonly source: string;
}

interface Example {
  readonly values: Float64Array;
  readonly target: number;
  readonly weight: number;
}

const epochs = 10;
const rate = 0.05;
/** How strongly weights are held to the prior. Held less, they do worse on corpora that weren't learned from. */
const pull = 0.3;
/** A small corpus doesn't count more per text than that. */
const mostWeight = 5;
const seed = 11;

export function trainText(texts: readonly LabelledText[]): TextModel {
  const examples = examplesOf(texts);
  const random = seededRandom(seed);
  const order = examples.map((_, i) => i);
  const state = { bias: priorBias, weights: Float64Array.from(priorModel.weights) };
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (const i of order) {
      const example = examples[i];
      if (example !== undefined) learn(state, example, rate / (1 + epoch));
    }
  }
  return { bias: rounded(state.bias), weights: Array.from(state.weights, rounded) };
}

interface State {
  bias: number;
  readonly weights: Float64Array;
}

function learn(state: State, { values, target, weight }: Example, step: number): void {
  const sum = values.reduce((all, value, i) => all + value * (state.weights[i] ?? 0), state.bias);
  const error = (1 / (1 + Math.exp(-sum)) - target) * weight;
  state.bias -= step * (error + pull * (state.bias - priorBias));
  for (const [i, prior] of priorModel.weights.entries()) {
    const now = state.weights[i] ?? prior;
    const gradient = error * (values[i] ?? 0) + pull * (now - prior);
    state.weights[i] = Math.max(0, now - step * gradient);
  }
}

function examplesOf(texts: readonly LabelledText[]): readonly Example[] {
  const sizes = new Map<string, number>();
  const corpora = [new Set<string>(), new Set<string>()] as const;
  for (const { source, isInjection } of texts) {
    const key = `${isInjection} ${source}`;
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
    corpora[isInjection ? 1 : 0].add(source);
  }
  return texts.map(({ text, isInjection, source }) => {
    const read = readText(text);
    const words = wordsOf(read.text);
    const cues = matchCues(read.text, words);
    const seen = marks.filter(({ form }) => read.text.search(form) !== -1);
    const size = (sizes.get(`${isInjection} ${source}`) ?? 1) * corpora[isInjection ? 1 : 0].size * 2;
    return {
      values: featuresOf({ cues, marks: seen }),
      target: isInjection ? 1 : 0,
      weight: Math.min(mostWeight, texts.length / size),
    };
  });
}

function shuffle(order: number[], random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
