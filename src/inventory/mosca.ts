/**
 * Mosca's inequality: what is sent today is lost if its shelf life and the time that the migration takes, together, are
 * longer than the time until there is a quantum computer that breaks it (M. Mosca, IEEE Security & Privacy 16(5), 2018).
 */
import type { InventoryServer } from "./inventory.ts";

export interface Assumptions {
  /** In which a quantum computer that breaks RSA and elliptic curves is assumed to exist. */
  readonly quantumYear: number;
  readonly migrationYears: number;
}

/**
 * 2035: from then on NIST IR 8547 (initial public draft) disallows classical algorithms; a deadline, no forecast. Two years
 * of migration are our own guess. Both are for operators to set.
 */
export const defaultAssumptions: Assumptions = { quantumYear: 2035, migrationYears: 2 };

export interface Urgency {
  readonly dataClass: string;
  readonly servers: number;
  /** The longest of its servers. */
  readonly shelfLifeYears: number;
  /** Whether a shelf life was labelled, or is the class's default. */
  readonly isAssumed: boolean;
  readonly yearsLeft: number;
  /** Years by which it is too late; negative: by which there is time. */
  readonly lateByYears: number;
}

const unlabelled = "not labelled";

/** Years, where nobody labelled a shelf life: our own guesses. What nobody labelled at all counts as confidential. */
const shelfLives: Readonly<Record<string, number>> = {
  public: 0,
  internal: 3,
  confidential: 10,
  restricted: 25,
  secret: 25,
};

const yearMs = 365.25 * 86_400_000;

export function urgencyOf(
  servers: readonly InventoryServer[],
  { quantumYear, migrationYears }: Assumptions,
  nowUnixMs: number,
): readonly Urgency[] {
  const yearsLeft = rounded((Date.UTC(quantumYear, 0, 1) - nowUnixMs) / yearMs);
  const classes = Map.groupBy(servers, ({ labels }) => labels.dataClass ?? unlabelled);
  return [...classes]
    .map(([dataClass, own]): Urgency => {
      const years = Math.max(...own.map(shelfLifeYears));
      return {
        dataClass,
        servers: own.length,
        shelfLifeYears: rounded(years),
        isAssumed: own.every(({ labels }) => labels.shelfLifeMs === undefined),
        yearsLeft,
        lateByYears: rounded(years + migrationYears - yearsLeft),
      };
    })
    .toSorted((a, b) => b.lateByYears - a.lateByYears || (a.dataClass < b.dataClass ? -1 : 1));
}

export function shelfLifeYears({ labels }: InventoryServer): number {
  if (labels.shelfLifeMs !== undefined) return labels.shelfLifeMs / yearMs;
  const of = labels.dataClass ?? "confidential";
  return Object.hasOwn(shelfLives, of) ? (shelfLives[of] ?? 10) : 10;
}

function rounded(years: number): number {
  return Math.round(years * 10) / 10;
}
