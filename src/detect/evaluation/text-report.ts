/** How well texts are told apart, corpus by corpus: by one model, or each corpus by models that never saw it. */
import { scanText } from "../text/scan-text.ts";
import type { TextModel } from "../text/text-model.ts";
import { type LabelledText, trainText } from "../text/train-text.ts";
import { type Measure, measure, type Scored } from "./measure.ts";

export interface TextReport extends Measure {
  /** Texts of a corpus and label against all texts of the other label. */
  readonly byCorpus: Readonly<Record<string, Measure>>;
}

export function textReport(texts: readonly LabelledText[], model: TextModel): TextReport {
  const scored = texts.map((each) => ({ ...each, ...scoredBy(model, each) }));
  const byCorpus = corporaOf(texts).map(({ source, isInjection }) => {
    const own = scored.filter((each) => each.isAttack !== isInjection || each.source === source);
    return [nameOf({ source, isInjection }), measure(own)] as const;
  });
  return { ...measure(scored), byCorpus: Object.fromEntries(byCorpus) };
}

/**
 * Each pair of a corpus of injections and one of benign texts is scored by a model that saw neither. A text's score is the mean
 * over its pairs.
 */
export function heldOutReport(texts: readonly LabelledText[]): TextReport {
  const corpora = corporaOf(texts);
  const all = new Map<LabelledText, number[]>();
  const byCorpus = new Map(corpora.map((corpus) => [nameOf(corpus), new Map<LabelledText, number[]>()]));
  for (const attack of corpora.filter(({ isInjection }) => isInjection)) {
    for (const benign of corpora.filter(({ isInjection }) => !isInjection)) {
      const model = trainText(
        texts.filter(({ source }) => source !== attack.source && source !== benign.source),
      );
      const scores = [all, byCorpus.get(nameOf(attack)), byCorpus.get(nameOf(benign))];
      for (const text of texts) {
        if (text.source !== (text.isInjection ? attack : benign).source) continue;
        const { score } = scanText(text.text, model);
        for (const each of scores) each?.set(text, [...(each.get(text) ?? []), score]);
      }
    }
  }
  return {
    ...measureOf(all),
    byCorpus: Object.fromEntries([...byCorpus].map(([name, scores]) => [name, measureOf(scores)])),
  };
}

function measureOf(scores: ReadonlyMap<LabelledText, readonly number[]>): Measure {
  return measure(Array.from(scores, ([text, each]) => ({ ...labelOf(text), score: meanOf(each) })));
}

function scoredBy(model: TextModel, text: LabelledText): Scored {
  return { ...labelOf(text), score: scanText(text.text, model).score };
}

/** The same text many times is one. */
function labelOf({ text, isInjection }: LabelledText): Omit<Scored, "score"> {
  return { isAttack: isInjection, group: text.slice(0, 200) };
}

interface Corpus {
  readonly source: string;
  readonly isInjection: boolean;
}

export function corporaOf(texts: readonly LabelledText[]): readonly Corpus[] {
  const found = new Map(
    texts.map(({ source, isInjection }) => [nameOf({ source, isInjection }), { source, isInjection }]),
  );
  return [...found.values()];
}

function nameOf({ source, isInjection }: Corpus): string {
  return `${source} (${isInjection ? "injections" : "benign"})`;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
