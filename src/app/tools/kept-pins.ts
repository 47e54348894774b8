/** The pins of all servers in memory, as the state database has them: read anew when another process changed some. */
import { type KeptTools, nothingKept, readPins, writePins } from "../../host/store/stored-pins.ts";
import type { ToolEvent, ToolStore } from "../../host/store/state-tools.ts";
import type { Clock } from "../../kernel/clock.ts";

export interface KeptPins {
  readonly all: () => ReadonlyMap<string, KeptTools>;
  readonly of: (server: string) => KeptTools;
  /** Takes up what other processes changed. @throws Refusal `bad_state` if it can't be read */
  readonly follow: () => void;
  readonly isBehind: () => boolean;
  /** Decides on what is stored, whatever was in memory. @returns what `decide` did */
  readonly change: <T extends Decided>(server: string, decide: (kept: KeptTools) => T) => T;
}

interface Decided {
  /** The very same value, or none, where nothing changes. */
  readonly kept?: KeptTools | undefined;
  readonly events: readonly ToolEvent[];
}

/** @throws Refusal `bad_state` if what was pinned can't be read */
export function keptPins(servers: Iterable<string>, store: ToolStore, clock: Clock): KeptPins {
  const kept = new Map<string, KeptTools>();
  const names = [...servers];
  const revisions = new Map<string, number | undefined>();
  let seen: number | undefined;
  const follow = (): void => {
    const version = store.version();
    if (version === seen) return;
    const now = store.revisions();
    for (const server of names) {
      if (kept.has(server) && revisions.get(server) === now.get(server)) continue;
      kept.set(server, readPins(store.pins(server), server));
      revisions.set(server, now.get(server));
    }
    seen = version;
  };
  follow();
  return {
    all: () => kept,
    of: (server) => kept.get(server) ?? nothingKept,
    follow,
    isBehind: () => store.version() !== seen,
    change: (server, decide) => {
      const { decided, next } = store.change(server, clock.nowUnixMs(), (stored) => {
        const before = readPins(stored, server);
        const decided = decide(before);
        const { kept: after = before, events } = decided;
        return { events, decided, next: after, ...(after !== before && { pins: writePins(after) }) };
      });
      kept.set(server, next);
      revisions.set(server, store.revisions().get(server));
      return decided;
    },
  };
}
