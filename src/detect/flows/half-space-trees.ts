/**
 * Half-space trees (Tan, Ting, Liu 2011): space is halved at random, and a flow in a part where few benign ones were is
 * unusual. The halving comes from a seed, so that only how many were in each part is kept.
 */
import { seededRandom } from "../../kernel/seeded-random.ts";

const trees = 40;
const depth = 8;
/** A part with fewer isn't looked into further. */
const fewest = 25;
const nodes = 2 ** (depth + 1) - 1;
const seed = 20_261_122;

/** How many benign flows were in each part, tree by tree, in the order of a heap. */
export type Masses = readonly (readonly number[])[];

interface Halving {
  readonly dimension: Uint8Array;
  readonly at: Float64Array;
}

/** @param points numbers in [0, 1] */
export function massesOf(points: readonly (readonly number[])[]): Masses {
  const space = halvings(points[0]?.length ?? 0);
  return space.map((halving) => {
    const masses = Array.from({ length: nodes }, () => 0);
    for (const point of points)
      for (let node = 0; node < nodes; node = below(halving, node, point))
        masses[node] = (masses[node] ?? 0) + 1;
    return masses;
  });
}

/** @returns how unusual a point is: higher is rarer */
export function halfSpaceScorer(masses: Masses, dimensions: number): (point: readonly number[]) => number {
  const space = halvings(dimensions);
  return (point) => {
    let usual = 0;
    for (const [tree, halving] of space.entries()) {
      const counts = masses[tree] ?? [];
      let [node, level] = [0, 0];
      while (level < depth && (counts[node] ?? 0) > fewest) {
        node = below(halving, node, point);
        level++;
      }
      usual += Math.log2((counts[node] ?? 0) + 1) + level;
    }
    return -usual / trees;
  };
}

function below({ dimension, at }: Halving, node: number, point: readonly number[]): number {
  return 2 * node + ((point[dimension[node] ?? 0] ?? 0) < (at[node] ?? 0) ? 1 : 2);
}

function halvings(dimensions: number): readonly Halving[] {
  const random = seededRandom(seed);
  return Array.from({ length: trees }, () => {
    const ranges = Array.from({ length: dimensions }, () => {
      const middle = random();
      const half = 2 * Math.max(middle, 1 - middle);
      return { low: middle - half, high: middle + half };
    });
    const halving = { dimension: new Uint8Array(nodes), at: new Float64Array(nodes) };
    halve(halving, { node: 0, ranges, random });
    return halving;
  });
}

interface Part {
  readonly node: number;
  readonly ranges: readonly { readonly low: number; readonly high: number }[];
  readonly random: () => number;
}

function halve(into: Halving, { node, ranges, random }: Part): void {
  if (node >= nodes) return;
  const dimension = Math.floor(random() * ranges.length);
  const { low = 0, high = 1 } = ranges[dimension] ?? {};
  const at = (low + high) / 2;
  into.dimension[node] = dimension;
  into.at[node] = at;
  halve(into, { node: 2 * node + 1, ranges: ranges.with(dimension, { low, high: at }), random });
  halve(into, { node: 2 * node + 2, ranges: ranges.with(dimension, { low: at, high }), random });
}
