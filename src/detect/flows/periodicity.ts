/** Requests like the beats of a clock: alike in size, and as far from each other in time. */
import { median } from "../../kernel/statistics.ts";
import type { Exchange } from "./flow-window.ts";

export interface Periodicity {
  /** 0 is what people and models do; 1 a clock that ticked twelve times or more. */
  readonly strength: number;
  readonly periodMs: number;
  readonly beats: number;
}

const none: Periodicity = { strength: 0, periodMs: 0, beats: 0 };
const minBeats = 6;
const surelyBeats = 12;
/** Requests of one kind differ by what fills in their arguments. */
const alike = 0.08;
/** Faster than that, it is a loop rather than a clock. */
const shortestPeriodMs = 250;
/** Of how many sizes beats are looked for. */
const maxSizes = 16;

/** The strongest among requests of one size, and among all of them. */
export function periodicityOf(exchanges: readonly Exchange[]): Periodicity {
  const spanMs = (exchanges.at(-1)?.startMs ?? 0) - (exchanges[0]?.startMs ?? 0);
  if (spanMs < minBeats * shortestPeriodMs) return none;
  const bySize = exchanges.toSorted((a, b) => a.up - b.up);
  const step = Math.max(1, Math.floor(bySize.length / maxSizes));
  let best = beatOf(exchanges);
  for (let at = 0; at < bySize.length; at += step) {
    const size = bySize[at]?.up ?? 0;
    const group = exchanges.filter(({ up }) => Math.abs(up - size) <= size * alike);
    if (group.length < minBeats || group.length === exchanges.length) continue;
    const beat = beatOf(group);
    if (beat.strength > best.strength) best = beat;
  }
  return best;
}

function beatOf(exchanges: readonly Exchange[]): Periodicity {
  const starts = exchanges.map(({ startMs }) => startMs);
  const gaps = starts.slice(1).map((start, at) => start - (starts[at] ?? start));
  const waits = gaps.filter((gap) => gap > shortestPeriodMs);
  if (waits.length < minBeats) return none;
  const periodMs = median(waits);
  const off = median(waits.map((wait) => Math.abs(wait - periodMs))) / periodMs;
  const sorted = waits.toSorted((a, b) => a - b);
  const [low, high] = [
    sorted[Math.floor(sorted.length / 10)] ?? 0,
    sorted[Math.ceil(sorted.length * 0.9) - 1] ?? 0,
  ];
  const range = (high - low) / periodMs;
  const regular = Math.max(0, 1 - off * 3) * 0.6 + Math.max(0, 1 - range / 2) * 0.4;
  return { strength: regular * Math.min(1, waits.length / surelyBeats), periodMs, beats: waits.length };
}
