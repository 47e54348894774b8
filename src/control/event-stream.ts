/** What the live stream sends, and the little that it remembers for those who come back. */
import type { Area } from "./route.ts";

/** One event of a `text/event-stream`. */
export interface LiveEvent {
  readonly id: string;
  readonly event: string;
  /** JSON, one line. */
  readonly data: string;
}

export interface EventStream {
  readonly publish: (event: string, data: unknown) => void;
  /** Tells who watches that something of an area is different now. */
  readonly changed: (what: Area) => void;
  /**
   * @param after id of the last event that was seen; what came since is sent first, as far as it is still known
   * @returns how to end it
   */
  readonly subscribe: (after: string | undefined, send: (event: LiveEvent) => void) => () => void;
  readonly listeners: () => number;
}

const remembered = 256;

/** @param start tells ids of this start from those of others */
export function eventStream(start: string): EventStream {
  const last: LiveEvent[] = [];
  const listening = new Set<(event: LiveEvent) => void>();
  let count = 0;
  const publish = (event: string, data: unknown): void => {
    const sent = { id: `${start}-${++count}`, event, data: JSON.stringify(data) };
    last.push(sent);
    if (last.length > remembered) last.shift();
    for (const send of listening) send(sent);
  };
  return {
    publish,
    changed: (what) => publish("changed", { what }),
    subscribe: (after, send) => {
      const at = after === undefined ? -1 : last.findIndex(({ id }) => id === after);
      // Who was away too long, or before this start, asks for everything again.
      if (after !== undefined && at < 0) send({ id: `${start}-${count}`, event: "reset", data: "{}" });
      else if (after !== undefined) last.slice(at + 1).forEach(send);
      listening.add(send);
      return () => void listening.delete(send);
    },
    listeners: () => listening.size,
  };
}
