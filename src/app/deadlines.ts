/** Acts when a moment has come, however far ahead it is. */
import type { Clock } from "../kernel/clock.ts";

export interface Deadlines {
  /** Looks when the next one is. */
  readonly look: () => void;
  readonly stop: () => void;
}

/** Timers of more than 24.8 days go off at once, and a clock that was set, or a machine that slept, is noticed so. */
const longestWaitMs = 3_600_000;

/** Calls `passed` after each moment that `next` names, and asks it for another one then. */
export function atDeadlines(
  clock: Clock,
  { next, passed }: { readonly next: () => number | undefined; readonly passed: () => void },
): Deadlines {
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    clearTimeout(timer);
    const at = next();
    if (at !== undefined) wait(at);
  };
  const wait = (at: number): void => {
    const waitMs = Math.max(0, Math.min(at - clock.nowUnixMs() + 1, longestWaitMs));
    const act = (): void => {
      if (clock.nowUnixMs() <= at) {
        wait(at);
        return;
      }
      passed();
      look();
    };
    timer = setTimeout(act, waitMs).unref();
  };
  look();
  return { look, stop: () => clearTimeout(timer) };
}
