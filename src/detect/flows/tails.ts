/**
 * How far out a number is among those of benign flows, as the negative logarithm of how often it is as far. Beyond all
 * that were seen it goes on as an exponential tail does, so that far out is told from farther.
 */
import { median } from "../../kernel/statistics.ts";

export interface Tail {
  readonly n: number;
  /** Of the values in order, those that are kept, all where there are few. */
  readonly ranks: readonly number[];
  readonly values: readonly number[];
  readonly middle: number;
  /** Mean distance of the outer twentieth from where it begins. */
  readonly lowScale: number;
  readonly highScale: number;
}

const outermost = 64;
const between = 128;
/** Of what lies beyond all that was seen, in the same unit as the rest. */
const maxBeyond = 12;
const outerShare = 0.05;

export function tailOf(values: readonly number[]): Tail {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  const ranks = keptRanks(n);
  const edge = Math.floor(n * outerShare);
  const [low, high] = [sorted[edge] ?? 0, sorted[n - 1 - edge] ?? 0];
  const spread = Math.max(
    1e-3,
    ((sorted[Math.floor(n * 0.9)] ?? 0) - (sorted[Math.floor(n * 0.1)] ?? 0)) / 10,
  );
  return {
    n,
    ranks,
    values: ranks.map((rank) => rounded(sorted[rank] ?? 0)),
    middle: rounded(median(sorted)),
    lowScale: rounded(Math.max(spread, mean(sorted.slice(0, edge).map((value) => low - value)))),
    highScale: rounded(Math.max(spread, mean(sorted.slice(n - edge).map((value) => value - high)))),
  };
}

/** @returns 0.7 for what half of benign flows exceed, 4.6 for one in a hundred */
export function surpriseAbove(tail: Tail, value: number): number {
  const { n, ranks, values, highScale } = tail;
  const last = values.at(-1) ?? 0;
  if (value > last) return Math.log(n + 1) + Math.min(maxBeyond, (value - last) / highScale);
  const at = firstAtLeast(values, value);
  return -Math.log((n - (ranks[at] ?? 0) + 1) / (n + 1));
}

export function surpriseBelow(tail: Tail, value: number): number {
  const { n, ranks, values, lowScale } = tail;
  const first = values[0] ?? 0;
  if (value < first) return Math.log(n + 1) + Math.min(maxBeyond, (first - value) / lowScale);
  const at = firstAbove(values, value) - 1;
  return -Math.log(((ranks[at] ?? 0) + 2) / (n + 2));
}

/** Conformal p-value: among n benign ones and this one, how many are as high. */
export function conformalP(tail: Tail, value: number): number {
  const { n, ranks, values } = tail;
  const at = firstAtLeast(values, value);
  const rank = at >= values.length ? n : (ranks[at] ?? n);
  return (n - rank + 1) / (n + 1);
}

function keptRanks(n: number): readonly number[] {
  if (n <= 2 * outermost + between) return Array.from({ length: n }, (_, rank) => rank);
  const inner = n - 2 * outermost;
  return [
    ...Array.from({ length: outermost }, (_, rank) => rank),
    ...Array.from({ length: between }, (_, at) => outermost + Math.floor((at * inner) / between)),
    ...Array.from({ length: outermost }, (_, at) => n - outermost + at),
  ];
}

function firstAtLeast(values: readonly number[], value: number): number {
  return firstWhere(values, (each) => each >= value);
}

function firstAbove(values: readonly number[], value: number): number {
  return firstWhere(values, (each) => each > value);
}

function firstWhere(values: readonly number[], is: (value: number) => boolean): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(values[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Files stay short, and nothing depends on a last digit. */
export function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
