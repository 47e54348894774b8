/**
 * A stream of events of which each is checked before anybody reads it. What passes keeps its bytes; what is left of an
 * event that never became whole is checked like one that did, since some readers take it for one.
 */
import { concat, utf8 } from "../../kernel/bytes.ts";
import { type SseEvent, sseReader, withData } from "../../wire/sse.ts";

/** An event's data as it may pass: the same bytes, others, or undefined for what may not. */
export type CheckEvent = (data: Uint8Array) => Promise<Uint8Array | undefined> | Uint8Array | undefined;

/** Longer than any end of an event that says something: a blank line in each way lines can end. */
const eventEnd = utf8("\n\n");

/** Leaves the source when its reader leaves, and when a check throws, which its reader is told. */
export function checkedStream(
  chunks: AsyncIterable<Uint8Array>,
  maxEventBytes: number,
  check: CheckEvent,
): AsyncIterable<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  const reader = sseReader(maxEventBytes);
  const ready: SseEvent[] = [];
  let isOver = false;
  const leave = async (): Promise<void> => {
    isOver = true;
    ready.length = 0;
    await source.return?.();
  };
  const passed = async (event: SseEvent): Promise<Uint8Array | undefined> => {
    if (event.data === null || event.data.length === 0) return event.raw;
    const data = await check(event.data);
    return data && withData(event, data);
  };
  const pull = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const event = ready.shift();
      const bytes = event && (await passed(event));
      if (bytes !== undefined) return bytes;
      if (event !== undefined) continue;
      if (isOver) return undefined;
      const next = await source.next();
      if (next.done !== true) ready.push(...reader.push(next.value));
      else {
        isOver = true;
        return await unfinished(reader.rest(), maxEventBytes, check);
      }
    }
  };
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        try {
          const bytes = await pull();
          return bytes === undefined ? { done: true, value: undefined } : { done: false, value: bytes };
        } catch (error) {
          await leave();
          throw error;
        }
      },
      return: async () => {
        await leave();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** It passes if it would have as an event, unchanged: to what isn't whole nothing can be done. */
async function unfinished(
  rest: Uint8Array,
  maxEventBytes: number,
  check: CheckEvent,
): Promise<Uint8Array | undefined> {
  if (rest.length === 0) return undefined;
  const events = sseReader(maxEventBytes + eventEnd.length).push(concat([rest, eventEnd]));
  for (const { data } of events) {
    if (data !== null && data.length > 0 && (await check(data)) !== data) return undefined;
  }
  return rest;
}
