/** Text of a stranger's for the operator's eyes: nothing that moves a cursor, and not much of it. */

/** Everything but visible ASCII and spaces becomes `?`; what is longer than `maxLength` is cut and says so. */
export function printable(text: string, maxLength: number): string {
  const shown = text.slice(0, maxLength).replace(/[^\x20-\x7e]/g, "?");
  return text.length > maxLength ? `${shown}…[cut]` : shown;
}
