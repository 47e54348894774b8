/** The remembered peers of a running gateway: judged from memory, written within a second, bounded in number. */
import type { PeerName, PeerStore, RememberedPeer } from "../host/store/state-peers.ts";
import type { Log } from "../kernel/log.ts";

/** Of each direction; who wasn't seen for longest makes way. */
const maxPeers = 10_000;
/** What a death of this process may cost. */
const saveMs = 1000;

export interface LivePeers {
  readonly find: (name: PeerName) => RememberedPeer | undefined;
  /** @param isUrgent an operator may come for it at any moment */
  readonly put: (peer: RememberedPeer, isUrgent: boolean) => void;
  /** Takes over what commands changed. @returns whether they did */
  readonly reload: () => boolean;
  /** After an erasure: drops callers of whom it holds, and those that the store has no more, or not yet: whose names they were, nobody can tell. */
  readonly forget: (isGone: (peer: string) => boolean) => void;
  readonly stop: () => void;
}

/** @throws Refusal `bad_state` if what is stored can't be read */
export function livePeers(
  store: Pick<PeerStore, "peers" | "touchedSince" | "save">,
  log: Log,
  bound = maxPeers,
): LivePeers {
  const peers = { incoming: new Map<string, RememberedPeer>(), outgoing: new Map<string, RememberedPeer>() };
  const dirty = new Map<string, RememberedPeer>();
  const dropped = new Map<string, PeerName>();
  const stored = new Set<string>();
  let epoch = 0;
  let timer: NodeJS.Timeout | undefined;
  const drop = (name: PeerName): void => {
    peers[name.direction].delete(name.peer);
    dirty.delete(keyOf(name));
    stored.delete(keyOf(name));
    dropped.set(keyOf(name), name);
  };
  const insert = (record: RememberedPeer): void => {
    const { direction, peer } = record;
    // INVARIANT: in the order in which they were seen last.
    peers[direction].delete(peer);
    peers[direction].set(peer, record);
    epoch = Math.max(epoch, record.epoch);
    if (peers[direction].size <= bound) return;
    const [oldest] = peers[direction].keys();
    if (oldest !== undefined) drop({ direction, peer: oldest });
  };
  const save = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (dirty.size + dropped.size === 0) return;
    try {
      const changed = [...dirty].map(([key, record]) => ({ ...record, wasStored: stored.has(key) }));
      store.save(changed, [...dropped.values()]);
      for (const key of dirty.keys()) stored.add(key);
      dirty.clear();
      dropped.clear();
    } catch (error) {
      // Nobody's link fails for it; what there is is kept and tried again.
      log.error("peers.unsaved", { reason: error instanceof Error ? error.message : "unknown" });
      later();
    }
  };
  const storedCallers = (): readonly string[] => {
    try {
      return store.peers().flatMap(({ direction, peer }) => (direction === "incoming" ? [peer] : []));
    } catch (error) {
      log.error("peers.unread", { reason: error instanceof Error ? error.message : "unknown" });
      return [];
    }
  };
  const later = (): void => void (timer ??= setTimeout(save, saveMs).unref());
  for (const record of store.peers().toSorted((a, b) => a.lastUnixMs - b.lastUnixMs)) {
    stored.add(keyOf(record));
    insert(record);
  }
  return {
    find: ({ direction, peer }) => peers[direction].get(peer),
    put: (record, isUrgent) => {
      dropped.delete(keyOf(record));
      dirty.set(keyOf(record), record);
      insert(record);
      if (isUrgent) save();
      else later();
    },
    reload: () => {
      const touched = store.touchedSince(epoch);
      // What was still to be written of them is of an older epoch, and the store leaves it out.
      for (const record of touched) {
        stored.add(keyOf(record));
        insert(record);
      }
      return touched.length > 0;
    },
    forget: (isGone) => {
      const callers = new Set(storedCallers());
      const gone = [...peers.incoming.keys()].filter((peer) => isGone(peer) || !callers.has(peer));
      for (const peer of gone) drop({ direction: "incoming", peer });
      save();
    },
    stop: save,
  };
}

function keyOf({ direction, peer }: PeerName): string {
  return `${direction} ${peer}`;
}
