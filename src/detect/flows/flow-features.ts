/** A flow in numbers: sizes, directions and times of its exchanges, and how they differ from each other. */
import { median } from "../../kernel/statistics.ts";
import type { Exchange, FlowSummary } from "./flow-window.ts";
import { periodicityOf } from "./periodicity.ts";

/** Of the numbers; a model with others is refused. */
export const featuresVersion = "flows-1";

/** A program's pauses within one turn are shorter; people and models take longer. */
const pauseMs = 200;
/** Answers shorter than that say "done" or "nothing". */
const smallAnswerBytes = 1500;

const features = {
  up: ({ up }) => log(up),
  down: ({ down }) => log(down),
  ratio: ({ up, down }) => log(up) - log(down),
  largestRequest: ({ exchanges }) => log(most(exchanges.map((each) => each.up))),
  largestRequestAfterLittle: ({ exchanges }) =>
    log(
      most(
        exchanges.flatMap((each, at) => {
          const before = exchanges[at - 1];
          return before !== undefined && before.down < smallAnswerBytes ? [each.up] : [];
        }),
      ),
    ),
  usualRequest: ({ exchanges }) => log(median(exchanges.map((each) => each.up))),
  requestSpread: ({ exchanges }) => spreadOf(exchanges.map((each) => each.up)),
  usualAnswer: ({ exchanges }) => log(median(exchanges.map((each) => each.down))),
  answerSpread: ({ exchanges }) => spreadOf(exchanges.map((each) => each.down)),
  largestAnswer: ({ exchanges }) => log(most(exchanges.map((each) => each.down))),
  exchanges: ({ exchangeCount }) => log(exchangeCount),
  usualPause: ({ exchanges }) => log(median(pausesOf(exchanges))),
  pauseSpread: ({ exchanges }) => {
    const pauses = pausesOf(exchanges);
    return pauses.length > 4 ? spreadOf(pauses) : 1;
  },
  periodicity: ({ exchanges }) => periodicityOf(exchanges).strength,
  usualDelay: ({ exchanges }) => log(median(delaysOf(exchanges))),
  largestDelay: ({ exchanges }) => log(most(delaysOf(exchanges))),
  duration: ({ firstMs, lastMs }) => log((lastMs - firstMs) / 1000),
  rate: ({ exchangeCount, firstMs, lastMs }) => log((exchangeCount / ((lastMs - firstMs) / 1000 + 1)) * 60),
  sizeVariety: ({ sizes }) => entropyOf(sizes),
  moreUpThanDown: ({ up, down }) => log(Math.max(0, up - down)),
  recordsPerExchange: ({ records, exchangeCount }) => log(records / Math.max(1, exchangeCount)),
} as const satisfies Record<string, (flow: FlowSummary) => number>;

export type FeatureName = keyof typeof features;
export const featureNames = Object.keys(features) as readonly FeatureName[];

/** In the order of `featureNames`; every one finite. */
export function featuresOf(flow: FlowSummary): readonly number[] {
  return Object.values(features).map((of) => {
    const value = of(flow);
    return Number.isFinite(value) ? value : 0;
  });
}

function delaysOf(exchanges: readonly Exchange[]): readonly number[] {
  return exchanges.flatMap(({ answerMs }) => (answerMs === undefined ? [] : [answerMs]));
}

function pausesOf(exchanges: readonly Exchange[]): readonly number[] {
  return exchanges.flatMap(({ gapMs }) => (gapMs !== undefined && gapMs > pauseMs ? [gapMs] : []));
}

function most(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Half of the values are nearer to the one in the middle than this share of it. */
function spreadOf(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle))) / (middle + 1);
}

function entropyOf(counts: readonly number[]): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count) => (count === 0 ? sum : sum - (count / all) * Math.log2(count / all)), 0);
}

function log(value: number): number {
  return Math.log1p(Math.max(0, value));
}
