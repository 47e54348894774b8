/** What a model of flows finds, class by class, with intervals; and what a rule that is often quoted finds beside it. */
import { type Random, seededRandom } from "../../kernel/seeded-random.ts";
import { quantile } from "../../kernel/statistics.ts";
import { auc, tprAt } from "./roc.ts";

export interface ScoredFlow {
  /** `benign`, or what kind of attack it is. */
  readonly label: string;
  readonly score: number;
  readonly risk: number;
  /** What the quoted rule says. */
  readonly byRule: boolean;
}

export interface FlowReport {
  readonly benign: number;
  readonly classes: Readonly<Record<string, FlowClass>>;
  /** Shares of benign flows at that risk or above. */
  readonly benignAtRisk: Readonly<Record<"0.6" | "0.9", number>>;
  readonly baseline: {
    readonly rule: string;
    readonly fpr: number;
    readonly classes: Readonly<Record<string, { readonly tpr: number }>>;
  };
}

type Interval = readonly [low: number, high: number];

interface FlowClass {
  readonly n: number;
  readonly auc: number;
  /** By the share of benign flows above the threshold. */
  readonly tpr: Readonly<Record<(typeof rates)[number], number>>;
  /** 95 %, by drawing benign flows and attacks anew. */
  readonly intervals: {
    readonly auc: Interval;
    readonly tpr: Readonly<Record<(typeof rates)[number], Interval>>;
  };
}

const rates = ["0.05", "0.01", "0.001"] as const;
const draws = 200;
const seed = 11;
const quotedRule = "size entropy > 7.5 or mean gap < 1 ms";

export function flowReport(flows: readonly ScoredFlow[]): FlowReport {
  const benign = flows.filter(({ label }) => label === "benign");
  const scores = benign.map(({ score }) => score);
  const random = seededRandom(seed);
  const attacks = [...Map.groupBy(flows, ({ label }) => label)]
    .filter(([label]) => label !== "benign")
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    benign: benign.length,
    classes: Object.fromEntries(
      attacks.map(([label, each]) => [
        label,
        classOf(
          each.map(({ score }) => score),
          scores,
          random,
        ),
      ]),
    ),
    benignAtRisk: {
      "0.6": shareOf(benign, ({ risk }) => risk >= 0.6),
      "0.9": shareOf(benign, ({ risk }) => risk >= 0.9),
    },
    baseline: {
      rule: quotedRule,
      fpr: shareOf(benign, ({ byRule }) => byRule),
      classes: Object.fromEntries(
        attacks.map(([label, each]) => [label, { tpr: shareOf(each, ({ byRule }) => byRule) }]),
      ),
    },
  };
}

function classOf(attacks: readonly number[], benign: readonly number[], random: Random): FlowClass {
  const drawn = Array.from({ length: draws }, () => ({
    attacks: redrawn(attacks, random),
    benign: redrawn(benign, random),
  }));
  const at = <T>(of: (rate: (typeof rates)[number]) => T): Record<(typeof rates)[number], T> => ({
    "0.05": of("0.05"),
    "0.01": of("0.01"),
    "0.001": of("0.001"),
  });
  return {
    n: attacks.length,
    auc: auc({ attacks, benign }),
    tpr: at((rate) => tprAt({ attacks, benign }, Number(rate))),
    intervals: {
      auc: intervalOf(drawn.map(auc)),
      tpr: at((rate) => intervalOf(drawn.map((each) => tprAt(each, Number(rate))))),
    },
  };
}

function intervalOf(values: readonly number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b);
  return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
}

function redrawn(values: readonly number[], random: Random): readonly number[] {
  return values.map(() => values[Math.floor(random() * values.length)] ?? 0);
}

function shareOf<T>(all: readonly T[], is: (each: T) => boolean): number {
  return all.length === 0 ? 0 : all.filter(is).length / all.length;
}
