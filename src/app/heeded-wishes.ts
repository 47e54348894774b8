/** How soon a sidecar renews when its gateway asks for it: soon, but not over and over when nothing comes of it. */
import type { Clock } from "../kernel/clock.ts";
import type { RenewalWish } from "../wire/renewal-wish.ts";

export interface HeededWishes {
  /** What the gateway asks for now, which stays until it is met; undefined if it asks for nothing any more. */
  readonly take: (wish: RenewalWish | undefined) => void;
  /** When to renew for its sake; undefined if nothing is asked for that isn't met. */
  readonly dueUnixMs: () => number | undefined;
  /** Whether renewals fail, or bring nothing, and the next one has to wait. */
  readonly isPausing: () => boolean;
  /** To be called after each renewal, when what it brought is in use. */
  readonly renewed: () => void;
  /** To be called with what a renewal failed with. */
  readonly failed: (error: unknown) => never;
}

const leastPauseMs = 2000;
/** Half of the time after which it renews by itself. */
const longestPauseMs = 900_000;

export function heededWishes(clock: Clock, isMet: (wish: RenewalWish) => boolean): HeededWishes {
  let wish: RenewalWish | undefined;
  let inVain = 0;
  let earliestUnixMs = 0;
  const pause = (isInVain: boolean): void => {
    inVain = isInVain ? inVain + 1 : 0;
    earliestUnixMs = clock.nowUnixMs() + Math.min(leastPauseMs * 2 ** Math.min(inVain, 20), longestPauseMs);
  };
  return {
    take: (next) => (wish = next),
    dueUnixMs: () => (wish === undefined || isMet(wish) ? undefined : earliestUnixMs),
    isPausing: () => inVain > 0 && clock.nowUnixMs() < earliestUnixMs,
    renewed: () => {
      // INVARIANT: what was heard while it was under way isn't forgotten; some gateways say it once.
      pause(wish !== undefined && !isMet(wish));
    },
    failed: (error) => {
      pause(true);
      throw error;
    },
  };
}
