/**
 * Restrictions count in memory first: what the state database doesn't take now, because another process holds it or its
 * disk is full, stands as long as this process does, and is written as soon as it can be, in order.
 */
import type { ResponseEvent, ResponseStore } from "../../host/store/state-responses.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Restriction } from "../../respond/restriction.ts";

export interface LastingResponses extends Pick<ResponseStore, "restrictions" | "put" | "remove" | "tell"> {
  /** Writes what waits, if that can be done now. Never throws. */
  readonly save: () => void;
  readonly stop: () => void;
}

interface Unsaved {
  /** What stands since, by its id; undefined where it doesn't any more. */
  readonly stands?: readonly [id: string, restriction: Restriction | undefined];
  readonly write: () => void;
}

/** Beyond this nothing more is taken, and that is said. */
const maxUnsaved = 20_000;
const saveEveryMs = 1000;

export function lastingResponses(store: ResponseStore, log: Log): LastingResponses {
  let unsaved: Unsaved[] = [];
  let stored = store.restrictions();
  const save = (): void => {
    if (unsaved.length === 0) return;
    let written = 0;
    try {
      for (const { write } of unsaved) {
        write();
        written += 1;
      }
      log.warn("response.saved", { changes: written });
    } catch (error) {
      log.error("response.unsaved", { reason: reasonOf(error), changes: unsaved.length - written });
    }
    unsaved = unsaved.slice(written);
  };
  const timer = setInterval(save, saveEveryMs).unref();
  /** INVARIANT: nothing is written before what came before it. */
  const change = (next: Unsaved): void => {
    if (unsaved.length >= maxUnsaved)
      throw new Refusal("busy", 'The state database takes nothing. "latticegate kill on" stops all calls.');
    if (unsaved.length > 0) return void unsaved.push(next);
    try {
      next.write();
    } catch (error) {
      unsaved.push(next);
      log.error("response.unsaved", { reason: reasonOf(error), changes: 1 });
    }
  };
  const restrictions = (): readonly Restriction[] => {
    try {
      stored = store.restrictions();
    } catch (error) {
      log.error("response.unread", { reason: reasonOf(error) });
    }
    return withUnsaved(stored, unsaved);
  };
  return {
    restrictions,
    put: (restriction, event) => {
      // What couldn't be read meanwhile stands, too.
      change({ stands: [restriction.id, restriction], write: () => store.put(restriction, event) });
      if (unsaved.length === 0) stored = withOne(stored, restriction.id, restriction);
    },
    remove: (id, event) => {
      const was = restrictions().some((each) => each.id === id);
      if (!was) return false;
      change({ stands: [id, undefined], write: () => void store.remove(id, event) });
      if (unsaved.length === 0) stored = withOne(stored, id, undefined);
      return true;
    },
    tell: (event: ResponseEvent) => change({ write: () => store.tell(event) }),
    save,
    stop: () => {
      clearInterval(timer);
      save();
    },
  };
}

function withUnsaved(stored: readonly Restriction[], unsaved: readonly Unsaved[]): readonly Restriction[] {
  return unsaved.reduce((all, { stands }) => (stands === undefined ? all : withOne(all, ...stands)), stored);
}

function withOne(
  all: readonly Restriction[],
  id: string,
  now: Restriction | undefined,
): readonly Restriction[] {
  const others = all.filter((each) => each.id !== id);
  return now === undefined ? others : [...others, now];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
