/** Answers that are asked for again and again, while one reach is found. */

/** More than that are forgotten, and found anew. */
const maxRemembered = 10_000;

/** The same function of a text, asked once for each text. */
export function remembering<T>(find: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const value = find(key);
    if (known.size >= maxRemembered) known.clear();
    known.set(key, value);
    return value;
  };
}
