/** The order of a table's rows. */

export interface Sorting {
  /** A column's name. */
  readonly by: string;
  readonly isDown: boolean;
}

/** Numbers by size, words as people sort them ("s2" before "s10"); equal ones stay as they stood. */
export function sorted<Row>(
  rows: readonly Row[],
  by: (row: Row) => string | number,
  isDown: boolean,
): readonly Row[] {
  const direction = isDown ? -1 : 1;
  return rows.toSorted((a, b) => direction * compared(by(a), by(b)));
}

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compared(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number" ? a - b : words.compare(String(a), String(b));
}
