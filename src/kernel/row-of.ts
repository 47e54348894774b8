/** A row of a table by a name that comes from outside: what every object has of its own, such as `constructor`, is none. */
export function rowOf<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
