/** How much each side of a call adds to its score: the score, less what it would be if that side were as usual as can be. */
import { scoreOf, type Trees } from "../learn/trees.ts";
import { featureNames } from "./features.ts";

const sides = {
  seq: ["surprise", "newTool", "newEdge", "writesBefore", "sinceResult", "continues"],
  param: ["newValues", "newNames", "number", "overLargest", "length", "newDomain"],
  prov: [
    "shared",
    "sharedLast",
    "valuesFound",
    "valuesOnlyLast",
    "namesFound",
    "namesNowhere",
    "nameProse",
    "nameResults",
    "nameNew",
    "copied",
    "covered",
  ],
  act: ["act", "actValues", "actProse", "actWindows", "namedAct", "actTimesCue", "actAge"],
  text: [
    "cueAtShared",
    "sharedCue",
    "valueCue",
    "valueCueLeast",
    "tainted",
    "taintedShare",
    "nameCue",
    "nameCueLeast",
    "actCue",
    "actCueRise",
  ],
  class: ["writes", "destroys", "openWorld", "actions"],
} as const;

export type Parts = Readonly<Record<keyof typeof sides, number>>;

export const noParts: Parts = { seq: 0, param: 0, prov: 0, act: 0, text: 0, class: 0 };

const columns = Object.entries(sides).map(
  ([side, names]) => [side, names.map((name: string) => featureNames.indexOf(name))] as const,
);

export function partsOf(trees: Trees, vector: Float64Array, raw: number): Parts {
  const parts = columns.map(([side, indexes]) => {
    const without = Float64Array.from(vector);
    for (const index of indexes) without[index] = 0;
    return [side, Math.round((raw - scoreOf(trees, without)) * 100) / 100] as const;
  });
  return Object.fromEntries(parts) as Parts;
}
