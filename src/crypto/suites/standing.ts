/** How long an algorithm counts, by whom: what every row of the suite tables says of itself. */

/** `deprecated` may be used where an operator says so, and is reported wherever it is. */
export type Status = "allowed" | "deprecated" | "forbidden";

export interface Dated {
  /** Until the first of the dates. */
  readonly status: Status;
  /** UTC day from which it is deprecated. */
  readonly deprecatedFrom?: string;
  /** UTC day from which it may not be used. */
  readonly forbiddenFrom?: string;
  /** Who says so. */
  readonly source?: string;
}

/** NIST IR 8547 (initial public draft), tables 2 and 4: elliptic curves of 128 bits and more are disallowed after 2035. */
export const classical2035 = { forbiddenFrom: "2036-01-01", source: "NIST IR 8547" } as const;

export function statusAt({ status, deprecatedFrom, forbiddenFrom }: Dated, nowUnixMs: number): Status {
  const hasCome = (day: string | undefined): boolean => day !== undefined && Date.parse(day) <= nowUnixMs;
  if (status === "forbidden" || hasCome(forbiddenFrom)) return "forbidden";
  return status === "deprecated" || hasCome(deprecatedFrom) ? "deprecated" : "allowed";
}
