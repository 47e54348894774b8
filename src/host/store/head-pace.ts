/**
 * How long the log waits between two heads: one a second while many entries come, less often when there are few,
 * since a head costs three signatures and several files however little it covers.
 */

/** So many entries since the last head are load. */
const busyEntries = 32;
/** Of the shortest pause: an entry waits for its head no longer than that. */
const longestPauses = 15;

/** Under load. */
export const shortestHeadPauseMs = 1000;
/** The longest that an entry of an idle gateway waits until its head is begun. */
export const longestHeadPauseMs = shortestHeadPauseMs * longestPauses;
/** For whoever waits for a head of a running gateway: it still has to be signed and written. */
export const headPatienceMs = longestHeadPauseMs + 5000;

export interface HeadPace {
  /** From the first entry that no head covers to the head that does. */
  readonly pauseMs: (uncovered: number) => number;
  /** A head with that many entries more than the last one. */
  readonly published: (entries: number) => void;
}

/** @param shortestMs the pause under load, 1 s in a gateway; it doubles up to fifteen times that */
export function headPace(shortestMs: number): HeadPace {
  let stretchedMs = shortestMs;
  return {
    pauseMs: (uncovered) => (uncovered >= busyEntries ? shortestMs : stretchedMs),
    published: (entries) => {
      const isIdle = entries < busyEntries;
      stretchedMs = isIdle ? Math.min(stretchedMs * 2, shortestMs * longestPauses) : shortestMs;
    },
  };
}

export interface HeadTimer {
  /** Sees to it that a head comes for so many uncovered entries; none or fewer, and nothing is done. */
  readonly plan: (uncovered: number) => void;
  readonly cancel: () => void;
  /** See `HeadPace`. */
  readonly published: (entries: number) => void;
}

/** @param publish a failure is its own affair */
export function headTimer(shortestMs: number, publish: () => void): HeadTimer {
  const pace = headPace(shortestMs);
  let planned: { readonly timer: NodeJS.Timeout; readonly pauseMs: number } | undefined;
  const cancel = (): void => {
    clearTimeout(planned?.timer);
    planned = undefined;
  };
  return {
    cancel,
    published: pace.published,
    plan: (uncovered) => {
      const pauseMs = pace.pauseMs(uncovered);
      if (uncovered <= 0 || (planned !== undefined && planned.pauseMs <= pauseMs)) return;
      cancel();
      const timer = setTimeout(() => {
        planned = undefined;
        publish();
      }, pauseMs).unref();
      planned = { timer, pauseMs };
    },
  };
}
