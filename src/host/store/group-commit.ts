/**
 * Acknowledgements that wait for the disk: all entries that are written while a sync is under way share the next one,
 * so a busy log waits for the disk as often as an idle one, and no entry waits for more than two syncs.
 */
import type { Refusal } from "../../kernel/refusal.ts";

interface Acknowledgement {
  readonly resolve: () => void;
  readonly reject: (refusal: Refusal) => void;
}

export interface GroupCommit {
  /** For entries that are written already; settled in the order of the calls. */
  readonly add: (waiting: Acknowledgement) => void;
  /** Resolves when nobody waits any more. */
  readonly settled: () => Promise<void>;
}

/**
 * @param sync rejects for good once it failed
 * @param refusal what those who waited for a sync that failed are told
 */
export function groupCommit(sync: () => Promise<void>, refusal: (cause: unknown) => Refusal): GroupCommit {
  let waiting: Acknowledgement[] = [];
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await sync();
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        const refused = refusal(cause);
        for (const { reject } of batch) reject(refused);
      }
    }
  };

  return {
    add: (one) => {
      waiting.push(one);
      running ??= run().finally(() => {
        running = undefined;
      });
    },
    settled: async () => {
      await running;
    },
  };
}
