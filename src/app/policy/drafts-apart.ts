/** Has drafts worked on in a thread of its own, which stays while somebody types and ends when nobody does. */
import path from "node:path";
import { Worker } from "node:worker_threads";

import { Refusal } from "../../kernel/refusal.ts";
import { oneAtATime } from "../one-at-a-time.ts";
import type { DraftAnswer, DraftKind, DraftMessage, DraftWork } from "./draft-orders.ts";

/** @throws Refusal as the commands do, and `busy` for what takes too long or has too many before it */
export type DraftsApart = <K extends DraftKind>(kind: K, order: DraftWork[K][0]) => Promise<DraftWork[K][1]>;

/** A replay ends by itself before that; rules that take longer to compare are for the command line. */
const longestMs = 45_000;
const idleMs = 60_000;
const limits = { maxOldGenerationSizeMb: 1024 };

/** @param file the gateway's config, read anew for each order */
export function draftsApart(file: string): DraftsApart {
  const atOnce = oneAtATime("Others have drafts worked on already; ask again in a moment.");
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  const end = (): void => {
    void worker?.terminate();
    worker = undefined;
  };
  const begin = (): Worker => {
    const program = new URL(`draft-worker${path.extname(import.meta.filename)}`, import.meta.url);
    const begun = new Worker(program, { workerData: { file }, resourceLimits: limits });
    return begun;
  };
  const asked = async (message: DraftMessage): Promise<DraftAnswer> => {
    clearTimeout(idle);
    worker ??= begin();
    worker.ref();
    try {
      return await answerOf(worker, message);
    } catch (error) {
      end();
      throw error;
    } finally {
      worker?.unref();
      idle = setTimeout(end, idleMs).unref();
    }
  };
  return async <K extends DraftKind>(kind: K, order: DraftWork[K][0]) => {
    const answer = await atOnce(() => asked({ kind, order }));
    if (answer.kind === "refusal") throw new Refusal(answer.code, answer.message);
    if (answer.kind === "fault") throw new Error(answer.stack);
    return answer.answer;
  };
}

async function answerOf(worker: Worker, message: DraftMessage): Promise<DraftAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<DraftAnswer>();
  const late = setTimeout(() => reject(new Refusal("busy", tooLong)), longestMs);
  const fail = (error: unknown): void => reject(new Refusal("busy", tooLong, { cause: error }));
  worker.once("message", resolve);
  worker.once("error", fail);
  worker.once("exit", fail);
  try {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage(message);
    return await promise;
  } finally {
    clearTimeout(late);
    worker.off("message", resolve);
    worker.off("error", fail);
    worker.off("exit", fail);
  }
}

const tooLong =
  "That takes too long, or too much memory; `latticegate policy` on the command line has no such bounds.";
