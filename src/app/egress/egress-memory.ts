/** What was learned of a server's destinations, kept in the sidecar's state between two runs. */
import { z } from "zod";

import { type BookContents, DestinationBook, maxDestinations } from "../../detect/egress/destination-book.ts";
import type { EgressStore } from "../../host/store/state-egress.ts";
import type { Log } from "../../kernel/log.ts";

const whole = z.number().int().nonnegative();
const amount = z.number().nonnegative();

const schema = z.strictObject({
  destinations: z
    .array(
      z.tuple([
        z.string().max(300),
        z.strictObject({
          firstUnixMs: whole,
          lastUnixMs: whole,
          contacts: whole,
          days: whole,
          lastDay: z.number().int().min(-1),
          sentBefore: z.array(amount).max(16),
          recentSent: amount,
          recentReceived: amount,
          recentUnixMs: whole,
          sentUnknown: amount,
        }),
      ]),
    )
    .max(maxDestinations),
  hours: z.array(whole).length(168),
  met: z.strictObject({ day: whole, count: whole }),
});

export interface KeptBook {
  readonly book: DestinationBook;
  /** To be called when it changed; it is written now and then. */
  readonly changed: () => void;
  readonly stop: () => void;
}

const keepEveryMs = 5000;

export function keptBook(store: EgressStore, log: Log): KeptBook {
  const book = new DestinationBook(readBook(store, log));
  let isChanged = false;
  const keep = (): void => {
    if (!isChanged) return;
    isChanged = false;
    try {
      store.keepMemory(JSON.stringify(book.contents()));
    } catch (error) {
      log.error("egress.memory_unkept", { reason: error instanceof Error ? error.message : "unknown" });
    }
  };
  const timer = setInterval(keep, keepEveryMs).unref();
  return {
    book,
    changed: () => (isChanged = true),
    stop: () => {
      clearInterval(timer);
      keep();
    },
  };
}

/** What can't be read is no history: less is known then, and less let through. */
export function readBook(store: Pick<EgressStore, "memory">, log: Log): BookContents | undefined {
  const text = store.memory();
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(jsonIn(text));
  if (parsed.success) return parsed.data;
  log.warn("egress.memory_unreadable", { reason: "what was learned of destinations is learned anew" });
  return undefined;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
