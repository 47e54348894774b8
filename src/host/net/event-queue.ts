/** A bounded queue between a producer that is told to pause and a consumer that awaits. */

export interface EventQueue<T> extends AsyncIterable<T> {
  readonly push: (items: readonly T[]) => void;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

/** @param producer paused while more than `high` items wait, resumed when the consumer has caught up */
export function eventQueue<T>(producer: {
  readonly pause: () => void;
  readonly resume: () => void;
  readonly cancel: () => void;
}): EventQueue<T> {
  const high = 64;
  const items: T[] = [];
  let state:
    | { readonly kind: "open" }
    | { readonly kind: "ended" }
    | { readonly kind: "failed"; readonly error: unknown } = {
    kind: "open",
  };
  let wake: (() => void) | undefined;
  let paused = false;

  const settle = (next: typeof state): void => {
    if (state.kind !== "open") return;
    state = next;
    wake?.();
  };
  const next = async (): Promise<IteratorResult<T>> => {
    for (;;) {
      const item = items.shift();
      if (item !== undefined) {
        if (paused && items.length === 0) {
          paused = false;
          producer.resume();
        }
        return { done: false, value: item };
      }
      if (state.kind === "failed") throw state.error;
      if (state.kind === "ended") return { done: true, value: undefined };
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    push: (more) => {
      items.push(...more);
      if (!paused && items.length > high) {
        paused = true;
        producer.pause();
      }
      wake?.();
    },
    end: () => settle({ kind: "ended" }),
    fail: (error) => settle({ kind: "failed", error }),
    [Symbol.asyncIterator]: () => ({
      next,
      return: async () => {
        producer.cancel();
        settle({ kind: "ended" });
        return { done: true, value: undefined };
      },
    }),
  };
}
