/** Waiting for the operator to say stop. */

/** A terminal's Ctrl-C and a parent that passes it on are one wish, however many signals they make. */
const oneWishMs = 1000;

/** Resolves at the first SIGINT, SIGTERM or SIGHUP; a second wish ends the process at once. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    const stop = (): void => {
      if (askedAt !== undefined && performance.now() - askedAt > oneWishMs) process.exit(130);
      askedAt ??= performance.now();
      resolve();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  });
}

/** Calls `act` at each SIGUSR2. Until it is there, that signal ends the process: nothing passes then, either. */
export function onKillSignal(act: () => void): void {
  process.on("SIGUSR2", act);
}
