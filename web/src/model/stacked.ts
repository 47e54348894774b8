/** Series on top of one another. */

/** @param series of one length; null counts as nothing @returns each with all before it added, first at the bottom */
export function stacked(series: readonly (readonly (number | null)[])[]): readonly (readonly number[])[] {
  const sums: number[] = [];
  return series.map((values) =>
    values.map((value, at) => {
      const sum = (sums[at] ?? 0) + (value ?? 0);
      sums[at] = sum;
      return sum;
    }),
  );
}
