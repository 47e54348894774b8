/** How far the score of texts falls when injections are written in other ways, and where hidden text gives them away. */
import { seededRandom } from "../../kernel/seeded-random.ts";
import { findingsInText } from "../gates/findings.ts";
import { mutations } from "../text/mutations.ts";
import { scanText } from "../text/scan-text.ts";
import type { TextModel } from "../text/text-model.ts";
import type { LabelledText } from "../text/train-text.ts";
import { type Measure, measure, type Scored } from "./measure.ts";

export interface MutationRow extends Measure {
  readonly what: string;
  /** The share of injections in which a gate finds hidden text, above `low`. */
  readonly hidden: number;
}

/** By mutation; `none` first. What is benign stays as it is. */
export function mutationReport(
  texts: readonly LabelledText[],
  model: TextModel,
  seed: number,
): Readonly<Record<string, MutationRow>> {
  const benign = texts.filter(({ isInjection }) => !isInjection).map((each) => scored(each, model));
  const attacks = texts.filter(({ isInjection }) => isInjection);
  const none = { name: "none", what: "as they are", apply: (text: string) => text };
  const rows = [none, ...mutations].map(({ name, what, apply }) => {
    const random = seededRandom(seed);
    const mutated = attacks.map((each) => ({ ...each, text: apply(each.text, random) }));
    const hidden = mutated.filter(({ text }) => isHidden(text)).length / Math.max(1, mutated.length);
    const all = [...mutated.map((each) => scored(each, model)), ...benign];
    return [name, { what, ...measure(all), hidden }] as const;
  });
  return Object.fromEntries(rows);
}

function scored({ text, isInjection }: LabelledText, model: TextModel): Scored {
  return { score: scanText(text, model).score, isAttack: isInjection, group: text.slice(0, 200) };
}

function isHidden(text: string): boolean {
  return findingsInText([{ at: "text", text }]).some(
    ({ kind, severity }) => kind.startsWith("hidden.") && severity !== "low",
  );
}
