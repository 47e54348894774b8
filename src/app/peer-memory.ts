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
  const changes = unsaved(store, log);
  let epoch = 0;
  const drop = (name: PeerName): void => {
    peers[name.direction].delete(name.peer);
    changes.drop(name);
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
  const take = (record: RememberedPeer): void => {
    changes.wasStored(record);
    insert(record);
  };
  for (const record of store.peers().toSorted((a, b) => a.lastUnixMs - b.lastUnixMs)) take(record);
  return {
    find: ({ direction, peer }) => peers[direction].get(peer),
    put: (record, isUrgent) => {
      changes.put(record);
      insert(record);
      if (isUrgent) changes.save();
      else changes.saveSoon();
    },
    reload: () => {
      const touched = store.touchedSince(epoch);
      // What was still to be written of them is of an older epoch, and the store leaves it out.
      for (const record of touched) take(record);
      return touched.length > 0;
    },
    forget: (isGone) => {
      const callers = storedCallers(store, log);
      const gone = [...peers.incoming.keys()].filter((peer) => isGone(peer) || !callers.has(peer));
      for (const peer of gone) drop({ direction: "incoming", peer });
      changes.save();
    },
    stop: changes.save,
  };
}

interface Unsaved {
  readonly put: (peer: RememberedPeer) => void;
  readonly drop: (name: PeerName) => void;
  /** The store has it. */
  readonly wasStored: (name: PeerName) => void;
  readonly save: () => void;
  readonly saveSoon: () => void;
}

/** What the store doesn't have yet. */
function unsaved(store: Pick<PeerStore, "save">, log: Log): Unsaved {
  const dirty = new Map<string, RememberedPeer>();
  const dropped = new Map<string, PeerName>();
  /** Keys of those that the store had: one that it has no more was erased. */
  const stored = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const saveSoon = (): void => void (timer ??= setTimeout(save, saveMs).unref());
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
      saveSoon();
    }
  };
  return {
    put: (peer) => {
      dropped.delete(keyOf(peer));
      dirty.set(keyOf(peer), peer);
    },
    drop: (name) => {
      dirty.delete(keyOf(name));
      stored.delete(keyOf(name));
      dropped.set(keyOf(name), name);
    },
    wasStored: (name) => void stored.add(keyOf(name)),
    save,
    saveSoon,
  };
}

function keyOf({ direction, peer }: PeerName): string {
  return `${direction} ${peer}`;
}

/** None, if they can't be read. */
function storedCallers(store: Pick<PeerStore, "peers">, log: Log): ReadonlySet<string> {
  try {
    const callers = store.peers().filter(({ direction }) => direction === "incoming");
    return new Set(callers.map(({ peer }) => peer));
  } catch (error) {
    log.error("peers.unread", { reason: error instanceof Error ? error.message : "unknown" });
    return new Set();
  }
}
