/**
 * From which score on a model's signal is worth a person's time: as many incidents a day as can be read, and no more
 * false ones among them than was agreed to. Scores are `min(1, -0.3 log10 p)`; p is how many of the benign sessions have
 * one as high.
 *
 * Two bounds, of which the wider counts. *Allowance*: with n sessions a day, p below (budget / 2) / n lets through half
 * the budget of benign ones on average. *Discoveries*: the highest p(k) with p(k) <= q k / n (Benjamini and Hochberg 1995):
 * where many sessions are odd at once, most are attacks, and more are told without more than a share q being false.
 * Never below the score that is worth an incident by itself, and never more than the budget in a day.
 */

import { recently } from "./recently.ts";

export interface BudgetTerms {
  /** Incidents that the operator can read in a day. */
  readonly perDay: number;
  /** Share of them that may be false where more are told than the allowance lets through. */
  readonly falseShare: number;
  /** No score below this is ever told. */
  readonly leastScore: number;
}

export interface AlertBudget {
  /** One more signal of a session; 0 for one of which nothing was seen. A caller's sessions beyond 50 a day are one. */
  readonly see: (of: SeenSession, score: number, nowUnixMs: number) => void;
  /** The score from which on one is told now. */
  readonly threshold: (nowUnixMs: number) => number;
  /** Whether today's budget has room for one more. */
  readonly hasRoom: (nowUnixMs: number) => boolean;
  readonly spend: (nowUnixMs: number) => void;
  /** Sessions of the last day. */
  readonly sessions: (nowUnixMs: number) => number;
}

export interface SeenSession {
  readonly caller: string;
  /** As its client names it. */
  readonly session: string;
}

/** Sessions cost their caller nothing: who begins very many idle ones would keep findings of others from being told. */
const maxOfCaller = 50;

const hourMs = 3_600_000;
const hoursCounted = 24;
/** Scores are counted in hundredths, each as the lowest of its bin: p is never taken for smaller than it is. */
const bins = 101;
/** Beyond, the sessions seen longest ago are counted as they are and not known any more. */
const maxKnown = 20_000;

interface Known {
  readonly bucket: number;
  readonly bin: number;
}

export function alertBudget(
  { perDay, falseShare, leastScore }: BudgetTerms,
  spent: readonly number[] = [],
): AlertBudget {
  /** By hour: how many sessions had their highest score in each bin. */
  const hours = new Map<number, Uint32Array>();
  const known = new Map<string, Known>();
  let told = [...spent];
  const hypothesisOf = ofCallers((hypothesis) => known.has(hypothesis));
  const countsOf = (bucket: number): Uint32Array => {
    const counts = hours.get(bucket) ?? new Uint32Array(bins);
    hours.set(bucket, counts);
    return counts;
  };
  const forgetOld = (nowUnixMs: number): void => {
    const oldest = Math.floor(nowUnixMs / hourMs) - hoursCounted;
    for (const bucket of hours.keys()) if (bucket <= oldest) hours.delete(bucket);
    told = told.filter((at) => at > nowUnixMs - hoursCounted * hourMs);
  };
  return {
    see: (of, score, nowUnixMs) => {
      const hypothesis = hypothesisOf(of, nowUnixMs);
      const bucket = Math.floor(nowUnixMs / hourMs);
      const bin = Math.floor(Math.min(1, Math.max(0, score)) * (bins - 1) + 1e-9);
      const before = known.get(hypothesis);
      known.delete(hypothesis);
      const counted = before === undefined ? undefined : hours.get(before.bucket);
      if (before !== undefined && counted !== undefined)
        counted[before.bin] = Math.max(0, (counted[before.bin] ?? 0) - 1);
      const highest = counted === undefined ? bin : Math.max(bin, before?.bin ?? 0);
      const counts = countsOf(bucket);
      counts[highest] = (counts[highest] ?? 0) + 1;
      known.set(hypothesis, { bucket, bin: highest });
      if (known.size <= maxKnown) return;
      const oldest = known.keys().next();
      if (oldest.done !== true) known.delete(oldest.value);
    },
    threshold: (nowUnixMs) => {
      forgetOld(nowUnixMs);
      const counts = summed(hours.values());
      const p = Math.max(allowedP(counts, perDay), discoveredP(counts, falseShare));
      return Math.max(leastScore, scoreOfP(p));
    },
    hasRoom: (nowUnixMs) => {
      forgetOld(nowUnixMs);
      return told.length < perDay;
    },
    spend: (nowUnixMs) => void told.push(nowUnixMs),
    sessions: (nowUnixMs) => {
      forgetOld(nowUnixMs);
      return total(summed(hours.values()));
    },
  };
}

/** What each session is judged as: by itself, or with its caller's others. */
function ofCallers(isKnown: (hypothesis: string) => boolean): (of: SeenSession, nowUnixMs: number) => string {
  const days = recently<string, { readonly sinceUnixMs: number; readonly sessions: number }>(maxKnown);
  return ({ caller, session }, nowUnixMs) => {
    const own = JSON.stringify([caller, session]);
    if (isKnown(own)) return own;
    const found = days.get(caller);
    const isToday = found !== undefined && nowUnixMs < found.sinceUnixMs + hoursCounted * hourMs;
    const today = isToday ? found : { sinceUnixMs: nowUnixMs, sessions: 0 };
    if (today.sessions >= maxOfCaller) return JSON.stringify([caller]);
    days.set(caller, { ...today, sessions: today.sessions + 1 });
    return own;
  };
}

function summed(hours: Iterable<Uint32Array>): readonly number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (const hour of hours)
    for (const [bin, count] of hour.entries()) counts[bin] = (counts[bin] ?? 0) + count;
  return counts;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function allowedP(counts: readonly number[], perDay: number): number {
  return perDay / 2 / Math.max(1, total(counts));
}

/** Benjamini and Hochberg's step-up on the counted p; 0 where nothing is told. */
function discoveredP(counts: readonly number[], share: number): number {
  const n = total(counts);
  let widest = 0;
  let k = 0;
  for (let bin = bins - 1; bin >= 0; bin--) {
    k += counts[bin] ?? 0;
    const p = pOfScore(bin / (bins - 1));
    if (k > 0 && p <= (share * k) / n) widest = p;
  }
  return widest;
}

/** docs/detection.md: risk = min(1, -0.3 log10 p). */
function pOfScore(score: number): number {
  return 10 ** (-score / 0.3);
}

function scoreOfP(p: number): number {
  return p <= 0 ? 1 : Math.max(0, -0.3 * Math.log10(p));
}
