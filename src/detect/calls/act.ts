/** The window of earlier results that describes a call best: its verb as something asked for, and its values. */
import type { Matches } from "./matches.ts";
import type { ToolClass } from "./tool-class.ts";
import type { Trail } from "./trail.ts";

export interface Act {
  /** -1 where none asks for it. */
  readonly window: number;
  /** 0.3 for the verb, the rest for the share of the values. */
  readonly score: number;
  readonly values: number;
  readonly cue: number;
  /** The same of windows that only name the verb. */
  readonly named: number;
  /** The largest share of the values in one window, with or without a verb. */
  readonly covered: number;
  readonly windows: number;
  readonly timesCue: number;
  /** What the window asks for that the tool does, as bits of the vocabulary. */
  readonly asked: number;
}

export function actOf(trail: Trail, { actions }: ToolClass, { windows, origins, cueAt }: Matches): Act {
  let best = { window: -1, score: 0, values: 0, cue: 0, asked: 0 };
  let [named, covered, hits, timesCue] = [0, 0, 0, 0];
  const all = origins.length;
  for (let window = 0; window < windows.count; window++) {
    const values = windows.covered[window] ?? 0;
    const share = all === 0 ? 0 : Math.min(1, values / all);
    covered = Math.max(covered, share);
    if (actions === 0 || (all > 0 && values === 0)) continue;
    const score = all === 0 ? 0.5 : 0.3 + 0.7 * share;
    if ((bitsIn(trail.names, windows.result, window) & actions) !== 0) named = Math.max(named, score);
    const asked = bitsIn(trail.asks, windows.result, window) & actions;
    if (asked === 0) continue;
    hits++;
    const cue = cueAt(window);
    timesCue = Math.max(timesCue, score * cue);
    if (isBetter({ score, cue }, best)) best = { window, score, values, cue, asked };
  }
  return { ...best, named, covered, windows: hits, timesCue };
}

/** Of both blocks of a window. */
function bitsIn(blocks: Int32Array, result: Uint16Array, window: number): number {
  const isPair = window + 1 < result.length && result[window + 1] === result[window];
  return (blocks[window] ?? 0) | (isPair ? (blocks[window + 1] ?? 0) : 0);
}

type Described = Pick<Act, "score" | "cue">;

function isBetter(one: Described, other: Described): boolean {
  return one.score > other.score || (one.score === other.score && one.cue > other.cue);
}
