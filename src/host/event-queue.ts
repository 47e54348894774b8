/** A queue, bounded in bytes, between a producer that is told to pause and a consumer that awaits. */

export interface EventQueue<T> extends AsyncIterable<T> {
  readonly push: (item: T) => void;
  /** Bytes that wait, with what holding them costs. */
  readonly waiting: () => number;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

export interface Producer<T> {
  readonly bytesOf: (item: T) => number;
  /** Called when more than `highBytes` wait, and before the next `resume` not again. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** The consumer wants no more; what is pushed after is dropped. */
  readonly cancel: () => void;
}

/** What may wait for a slow consumer; a producer that can't pause in time may go beyond by one item. */
export const highBytes = 4 * 1024 * 1024;

/** What an item costs beside its own bytes: a crowd of tiny ones must count for what it is. */
const itemBytes = 512;

export function eventQueue<T>(producer: Producer<T>): EventQueue<T> {
  const items = fifo<T>();
  let bytes = 0;
  const costOf = (item: T): number => producer.bytesOf(item) + itemBytes;
  let state:
    | { readonly kind: "open" }
    | { readonly kind: "ended" }
    | { readonly kind: "failed"; readonly error: unknown } = { kind: "open" };
  let wake: (() => void) | undefined;
  let paused = false;

  const settle = (next: typeof state): void => {
    if (state.kind !== "open") return;
    state = next;
    wake?.();
  };
  const goOn = (): void => {
    if (!paused) return;
    paused = false;
    producer.resume();
  };
  const next = async (): Promise<IteratorResult<T>> => {
    for (;;) {
      const item = items.take();
      if (item !== undefined) {
        bytes -= costOf(item);
        if (bytes <= highBytes / 2) goOn();
        return { done: false, value: item };
      }
      if (state.kind === "failed") throw state.error;
      if (state.kind === "ended") return { done: true, value: undefined };
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    waiting: () => bytes,
    push: (item) => {
      if (state.kind !== "open") return;
      items.add(item);
      bytes += costOf(item);
      if (!paused && bytes > highBytes) {
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
        settle({ kind: "ended" });
        items.clear();
        bytes = 0;
        goOn();
        producer.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** First in, first out. An array's `shift` would move all that is left, again and again. */
function fifo<T>(): {
  readonly add: (item: T) => void;
  readonly take: () => T | undefined;
  readonly clear: () => void;
} {
  let items: (T | undefined)[] = [];
  /** Items before this one are gone. */
  let first = 0;
  return {
    add: (item) => void items.push(item),
    take: () => {
      if (first === items.length) return undefined;
      const item = items[first];
      items[first] = undefined;
      first += 1;
      if (first < items.length && first < 1024) return item;
      items = items.slice(first);
      first = 0;
      return item;
    },
    clear: () => {
      items = [];
      first = 0;
    },
  };
}
