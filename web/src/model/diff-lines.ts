/** Two texts line by line: what stayed, what went, what came. */

export type DiffRow =
  | { readonly kind: "same"; readonly before: string; readonly after: string }
  | { readonly kind: "changed"; readonly before: string | undefined; readonly after: string | undefined };

/** Above this, the middle counts as rewritten: the table of pairs would be too large. */
const maxPairs = 1_000_000;

export function diffLines(before: string, after: string): readonly DiffRow[] {
  const [a, b] = [lines(before), lines(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return [
    ...a.slice(0, start).map(same),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ];
}

function lines(text: string): readonly string[] {
  return text === "" ? [] : text.split("\n");
}

function same(line: string): DiffRow {
  return { kind: "same", before: line, after: line };
}

function middle(a: readonly string[], b: readonly string[]): readonly DiffRow[] {
  if (a.length * b.length > maxPairs) return beside(a, b);
  const common = commonLengths(a, b);
  const rows: DiffRow[] = [];
  let [i, j] = [0, 0];
  let [gone, come]: [string[], string[]] = [[], []];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left !== undefined && left === right) {
      rows.push(...beside(gone, come), same(left));
      [gone, come] = [[], []];
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(common, i + 1, j) >= at(common, i, j + 1))) {
      gone.push(left);
      i++;
    } else if (right !== undefined) {
      come.push(right);
      j++;
    }
  }
  return [...rows, ...beside(gone, come)];
}

/** [i][j]: how many lines the ends from i and j have in common, in order. */
function commonLengths(a: readonly string[], b: readonly string[]): readonly Uint32Array[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    const row = table[i] ?? new Uint32Array(0);
    for (let j = b.length - 1; j >= 0; j--) {
      row[j] =
        a[i] === b[j] ? at(table, i + 1, j + 1) + 1 : Math.max(at(table, i + 1, j), at(table, i, j + 1));
    }
  }
  return table;
}

function at(table: readonly Uint32Array[], i: number, j: number): number {
  return table[i]?.[j] ?? 0;
}

function beside(gone: readonly string[], come: readonly string[]): readonly DiffRow[] {
  return Array.from({ length: Math.max(gone.length, come.length) }, (_, at) => ({
    kind: "changed" as const,
    before: gone[at],
    after: come[at],
  }));
}
