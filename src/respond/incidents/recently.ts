/** What is remembered while entries come, bounded. */
export interface Recently<Key, Value> {
  readonly get: (key: Key) => Value | undefined;
  readonly set: (key: Key, value: Value) => void;
  readonly delete: (key: Key) => void;
  readonly entries: () => Iterable<readonly [Key, Value]>;
}

/** A map of the newest: who was set longest ago makes way. */
export function recently<Key, Value>(most: number): Recently<Key, Value> {
  const kept = new Map<Key, Value>();
  return {
    get: (key) => kept.get(key),
    set: (key, value) => {
      kept.delete(key);
      kept.set(key, value);
      if (kept.size <= most) return;
      const oldest = kept.keys().next();
      if (oldest.done !== true) kept.delete(oldest.value);
    },
    delete: (key) => void kept.delete(key),
    entries: () => [...kept],
  };
}
