/** What is said of many measurements: the one in the middle, and how far the others are from it. */

/** The value in the middle; the mean of the two there if their number is even. 0 if there is none. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

/** @param sorted ascending */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

export interface Figure {
  readonly median: number;
  /** Half the distance between the quartiles, as a share of the median: 0.05 is ±5 %. */
  readonly spread: number;
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = median(sorted);
  const half = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2;
  return { median: middle, spread: middle === 0 ? 0 : half / middle };
}
