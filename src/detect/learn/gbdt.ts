/**
 * Gradient-boosted trees (Friedman 2001; second order, histograms) with the logistic loss. A feature with a direction moves the
 * score in that direction only: no split against it, and each side of a split keeps to its side of their middle, all the way
 * down. The same rows, weights and seed give the same trees.
 */
import { seededRandom } from "../../kernel/seeded-random.ts";
import type { Trees } from "./trees.ts";

export interface Rows {
  /** Row by row. */
  readonly values: Float64Array;
  readonly columns: number;
  readonly labels: Uint8Array;
  readonly weights: Float64Array;
}

export interface Growth {
  readonly trees: number;
  readonly depth: number;
  readonly rate: number;
  /** Least weight (second derivatives) on a side of a split. */
  readonly leastWeight: number;
  readonly lambda: number;
  /** Of columns and of rows that a tree sees. */
  readonly columnShare: number;
  readonly rowShare: number;
  readonly seed: number;
  /** By column: 1 raises, -1 lowers, 0 either. */
  readonly directions: readonly (-1 | 0 | 1)[];
  /** Columns that may be used. */
  readonly allowed: readonly boolean[];
}

const bins = 48;

export function growTrees(rows: Rows, growth: Growth): Trees {
  return new Grower(rows, growth).grow();
}

interface Split {
  readonly gain: number;
  readonly column: number;
  readonly bin: number;
  readonly left: number;
  readonly right: number;
}

interface Bounds {
  readonly low: number;
  readonly high: number;
}

class Grower {
  readonly #rows: Rows;
  readonly #growth: Growth;
  readonly #edges: readonly Float64Array[];
  readonly #binned: Uint8Array;
  readonly #scores: Float64Array;
  readonly #gradients: Float64Array;
  readonly #curvatures: Float64Array;
  readonly #features: number[] = [];
  readonly #thresholds: number[] = [];
  readonly #leaves: number[] = [];
  readonly #sumG = new Float64Array(bins);
  readonly #sumH = new Float64Array(bins);

  constructor(rows: Rows, growth: Growth) {
    const count = rows.labels.length;
    this.#rows = rows;
    this.#growth = growth;
    this.#edges = Array.from({ length: rows.columns }, (_, column) => edgesOf(rows, column));
    this.#binned = new Uint8Array(count * rows.columns);
    for (let column = 0; column < rows.columns; column++)
      for (let row = 0; row < count; row++)
        this.#binned[column * count + row] = binOf(
          this.#edges[column] ?? new Float64Array(),
          rows.values[row * rows.columns + column] ?? 0,
        );
    this.#scores = new Float64Array(count);
    this.#gradients = new Float64Array(count);
    this.#curvatures = new Float64Array(count);
  }

  grow(): Trees {
    const { trees, depth, seed, columnShare, rowShare, allowed } = this.#growth;
    const random = seededRandom(seed);
    const base = rounded(this.#base());
    this.#scores.fill(base);
    for (let tree = 0; tree < trees; tree++) {
      this.#derive();
      const columns = allowed.flatMap((isAllowed, column) =>
        isAllowed && random() < columnShare ? [column] : [],
      );
      const picked: number[] = [];
      for (let row = 0; row < this.#rows.labels.length; row++) if (random() < rowShare) picked.push(row);
      this.#growTree(Uint32Array.from(picked), columns);
    }
    return { depth, base, features: this.#features, thresholds: this.#thresholds, leaves: this.#leaves };
  }

  #base(): number {
    let [attacks, benign] = [1, 1];
    for (const [row, label] of this.#rows.labels.entries())
      if (label === 1) attacks += this.#rows.weights[row] ?? 0;
      else benign += this.#rows.weights[row] ?? 0;
    return Math.log(attacks / benign);
  }

  #derive(): void {
    const { labels, weights } = this.#rows;
    for (let row = 0; row < labels.length; row++) {
      const chance = 1 / (1 + Math.exp(-(this.#scores[row] ?? 0)));
      const weight = weights[row] ?? 0;
      this.#gradients[row] = (chance - (labels[row] ?? 0)) * weight;
      this.#curvatures[row] = Math.max(chance * (1 - chance), 1e-6) * weight;
    }
  }

  #growTree(picked: Uint32Array, columns: readonly number[]): void {
    const { depth } = this.#growth;
    const nodes = (1 << depth) - 1;
    const features = Array.from({ length: nodes }, () => -1);
    const thresholds = Array.from({ length: nodes }, () => 0);
    const leaves = Array.from({ length: nodes + 1 }, () => 0);
    const build = (node: number, rows: Uint32Array, bounds: Bounds): void => {
      if (node >= nodes) {
        leaves[node - nodes] = rounded(this.#growth.rate * within(this.#value(rows), bounds));
        return;
      }
      const split = this.#best(rows, columns, bounds);
      if (split === undefined) {
        // All go left, down to one leaf.
        build(2 * node + 1, rows, bounds);
        return;
      }
      features[node] = split.column;
      thresholds[node] = this.#edges[split.column]?.[split.bin] ?? 0;
      const [left, right] = this.#parted(rows, split);
      const [forLeft, forRight] = this.#boundsOf(split, bounds);
      build(2 * node + 1, left, forLeft);
      build(2 * node + 2, right, forRight);
    };
    build(0, picked, { low: -Infinity, high: Infinity });
    this.#features.push(...features);
    this.#thresholds.push(...thresholds);
    this.#leaves.push(...leaves);
    this.#add(features, thresholds, leaves);
  }

  #value(rows: Uint32Array): number {
    let [gradient, curvature] = [0, 0];
    for (const row of rows) {
      gradient += this.#gradients[row] ?? 0;
      curvature += this.#curvatures[row] ?? 0;
    }
    return -gradient / (curvature + this.#growth.lambda);
  }

  #best(rows: Uint32Array, columns: readonly number[], bounds: Bounds): Split | undefined {
    let [gradient, curvature] = [0, 0];
    for (const row of rows) {
      gradient += this.#gradients[row] ?? 0;
      curvature += this.#curvatures[row] ?? 0;
    }
    if (curvature < 2 * this.#growth.leastWeight) return undefined;
    let best: Split | undefined;
    for (const column of columns) {
      const split = this.#bestOf(column, rows, { gradient, curvature, bounds });
      if (split !== undefined && split.gain > (best?.gain ?? 1e-6)) best = split;
    }
    return best;
  }

  #bestOf(
    column: number,
    rows: Uint32Array,
    all: { gradient: number; curvature: number; bounds: Bounds },
  ): Split | undefined {
    const { leastWeight, lambda, directions } = this.#growth;
    this.#sum(column, rows);
    const edges = this.#edges[column]?.length ?? 0;
    const direction = directions[column] ?? 0;
    const whole = (all.gradient * all.gradient) / (all.curvature + lambda);
    let best: Split | undefined;
    let [leftG, leftH] = [0, 0];
    for (let bin = 0; bin < edges; bin++) {
      leftG += this.#sumG[bin] ?? 0;
      leftH += this.#sumH[bin] ?? 0;
      const [rightG, rightH] = [all.gradient - leftG, all.curvature - leftH];
      if (Math.min(leftH, rightH) < leastWeight) continue;
      const left = within(-leftG / (leftH + lambda), all.bounds);
      const right = within(-rightG / (rightH + lambda), all.bounds);
      if (isAgainst(direction, left, right)) continue;
      const gain = (leftG * leftG) / (leftH + lambda) + (rightG * rightG) / (rightH + lambda) - whole;
      if (gain > (best?.gain ?? 0)) best = { gain, column, bin, left, right };
    }
    return best;
  }

  #sum(column: number, rows: Uint32Array): void {
    const from = column * this.#rows.labels.length;
    this.#sumG.fill(0);
    this.#sumH.fill(0);
    for (const row of rows) {
      const bin = this.#binned[from + row] ?? 0;
      this.#sumG[bin] = (this.#sumG[bin] ?? 0) + (this.#gradients[row] ?? 0);
      this.#sumH[bin] = (this.#sumH[bin] ?? 0) + (this.#curvatures[row] ?? 0);
    }
  }

  #parted(rows: Uint32Array, { column, bin }: Split): readonly [Uint32Array, Uint32Array] {
    const from = column * this.#rows.labels.length;
    const isLeft = (row: number): boolean => (this.#binned[from + row] ?? 0) <= bin;
    return [rows.filter(isLeft), rows.filter((row) => !isLeft(row))];
  }

  #boundsOf({ column, left, right }: Split, bounds: Bounds): readonly [Bounds, Bounds] {
    const direction = this.#growth.directions[column] ?? 0;
    if (direction === 0) return [bounds, bounds];
    const middle = (left + right) / 2;
    const lower = { low: bounds.low, high: middle };
    const upper = { low: middle, high: bounds.high };
    return direction > 0 ? [lower, upper] : [upper, lower];
  }

  #add(features: readonly number[], thresholds: readonly number[], leaves: readonly number[]): void {
    const { depth } = this.#growth;
    const { columns, values } = this.#rows;
    for (let row = 0; row < this.#scores.length; row++) {
      let node = 0;
      for (let level = 0; level < depth; level++) {
        const feature = features[node] ?? -1;
        const value = feature === -1 ? -Infinity : (values[row * columns + feature] ?? 0);
        node = value > (thresholds[node] ?? 0) ? 2 * node + 2 : 2 * node + 1;
      }
      this.#scores[row] = (this.#scores[row] ?? 0) + (leaves[node - leaves.length + 1] ?? 0);
    }
  }
}

function isAgainst(direction: number, left: number, right: number): boolean {
  return direction > 0 ? left > right : direction < 0 && left < right;
}

function within(value: number, { low, high }: Bounds): number {
  return Math.min(high, Math.max(low, value));
}

/** Four digits say enough, and make a small file. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Where bins end: quantiles of the distinct values, rounded so that they are short in a file. */
function edgesOf({ values, columns, labels }: Rows, column: number): Float64Array {
  const sorted = Float64Array.from(labels, (_, row) => values[row * columns + column] ?? 0).toSorted();
  const edges: number[] = [];
  for (let bin = 1; bin < bins; bin++) {
    const edge = rounded(sorted[Math.floor((bin * sorted.length) / bins)] ?? 0);
    if (edges.length === 0 || edge > (edges.at(-1) ?? 0)) edges.push(edge);
  }
  return Float64Array.from(edges);
}

function binOf(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (edges[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}
