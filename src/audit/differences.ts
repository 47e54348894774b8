/** What was done to a run of entries, told from the leaf hashes they have and those that were signed. */

export interface Difference {
  readonly what: "changed" | "removed" | "added" | "reordered";
  /** Place in the run. */
  readonly at: number;
  readonly signed: string | undefined;
  readonly found: string | undefined;
}

/** Differences between two runs of hashes as hexadecimal text. */
export function differences(signed: readonly string[], found: readonly string[]): readonly Difference[] {
  const [wasSigned, isFound] = [new Set(signed), new Set(found)];
  const told: Difference[] = [];
  let [s, f] = [0, 0];
  while (s < signed.length || f < found.length) {
    const [expected, actual] = [signed[s], found[f]];
    if (expected === actual) {
      [s, f] = [s + 1, f + 1];
      continue;
    }
    const expectedIsElsewhere = expected !== undefined && isFound.has(expected);
    const actualIsElsewhere = actual !== undefined && wasSigned.has(actual);
    if (expectedIsElsewhere && actualIsElsewhere) {
      told.push({ what: "reordered", at: s, signed: expected, found: actual });
      [s, f] = [s + 1, f + 1];
    } else if (expected === undefined || expectedIsElsewhere) {
      told.push({ what: "added", at: s, signed: undefined, found: actual });
      f++;
    } else if (actual === undefined || actualIsElsewhere) {
      told.push({ what: "removed", at: s, signed: expected, found: undefined });
      s++;
    } else {
      told.push({ what: "changed", at: s, signed: expected, found: actual });
      [s, f] = [s + 1, f + 1];
    }
  }
  return told;
}

/**
 * Differences of many runs, seen together: what was only pushed into the next run by a removal isn't one, and an
 * entry that stands in another's place was moved, not changed.
 */
export function reconcile<Row extends Omit<Difference, "at">>(rows: readonly Row[]): readonly Row[] {
  const [wasSigned, isFound] = [new Set<string>(), new Set<string>()];
  for (const { signed, found } of rows) {
    if (signed !== undefined) wasSigned.add(signed);
    if (found !== undefined) isFound.add(found);
  }
  return rows.flatMap((row) => {
    const moved = row.found !== undefined && wasSigned.has(row.found);
    const kept = row.signed !== undefined && isFound.has(row.signed);
    if (row.what === "added" && moved) return [];
    if (row.what === "removed" && kept) return [];
    return [row.what === "changed" && moved && kept ? { ...row, what: "reordered" as const } : row];
  });
}
