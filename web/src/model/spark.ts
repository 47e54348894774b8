/** The points of a small line. */

/** @param values oldest first @returns "x,y x,y …" with the largest at the top and zero at the bottom; "" for fewer than two */
export function sparkPoints(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return "";
  const largest = Math.max(...values, 1);
  return values
    .map((value, at) => {
      const x = (at / (values.length - 1)) * width;
      const y = height - (Math.max(0, value) / largest) * (height - 2) - 1;
      return `${round(x)},${round(y)}`;
    })
    .join(" ");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
