/**
 * What a score means: how many of so many benign sessions had one at least as high. Conformal p-values (Vovk et al. 2005 §2.2),
 * made larger by what chance may have left out: recorded sessions are few, and runs of one task resemble each other.
 */

export interface Calibration {
  /** The highest score of each benign session, ascending. */
  readonly scores: readonly number[];
}

export function calibrationOf(scores: readonly number[]): Calibration {
  return { scores: scores.filter((score) => Number.isFinite(score)).toSorted((a, b) => a - b) };
}

/** So many runs say as much as one would that resembles no other. */
const runsAlike = 12;

/** What is more likely benign than not is no alert, however few sessions it is compared with. */
const leastPOfUnlikely = 0.02;

/**
 * In (0, 1]; never below one in one more than there were sessions.
 * @param score log-odds
 */
export function pOf({ scores }: Calibration, score: number): number {
  let low = 0;
  let high = scores.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((scores[middle] ?? 0) < score) low = middle + 1;
    else high = middle;
  }
  const above = scores.length - low;
  // One standard deviation of a count, of runs that aren't independent.
  const p = Math.min(1, (1 + above + Math.sqrt(runsAlike * above)) / (1 + scores.length));
  return score < 0 ? Math.max(p, leastPOfUnlikely) : p;
}

/** 0.3 is one benign session in ten, 0.6 one in a hundred, 0.9 one in a thousand: out of reach with fewer than 999. */
export function riskOf(p: number): number {
  return p > 0 && p < 1 ? Math.min(1, -0.3 * Math.log10(p)) : p >= 1 || Number.isNaN(p) ? 0 : 1;
}
