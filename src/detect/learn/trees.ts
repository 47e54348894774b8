/** Boosted trees as they are scored: complete, in heap order, so that a score is a few steps through arrays. */

export interface Trees {
  readonly depth: number;
  readonly base: number;
  /** By tree, 2^depth - 1 nodes each: the feature, or -1 where all go left. */
  readonly features: readonly number[];
  /** What is larger goes right. */
  readonly thresholds: readonly number[];
  /** By tree, 2^depth each. */
  readonly leaves: readonly number[];
}

/** Log-odds. What isn't a number counts as 0. */
export function scoreOf(
  { depth, base, features, thresholds, leaves }: Trees,
  vector: ArrayLike<number>,
): number {
  const perTree = 1 << depth;
  let score = base;
  for (let tree = 0; tree * perTree < leaves.length; tree++) {
    let node = 0;
    const first = tree * (perTree - 1);
    for (let level = 0; level < depth; level++) {
      const feature = features[first + node] ?? -1;
      const value = feature === -1 ? -Infinity : vector[feature] || 0;
      node = value > (thresholds[first + node] ?? 0) ? 2 * node + 2 : 2 * node + 1;
    }
    score += leaves[tree * perTree + node - perTree + 1] ?? 0;
  }
  return score;
}
