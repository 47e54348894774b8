/**
 * Entries of the audit log about what is kept elsewhere: written one after the other, so that nothing is written twice;
 * what couldn't be written, and what commands did meanwhile, at the next look.
 */
import type { Log } from "../kernel/log.ts";

export interface RecordTurns {
  /** Never rejects: what fails is said in the log. */
  readonly inTurn: (work: () => Promise<void>) => void;
  /** Resolves when nothing is under way. */
  readonly stop: () => Promise<void>;
}

interface Options {
  /** What the log calls it when `work` fails. */
  readonly failure:
    | "tools.unrecorded"
    | "approvals.unrecorded"
    | "signatures.unrecorded"
    | "responses.unrecorded"
    | "incidents.unrecorded";
  /** Asked every few seconds. */
  readonly look: () => void;
  readonly log: Log;
}

const lookEveryMs = 5000;

export function recordTurns({ failure, look, log }: Options): RecordTurns {
  let writing: Promise<void> = Promise.resolve();
  const timer = setInterval(look, lookEveryMs).unref();
  return {
    inTurn: (work) => {
      writing = writing.then(work).catch((error: unknown) => {
        log.error(failure, { reason: error instanceof Error ? error.message : "unknown" });
      });
    },
    stop: async () => {
      clearInterval(timer);
      await writing;
    },
  };
}
