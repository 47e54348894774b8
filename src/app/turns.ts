/** Work on the log that mustn't overlap: rotations of its keys, renewals, and removals of old entries. */
import { closedRefusal } from "../host/store/journal-refusals.ts";

export interface Turns {
  /** One thing after the other, whatever becomes of each. Once stopped, nothing is begun: `journal_unavailable`. */
  readonly inTurn: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** In turn too, but long: the signal ends it with its reason. @param what it is, as in "a renewal of the log" */
  readonly untilStopped: <Result>(
    what: string,
    work: (signal: AbortSignal) => Promise<Result>,
  ) => Promise<Result>;
  /** The long work that others wait for now. */
  readonly underWay: () => string | undefined;
  /** Resolves once no long work is under way any more. */
  readonly stop: () => Promise<void>;
}

export function takingTurns(): Turns {
  const over = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();
  let long: { readonly what: string; readonly ended: Promise<unknown> } | undefined;
  const inTurn: Turns["inTurn"] = (work) => {
    const done = turn.then(() => {
      over.signal.throwIfAborted();
      return work();
    });
    turn = done.catch(() => undefined);
    return done;
  };
  return {
    inTurn,
    untilStopped: (what, work) =>
      inTurn(async () => {
        const ended = work(over.signal);
        long = { what, ended };
        try {
          return await ended;
        } finally {
          long = undefined;
        }
      }),
    underWay: () => long?.what,
    stop: async () => {
      over.abort(closedRefusal());
      await long?.ended.catch(() => undefined);
    },
  };
}
