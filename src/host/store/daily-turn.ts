/**
 * When a log that was just opened gets the day's slow signature: once it has been open for a while, and then at once
 * if the day has none, whether there is something new to cover or not.
 */
export interface DailyTurn {
  readonly hasCome: () => boolean;
  /** A head is due for its sake alone. */
  readonly isDue: () => boolean;
  /** A head with the signature is on disk, or needs none any more. */
  readonly taken: () => void;
  readonly cancel: () => void;
}

/** @param act called when it has come and the day has no such head; a failure is its own affair */
export function dailyTurn(afterMs: number, isMissing: () => boolean, act: () => void): DailyTurn {
  let isDue = false;
  let timer: NodeJS.Timeout | undefined;
  if (afterMs > 0) {
    timer = setTimeout(() => {
      timer = undefined;
      isDue = isMissing();
      if (isDue) act();
    }, afterMs).unref();
  }
  return {
    hasCome: () => timer === undefined,
    isDue: () => isDue,
    taken: () => (isDue = false),
    cancel: () => clearTimeout(timer),
  };
}
