/** Holds what differs between two ways against a table of what is known to differ, and why. */
import type { Difference } from "./compare.ts";

/** How a check ends direct and through us. */
export interface Change {
  readonly check: string;
  readonly direct: string;
  readonly proxied: string;
  /** How often, by scenario. */
  readonly times: Readonly<Record<string, number>>;
}

export interface Reason {
  readonly name: string;
  readonly because: string;
  readonly changes: readonly Change[];
}

export interface Explained {
  /** How many differences each reason of the table explains. */
  readonly reasons: readonly { readonly name: string; readonly because: string; readonly count: number }[];
  /** What differs in another way or another number of times than the table says; also what no longer differs. */
  readonly surprises: readonly { readonly scenario: string; readonly text: string }[];
}

export function explain(different: readonly Difference[], table: readonly Reason[]): Explained {
  const found = new Map<string, number>();
  for (const { check: numbered, direct, proxied } of different) {
    const [scenario = "", check = ""] = numbered.split(" ");
    const what = spelled(scenario, { check, direct, proxied });
    found.set(what, (found.get(what) ?? 0) + 1);
  }
  const expected = new Map<string, number>();
  const reasons = table.map(({ name, because, changes }) => {
    let count = 0;
    for (const change of changes) {
      for (const [scenario, times] of Object.entries(change.times)) {
        const what = spelled(scenario, change);
        expected.set(what, (expected.get(what) ?? 0) + times);
        count += times;
      }
    }
    return { name, because, count };
  });
  const surprises = [...new Set([...found.keys(), ...expected.keys()])]
    .map((what) => ({ what, times: found.get(what) ?? 0, known: expected.get(what) ?? 0 }))
    .filter(({ times, known }) => times !== known)
    .map(({ what, times, known }) => ({
      scenario: what.slice(0, what.indexOf(" ")),
      text: `${what}: ${times} times, the table says ${known}`,
    }));
  return { reasons, surprises };
}

function spelled(scenario: string, { check, direct, proxied }: Omit<Change, "times">): string {
  return `${scenario} ${check}: direct ${direct}, through us ${proxied}`;
}
