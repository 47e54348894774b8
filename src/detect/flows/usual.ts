/**
 * What is usual, from flows or from a peer's own past: how long a request of a size takes to be answered, and how big
 * requests are, as medians and median deviations of logarithms.
 */
import { median } from "../../kernel/statistics.ts";
import { type Exchange, sizeClassOf } from "./flow-window.ts";
import { rounded } from "./tails.ts";

interface Spread {
  readonly middle: number;
  /** As a normal distribution's standard deviation. */
  readonly deviation: number;
}

export interface Usual {
  /** Logarithm of milliseconds, of the first exchanges of connections and of the rest by class of size. */
  readonly delays: Readonly<Record<string, Spread>>;
  /** Of any other size. */
  readonly otherDelay: Spread;
  /** Logarithm of bytes. */
  readonly request: Spread;
}

/** Fewer examples of a size say nothing. */
const minExamples = 30;
const leastDeviation = 0.1;
/** 1 / 0.6745: of normally distributed numbers half are nearer than 0.6745 deviations. */
const asDeviation = 1.4826;

/** What there has to be known of an exchange to compare others with it. */
export type Compared = Pick<Exchange, "up" | "isFirst" | "answerMs" | "kind">;

export function usualOf(exchanges: readonly Compared[]): Usual {
  const byKind = Map.groupBy(exchanges, kindOf);
  const delays = Object.fromEntries(
    [...byKind]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([kind, each]) => {
        const known = logDelays(each);
        return known.length < minExamples ? [] : [[kind, spreadOf(known)] as const];
      }),
  );
  const otherDelay = spreadOf(logDelays(exchanges.filter(({ isFirst }) => !isFirst)));
  const calls = callsOf({ delays, otherDelay }, exchanges);
  return { delays, otherDelay, request: spreadOf(calls.map(({ up }) => Math.log(Math.max(1, up)))) };
}

/** Answers that come sooner come from memory: they tell of the way, and not of the work. */
const workMs = 5;

/** Those that somebody works for: what opens a session is answered from memory. All, if there are no others. */
export function callsOf<Each extends Compared>(
  usual: Pick<Usual, "delays" | "otherDelay">,
  exchanges: readonly Each[],
): readonly Each[] {
  const calls = exchanges.filter((each) => isWork(usual, each));
  return calls.length > 0 ? calls : exchanges;
}

export function isWork(
  { delays, otherDelay }: Pick<Usual, "delays" | "otherDelay">,
  exchange: Compared,
): boolean {
  return Math.exp((delays[kindOf(exchange)] ?? otherDelay).middle) >= workMs;
}

/** Those of a kind are compared. */
function kindOf({ kind, isFirst, up }: Compared): string {
  if (kind !== undefined) return kind;
  return isFirst ? "first" : String(sizeClassOf(up));
}

function spreadOf(values: readonly number[]): Spread {
  const middle = median(values);
  const deviation = median(values.map((value) => Math.abs(value - middle))) * asDeviation;
  return { middle: rounded(middle), deviation: rounded(Math.max(leastDeviation, deviation)) };
}

/** How many deviations from what is usual for its size; undefined while there is no answer. */
export function delayDeviation(
  { delays, otherDelay }: Usual,
  exchange: Exchange,
): { readonly usualMs: number; readonly deviations: number } | undefined {
  const { answerMs } = exchange;
  if (answerMs === undefined) return undefined;
  const { middle, deviation } = delays[kindOf(exchange)] ?? otherDelay;
  return { usualMs: Math.exp(middle), deviations: (logDelay(answerMs) - middle) / deviation };
}

export function requestDeviation({ request }: Usual, { up }: Exchange): number {
  return (Math.log(Math.max(1, up)) - request.middle) / request.deviation;
}

function logDelays(exchanges: readonly Compared[]): readonly number[] {
  return exchanges.flatMap(({ answerMs }) => (answerMs === undefined ? [] : [logDelay(answerMs)]));
}

/** Clocks of records tell tenths of a millisecond. */
function logDelay(answerMs: number): number {
  return Math.log(Math.max(0.1, answerMs));
}
