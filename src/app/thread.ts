/** Heavy work in a thread of its own: a running gateway goes on with its calls meanwhile. */
import { once } from "node:events";
import { parentPort, Worker } from "node:worker_threads";

import { Refusal, type RefusalCode } from "../kernel/refusal.ts";

type Answer<T> =
  | { readonly kind: "answer"; readonly answer: T }
  | { readonly kind: "refusal"; readonly code: RefusalCode; readonly message: string };

/**
 * @param program of the thread, which calls `answerThread`
 * @throws Refusal as the work does, and `busy` with `tooLong` if it takes longer than that
 */
export async function askThread<T>(
  program: URL,
  order: unknown,
  { longestMs, tooLong }: { readonly longestMs: number; readonly tooLong: string },
): Promise<T> {
  const worker = new Worker(program, { workerData: order });
  try {
    const signal = AbortSignal.timeout(longestMs);
    const [said] = (await once(worker, "message", { signal })) as [Answer<T>];
    if (said.kind === "refusal") throw new Refusal(said.code, said.message);
    return said.answer;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    throw new Refusal("busy", tooLong, { cause: error });
  } finally {
    await worker.terminate();
  }
}

/** The thread's side. */
export async function answerThread<T>(work: () => Promise<T>): Promise<void> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(await answered(work));
}

async function answered<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { kind: "answer", answer: await work() };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "refusal", code: error.code, message: error.message };
    throw error;
  }
}
