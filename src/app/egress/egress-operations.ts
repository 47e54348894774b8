/** What operators do about an exposed server's own connections: commands that work whether it runs or not. */
import { existsSync } from "node:fs";

import { isKnown, usuallySent } from "../../detect/egress/destination-memory.ts";
import { type EgressBlock, type EgressStore, openEgress } from "../../host/store/state-egress.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { destinationText, readDestination } from "../../policy/egress/destination.ts";
import { statePaths } from "../state-folder.ts";
import { readBook } from "./egress-memory.ts";

export interface SeenDestination {
  readonly destination: string;
  readonly isKnown: boolean;
  readonly contacts: number;
  readonly usualBytes: number;
  readonly lastUnixMs: number;
}

export interface EgressOverview {
  readonly blocks: readonly EgressBlock[];
  /** The one used last comes last. */
  readonly destinations: readonly SeenDestination[];
}

export function egressOverview(state: string, log: Log): EgressOverview {
  if (!existsSync(statePaths(state).database)) return { blocks: [], destinations: [] };
  return withEgress(state, (store) => ({
    blocks: store.blocks(),
    destinations: (readBook(store, log)?.destinations ?? []).map(([destination, memory]) => ({
      destination,
      isKnown: isKnown(memory),
      contacts: memory.contacts,
      usualBytes: usuallySent(memory),
      lastUnixMs: memory.lastUnixMs,
    })),
  }));
}

/** @returns whether it was blocked @throws Refusal `bad_config` for what is no `HOST:PORT` */
export function liftBlock(state: string, text: string): boolean {
  const read = readDestination(text);
  if (read.kind === "wrong") throw new Refusal("bad_config", `"${text}" is no destination: ${read.why}.`);
  if (!existsSync(statePaths(state).database)) return false;
  return withEgress(state, (store) => store.lift(destinationText(read)));
}

function withEgress<T>(state: string, work: (store: EgressStore) => T): T {
  const store = openEgress(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}
