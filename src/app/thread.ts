/** Heavy work in a thread of its own: a running gateway goes on with its calls meanwhile. */
import { once } from "node:events";
import { parentPort, Worker } from "node:worker_threads";

import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import { oneAtATime } from "./one-at-a-time.ts";

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
    return answerIn(await saidBy<T>(worker, longestMs, tooLong));
  } finally {
    await worker.terminate();
  }
}

export interface KeptThread<Order> {
  /** @throws Refusal as the work does, and `busy` if too many wait or it takes too long */
  readonly ask: <T>(order: Order) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** How long a thread that nobody asks is kept: long enough for a page that asks each minute. */
const idleMs = 90_000;
const mostWaiting = 32;

/**
 * A thread for small questions, begun with the first and kept for the next ones.
 * @param program of the thread, which calls `answerOrders`
 */
export function keepThread<Order>(
  program: URL,
  { longestMs, tooLong }: { readonly longestMs: number; readonly tooLong: string },
): KeptThread<Order> {
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  const atOnce = oneAtATime(tooLong, mostWaiting);
  const close = async (): Promise<void> => {
    clearTimeout(idle);
    const ending = worker;
    worker = undefined;
    await ending?.terminate();
  };
  const begin = (): Worker => {
    const begun = new Worker(program);
    begun.unref();
    // Who waits for an answer hears of it, too.
    begun.on("error", () => undefined);
    begun.on("exit", () => {
      if (worker === begun) worker = undefined;
    });
    return begun;
  };
  const ask = async <T>(order: Order): Promise<T> => {
    clearTimeout(idle);
    worker ??= begin();
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(order);
      const answer = await saidBy<T>(worker, longestMs, tooLong);
      idle = setTimeout(() => void close(), idleMs).unref();
      return answerIn(answer);
    } catch (error) {
      // Whatever it still does, nobody waits for it; the next question begins another.
      if (!(error instanceof Refusal) || error.code === "busy") await close();
      throw error;
    }
  };
  return { ask: (order) => atOnce(() => ask(order)), close };
}

async function saidBy<T>(worker: Worker, longestMs: number, tooLong: string): Promise<Answer<T>> {
  const over = new AbortController();
  const signal = AbortSignal.any([AbortSignal.timeout(longestMs), over.signal]);
  const ended = once(worker, "exit", { signal }).then(() => {
    throw new Error("The thread ended without an answer.");
  });
  try {
    const [said] = (await Promise.race([once(worker, "message", { signal }), ended])) as [Answer<T>];
    return said;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    throw new Refusal("busy", tooLong, { cause: error });
  } finally {
    over.abort();
  }
}

function answerIn<T>(said: Answer<T>): T {
  if (said.kind === "refusal") throw new Refusal(said.code, said.message);
  return said.answer;
}

/** The thread's side. */
export async function answerThread<T>(work: () => Promise<T>): Promise<void> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(await answered(work));
}

/** The side of a thread that is kept: orders come one at a time. */
export function answerOrders(work: (order: never) => unknown): void {
  parentPort?.on("message", (order: unknown) => {
    void answerThread(async () => work(order as never));
  });
}

async function answered<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { kind: "answer", answer: await work() };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "refusal", code: error.code, message: error.message };
    throw error;
  }
}
