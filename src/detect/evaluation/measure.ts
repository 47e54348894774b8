/** Scores of attacks and of what is benign, as figures with intervals: by drawing groups anew, since what is alike isn't independent. */
import { type Random, seededRandom } from "../../kernel/seeded-random.ts";
import { quantile } from "../../kernel/statistics.ts";
import { auc, tprAt } from "./roc.ts";

export interface Scored {
  readonly score: number;
  readonly isAttack: boolean;
  /** What is drawn together: a task, a server. */
  readonly group: string;
}

type Interval = readonly [low: number, high: number];
/** By the share of what is benign above the threshold. */
export type Rates<T> = Readonly<Record<"0.05" | "0.01" | "0.001", T>>;

export interface Measure {
  readonly auc: number;
  readonly tpr: Rates<number>;
  readonly benign: number;
  readonly attacks: number;
  /** 95 %. */
  readonly intervals: { readonly auc: Interval; readonly tpr: Rates<Interval> };
}

const draws = 200;
const seed = 11;

export function measure(scored: readonly Scored[]): Measure {
  const sides = [true, false].map((isAttack) => scored.filter((each) => each.isAttack === isAttack));
  const [attacks = [], benign = []] = sides;
  const whole = { attacks: attacks.map(({ score }) => score), benign: benign.map(({ score }) => score) };
  const random = seededRandom(seed);
  const groups = sides.map((side) => [...Map.groupBy(side, ({ group }) => group).values()]);
  const drawn = Array.from({ length: draws }, () => {
    const [a = [], b = []] = groups.map((each) => redrawn(each, random));
    return { attacks: a, benign: b };
  });
  return {
    auc: auc(whole),
    tpr: byRate((rate) => tprAt(whole, rate)),
    benign: benign.length,
    attacks: attacks.length,
    intervals: {
      auc: intervalOf(drawn.map(auc)),
      tpr: byRate((rate) => intervalOf(drawn.map((each) => tprAt(each, rate)))),
    },
  };
}

function byRate<T>(of: (rate: number) => T): Rates<T> {
  return { "0.05": of(0.05), "0.01": of(0.01), "0.001": of(0.001) };
}

function redrawn(groups: readonly (readonly Scored[])[], random: Random): readonly number[] {
  return groups.flatMap(() => (groups[Math.floor(random() * groups.length)] ?? []).map(({ score }) => score));
}

function intervalOf(values: readonly number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b);
  return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
}
