/** What happened lately, by owner and name: bounded in both, so that who makes many names makes room of their own alone. */

export interface Recent {
  /** @returns the times since then, this one included; no more than `most` */
  readonly note: (
    owner: string,
    name: string,
    at: { readonly unixMs: number; readonly sinceUnixMs: number; readonly most: number },
  ) => number;
  /** When that last was; undefined if never, or forgotten. */
  readonly last: (owner: string, name: string) => number | undefined;
  /** Those who noted that since then. */
  readonly owners: (name: string, sinceUnixMs: number) => readonly string[];
}

/** Callers, servers: as many as a gateway sees in a day. */
const maxOwners = 2000;
/** What one of them does at a time. */
const maxNames = 128;

/** @param whenFull what becomes of more names than that: the oldest is forgotten, or the new ones are one name together */
export function recent(whenFull: "forget" | "together" = "forget"): Recent {
  const known = new Map<string, Map<string, readonly number[]>>();
  return {
    note: (owner, asked, { unixMs, sinceUnixMs, most }) => {
      const names = known.get(owner) ?? new Map<string, readonly number[]>();
      const name = whenFull === "together" ? placeOf(names, asked, sinceUnixMs) : asked;
      const times = [...(names.get(name) ?? []).filter((time) => time > sinceUnixMs), unixMs].slice(-most);
      putLast(names, name, times, maxNames);
      putLast(known, owner, names, maxOwners);
      return times.length;
    },
    last: (owner, name) => known.get(owner)?.get(name)?.at(-1),
    owners: (name, sinceUnixMs) =>
      [...known].flatMap(([owner, names]) =>
        (names.get(name)?.at(-1) ?? Number.NEGATIVE_INFINITY) > sinceUnixMs ? [owner] : [],
      ),
  };
}

/** No real name. */
const allOthers = "";

/** INVARIANT: who invents names pushes out no count that still matters. */
function placeOf(names: Map<string, readonly number[]>, name: string, sinceUnixMs: number): string {
  if (names.has(name) || names.size < maxNames - 1) return name;
  for (const [each, times] of names) if ((times.at(-1) ?? 0) <= sinceUnixMs) names.delete(each);
  return names.size < maxNames - 1 ? name : allOthers;
}

/** The one that was put longest ago is forgotten. */
function putLast<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
