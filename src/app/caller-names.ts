/** Who stands behind the names of callers in a log: entries may name them otherwise than people do. */

export interface CallerNames {
  /** All that a caller is named by in entries. */
  readonly idsOf: (name: string) => readonly string[];
  /** What a person calls who stands in an entry. */
  readonly nameOf: (id: string) => string;
}

/** Entries name callers as everybody does. */
export const plainNames: CallerNames = { idsOf: (name) => [name], nameOf: (id) => id };
