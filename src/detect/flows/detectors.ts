/** What is looked for in a flow by name, each as a number that grows with how much of it there is. */
import { median, quantile } from "../../kernel/statistics.ts";
import type { Exchange, FlowSummary } from "./flow-window.ts";
import { periodicityOf } from "./periodicity.ts";
import { callsOf, delayDeviation, isWork, requestDeviation, type Usual } from "./usual.ts";

export interface Detector {
  /** As findings and explanations call it. */
  readonly name: string;
  readonly measure: (flow: FlowSummary, usual: Usual) => number;
  /** What was seen; what is usual stands behind it. */
  readonly says: (flow: FlowSummary, usual: Usual) => string;
}

const maxDeviations = 4;
/** Requests bigger than that are a burst of their own. */
const maxRequestDeviations = 40;
const burstExchanges = 8;
const officeHours = { from: 6, until: 22 };

export const detectors = [
  {
    name: "exfiltration burst",
    measure: ({ exchanges }) => log(most(bursts(exchanges))),
    says: ({ exchanges }) => `${bytes(most(bursts(exchanges)))} went out at once, more than came back`,
  },
  {
    name: "drip",
    measure: ({ exchanges }, usual) => dripOf(callsOf(usual, exchanges), usual),
    says: ({ exchanges }, { request }) =>
      `${exchanges.length} requests of ${bytes(median(exchanges.map(({ up }) => up)))} each, where ${bytes(Math.exp(request.middle))} are usual`,
  },
  {
    name: "beacon",
    measure: ({ exchanges }) => {
      const { strength, beats } = periodicityOf(exchanges);
      return strength * Math.log2(1 + beats);
    },
    says: ({ exchanges }) => {
      const { beats, periodMs } = periodicityOf(exchanges);
      return `${beats + 1} requests of one size, one every ${(periodMs / 1000).toFixed(1)} seconds`;
    },
  },
  {
    name: "latency shift",
    measure: ({ exchanges }, usual) => shiftOf(deviationsOf(exchanges, usual, "work")),
    says: ({ exchanges }, usual) => latencySays(exchanges, usual, "work"),
  },
  {
    name: "latency of the way",
    measure: ({ exchanges }, usual) => shiftOf(deviationsOf(exchanges, usual, "memory")),
    says: ({ exchanges }, usual) => latencySays(exchanges, usual, "memory"),
  },
  {
    name: "bulk read",
    measure: ({ exchanges }) => log(most(bursts(exchanges.map(turned)))),
    says: ({ exchanges }) =>
      `${bytes(most(bursts(exchanges.map(turned))))} came in within ${burstExchanges} answers`,
  },
  {
    name: "tunnel",
    measure: ({ exchanges, exchangeCount, records, firstMs, lastMs }) => {
      const rate = exchangeCount / ((lastMs - firstMs) / 1000 + 1);
      const balance = median(exchanges.map(({ up, down }) => Math.min(up, down) / Math.max(1, up, down)));
      return log(rate * 60) + Math.log10(1 + records) + balance;
    },
    says: ({ exchangeCount, firstMs, lastMs }) =>
      `${exchangeCount} exchanges within ${((lastMs - firstMs) / 1000).toFixed(0)} seconds, of about as much in either direction`,
  },
  {
    name: "unusual hour",
    measure: (flow) => (isOutOfHours(flow) ? 1 + Math.log10(1 + flow.up) : 0),
    says: ({ hour = 0, up }) => `${bytes(up)} went out at ${hour} h`,
  },
] as const satisfies readonly Detector[];

export type DetectorName = (typeof detectors)[number]["name"];

/** In the order of the table; every one finite. */
export function measuresOf(flow: FlowSummary, usual: Usual): readonly number[] {
  return detectors.map(({ measure }) => {
    const value = measure(flow, usual);
    return Number.isFinite(value) ? value : 0;
  });
}

/** What a few exchanges in a row sent beyond what they got. */
function bursts(exchanges: readonly Pick<Exchange, "up" | "down">[]): readonly number[] {
  let sum = 0;
  return exchanges.map(({ up, down }, at) => {
    const left = exchanges[at - burstExchanges];
    sum += up - down - (left === undefined ? 0 : left.up - left.down);
    return Math.max(sum, up - down);
  });
}

function turned({ up, down }: Exchange): Pick<Exchange, "up" | "down"> {
  return { up: down, down: up };
}

/** How much bigger most requests are than usual: one big request is a burst, and no drip. */
function dripOf(calls: readonly Exchange[], usual: Usual): number {
  const deviations = calls.map((each) => requestDeviation(usual, each)).toSorted((a, b) => a - b);
  return Math.max(0, Math.min(maxRequestDeviations, (quantile(deviations, 0.3) + median(deviations)) / 2));
}

type Answered = "work" | "memory";

function deviationsOf(exchanges: readonly Exchange[], usual: Usual, which: Answered): readonly number[] {
  return exchanges.flatMap((exchange) => {
    const delay = delayDeviation(usual, exchange);
    if (delay === undefined || isWork(usual, exchange) !== (which === "work")) return [];
    return [Math.max(-maxDeviations, Math.min(2 * maxDeviations, delay.deviations))];
  });
}

/** How far answers moved together: the sum of their deviations, in those of as many usual answers. */
function shiftOf(deviations: readonly number[]): number {
  const sum = deviations.reduce((all, each) => all + each, 0);
  return Math.max(0, sum / Math.sqrt(Math.max(1, deviations.length)));
}

/** By how much answers are slower than usual, in the middle: 2 is twice. */
export function slowdownOf({ exchanges }: FlowSummary, usual: Usual): number {
  return median(
    exchanges.flatMap((exchange) => {
      const delay = delayDeviation(usual, exchange);
      return delay === undefined ? [] : [Math.max(0.1, exchange.answerMs ?? 0) / delay.usualMs];
    }),
  );
}

function latencySays(exchanges: readonly Exchange[], usual: Usual, which: Answered): string {
  const found = exchanges.flatMap((exchange) => {
    const delay = delayDeviation(usual, exchange);
    if (delay === undefined || isWork(usual, exchange) !== (which === "work")) return [];
    return [{ usualMs: delay.usualMs, answerMs: exchange.answerMs ?? 0 }];
  });
  const ms = (values: readonly number[]): string => `${median(values).toPrecision(3)} ms`;
  return `answers took ${ms(found.map(({ answerMs }) => answerMs))}, where ${ms(found.map(({ usualMs }) => usualMs))} are usual for requests of their sizes`;
}

function isOutOfHours({ hour }: FlowSummary): boolean {
  return hour !== undefined && (hour < officeHours.from || hour >= officeHours.until);
}

function most(values: readonly number[]): number {
  return values.reduce((highest, value) => Math.max(highest, value), 0);
}

function log(value: number): number {
  return Math.log1p(Math.max(0, value));
}

function bytes(count: number): string {
  if (count < 10_000) return `${Math.round(count)} bytes`;
  return count < 10_000_000 ? `${Math.round(count / 1000)} kB` : `${Math.round(count / 1_000_000)} MB`;
}
