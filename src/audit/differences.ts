/** What was done to a run of entries, told from the leaf hashes they have and those that were signed. */

export interface Difference {
  readonly what: "changed" | "removed" | "added" | "reordered";
  /** Place in the run. */
  readonly at: number;
}

/** Differences between two runs of hashes as hexadecimal text; more than `limit` are not told apart. */
export function differences(
  signed: readonly string[],
  found: readonly string[],
  limit: number,
): readonly Difference[] {
  const [wasSigned, isFound] = [new Set(signed), new Set(found)];
  const told: Difference[] = [];
  let [s, f] = [0, 0];
  while ((s < signed.length || f < found.length) && told.length < limit) {
    const [expected, actual] = [signed[s], found[f]];
    if (expected === actual) {
      [s, f] = [s + 1, f + 1];
      continue;
    }
    const expectedIsElsewhere = expected !== undefined && isFound.has(expected);
    const actualIsElsewhere = actual !== undefined && wasSigned.has(actual);
    if (expectedIsElsewhere && actualIsElsewhere) {
      told.push({ what: "reordered", at: s });
      [s, f] = [s + 1, f + 1];
    } else if (expected === undefined || expectedIsElsewhere) {
      told.push({ what: "added", at: s });
      f++;
    } else if (actual === undefined || actualIsElsewhere) {
      told.push({ what: "removed", at: s });
      s++;
    } else {
      told.push({ what: "changed", at: s });
      [s, f] = [s + 1, f + 1];
    }
  }
  return told;
}
