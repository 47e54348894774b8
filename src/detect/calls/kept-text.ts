/**
 * The beginning of a text as a string of its own. A slice of a string may be a view that keeps the whole of it in memory: a
 * name of ten characters must not keep the megabyte that it was cut from.
 */
export function keptText(text: string, atMost: number): string {
  return JSON.parse(JSON.stringify(text.slice(0, atMost))) as string;
}
