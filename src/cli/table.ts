/** Lines of columns as wide as what stands in them. */

/** Cells of a row; the last one may be of any width. */
export type Row = readonly string[];

export function table(rows: readonly Row[], indent = "  "): readonly string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  return rows.map((row) =>
    (indent + row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ")).trimEnd(),
  );
}

/** A heading with a table below it; nothing without rows, unless it is said what there is instead. */
export function section(title: string, rows: readonly Row[], none?: string): readonly string[] {
  if (rows.length > 0) return [title, ...table(rows)];
  return none === undefined ? [] : [title, `  ${none}`];
}

/** A line for each kind, with how many there are, in the order in which they come. */
export function counted(rows: readonly Row[]): readonly Row[] {
  const counts = new Map<string, { readonly row: Row; count: number }>();
  for (const row of rows) {
    const key = JSON.stringify(row);
    const found = counts.get(key);
    if (found === undefined) counts.set(key, { row, count: 1 });
    else found.count += 1;
  }
  return [...counts.values()].map(({ row, count }) => [String(count), ...row]);
}
