/** How suspicious a window is: a weighted sum of its features, each of which can only add. */
import { features, priorBias } from "./features.ts";

export interface TextModel {
  readonly bias: number;
  /** Of `features`, in their order; none below 0. */
  readonly weights: readonly number[];
}

/** What is known without having learned anything. */
export const priorModel: TextModel = { bias: priorBias, weights: features.map(({ prior }) => prior) };

export function scoreOf({ bias, weights }: TextModel, values: Float64Array): number {
  const sum = values.reduce((all, value, i) => all + value * (weights[i] ?? 0), bias);
  return 1 / (1 + Math.exp(-sum));
}
