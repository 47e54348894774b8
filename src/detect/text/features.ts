/** What a window of a text is scored by: how it speaks, and nothing of what it is about. Each makes it more suspicious. */
import { cues } from "./cues.ts";
import { classNames, type WordClass } from "./lexicon.ts";
import type { marks } from "./marks.ts";
import type { CueMatches } from "./match-cues.ts";

export const textFeatures = "text-1";

/**
 * Each with the weight that it has before anything is learned. Learning moves them a little (train-text.ts): corpora of
 * injections differ more from each other than what all of them share, and weights that were learned freely don't transfer.
 */
export const features = [
  { name: "high", prior: 2.5 },
  { name: "medium", prior: 1.2 },
  { name: "low", prior: 0.5 },
  { name: "orders", prior: 2 },
  { name: "questions", prior: 1 },
  { name: "answer", prior: 0.4 },
  { name: "override", prior: 0.3 },
  { name: "model", prior: 0.2 },
  { name: "urgent", prior: 0.2 },
  { name: "sendTo", prior: 0.3 },
  { name: "secret", prior: 0.3 },
  { name: "shell", prior: 0.3 },
  { name: "hide", prior: 0.3 },
  { name: "system", prior: 0.2 },
] as const;

/** A text without any of it. */
export const priorBias = -3;

/** An order among more sentences than that is as much of one. */
const enoughSentences = 3;

export interface KindsSeen {
  readonly cues: CueMatches;
  /** Of `marks`, those that stand in the window. */
  readonly marks: readonly (typeof marks)[number][];
}

const severities = ["high", "medium", "low"] as const;

/** Of each severity, kinds of cues and marks, two at most. */
function kindsBySeverity({ cues: found, marks: seen }: KindsSeen): readonly number[] {
  if (found.matches.length === 0 && seen.length === 0) return [0, 0, 0];
  const kinds = new Map<string, string>(seen.map(({ kind, severity }) => [kind, severity]));
  for (const { cue } of found.matches) {
    const row = cues[cue];
    if (row !== undefined) kinds.set(row.kind, row.severity);
  }
  return severities.map((severity) => {
    return Math.min(2, [...kinds.values()].filter((each) => each === severity).length);
  });
}

const indexes: ReadonlyMap<WordClass, number> = new Map(classNames.map((name, i) => [name, i]));

export function featuresOf(seen: KindsSeen): Float64Array {
  const { cues: found } = seen;
  const has = (name: WordClass): number => ((found.counts[indexes.get(name) ?? 0] ?? 0) > 0 ? 1 : 0);
  const few = Math.min(enoughSentences, found.sentences);
  return Float64Array.of(
    ...kindsBySeverity(seen),
    Math.min(1, found.orders / few),
    Math.min(1, found.questions / few),
    has("answer") * has("you"),
    has("override") * has("orders"),
    has("model"),
    has("urgent"),
    has("send") * has("place"),
    has("secret"),
    has("shell"),
    has("hide"),
    has("system"),
  );
}
