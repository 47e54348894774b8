/**
 * The model of flows: what benign ones are like, learned from nothing else. Detectors judge a flow each by itself, and
 * what most of them find unusual is one score; how many benign flows score as high is its risk.
 */
import { featureNames, featuresOf } from "./flow-features.ts";
import { detectors, measuresOf } from "./detectors.ts";
import type { FlowSummary } from "./flow-window.ts";
import { halfSpaceScorer, type Masses, massesOf } from "./half-space-trees.ts";
import { classicalHandshakes } from "./handshake-sizes.ts";
import { conformalP, rounded, surpriseAbove, surpriseBelow, type Tail, tailOf } from "./tails.ts";
import { type Usual, usualOf } from "./usual.ts";

export interface FlowModel {
  readonly flows: number;
  readonly usual: Usual;
  /** In the order of the features. */
  readonly features: readonly Tail[];
  readonly masses: Masses;
  /** Of benign flows that weren't learned from, in the order of `partNames`. */
  readonly parts: readonly Tail[];
  readonly fused: Tail;
}

/** What judges a flow: all features together in two ways, and each detector. */
export const partNames: readonly string[] = [
  "rare values",
  "rare place",
  ...detectors.map(({ name }) => name),
];

export interface FlowVerdict {
  /** Higher is more unusual; in the same unit whatever found it. */
  readonly score: number;
  /** Conformal p-value among benign flows. */
  readonly p: number;
  /** min(1, 0.3 * -log10 p): 0.6 is what one benign flow in a hundred has. */
  readonly risk: number;
  readonly found: string;
  readonly says: string;
}

/** ECOD (Li et al. 2022) adds up all features; the most unusual ones alone say more of flows. */
const mostUnusual = 4;
const folds = 5;
const certain = 1000;

/** @throws RangeError without benign flows enough to hold some back */
export function trainFlows(benign: readonly FlowSummary[]): FlowModel {
  if (benign.length < folds * 4)
    throw new RangeError(`a model needs ${folds * 4} flows, found ${benign.length}`);
  const measured = Array.from({ length: folds }, (_, fold) => {
    const score = partScorer(baseOf(benign.filter((_each, at) => at % folds !== fold)));
    return benign.filter((_each, at) => at % folds === fold).map((flow) => score(flow));
  });
  // INVARIANT: no flow is judged by what was learned from it, or it would look less unusual than new ones do.
  const fused = measured.flatMap((rows, fold) => {
    const others = partTails(measured.filter((_each, at) => at !== fold).flat());
    return rows.map((values) => fuse(others, values).score);
  });
  return { flows: benign.length, ...baseOf(benign), parts: partTails(measured.flat()), fused: tailOf(fused) };
}

function partTails(rows: readonly (readonly number[])[]): readonly Tail[] {
  return partNames.map((_, part) => tailOf(rows.map((values) => values[part] ?? 0)));
}

/** What one flow is judged by; everything that is the same for all flows is made once. */
export function flowScorer(model: FlowModel): (flow: FlowSummary) => FlowVerdict {
  const partsOf = partScorer(model);
  return (flow) => {
    const classical = classicalHandshakes(flow);
    const [first] = classical;
    if (first !== undefined)
      return {
        score: certain,
        p: 0,
        risk: 1,
        found: "classical handshake",
        says: `${classical.length} of ${flow.handshakes.length} handshakes had no ML-KEM: hellos of ${first.clientBytes} and ${first.serverBytes} bytes hold no key share of it.`,
      };
    const { score, part } = fuse(model.parts, partsOf(flow));
    const p = conformalP(model.fused, score);
    return {
      score,
      p,
      risk: Math.min(1, -0.3 * Math.log10(p)),
      found: partNames[part] ?? "",
      // Most verdicts nobody reads.
      get says() {
        return `${saying(model, flow, part)} (p = ${p.toPrecision(2)} among ${model.fused.n} benign flows).`;
      },
    };
  };
}

type Base = Pick<FlowModel, "usual" | "features" | "masses">;

function baseOf(flows: readonly FlowSummary[]): Base {
  const usual = usualOf(flows.flatMap(({ exchanges }) => exchanges));
  const rows = flows.map(featuresOf);
  const features = featureNames.map((_, at) => tailOf(rows.map((row) => row[at] ?? 0)));
  return { usual, features, masses: massesOf(rows.map((row) => placed(features, row))) };
}

function partScorer({ usual, features, masses }: Base): (flow: FlowSummary) => readonly number[] {
  const rarity = halfSpaceScorer(masses, features.length);
  return (flow) => {
    const row = featuresOf(flow);
    const rare = surprises(features, row)
      .toSorted((a, b) => b - a)
      .slice(0, mostUnusual)
      .reduce((sum, value) => sum + value, 0);
    return [rare, rarity(placed(features, row)), ...measuresOf(flow, usual)].map(rounded);
  };
}

function surprises(features: readonly Tail[], row: readonly number[]): readonly number[] {
  return features.map((tail, at) => {
    const value = row[at] ?? 0;
    return Math.max(surpriseAbove(tail, value), surpriseBelow(tail, value));
  });
}

/** Every feature between 0 and 1, the middle of benign flows in the middle. */
function placed(features: readonly Tail[], row: readonly number[]): readonly number[] {
  return features.map(({ middle, lowScale, highScale }, at) => {
    const off = (row[at] ?? 0) - middle;
    return 1 / (1 + Math.exp(-off / (off < 0 ? lowScale : highScale) / 2));
  });
}

/** The part that finds it most unusual, with what the next one adds: never a sum of all, of which most see the same. */
function fuse(
  parts: readonly Tail[],
  values: readonly number[],
): { readonly score: number; readonly part: number } {
  let [first, second, part] = [0, 0, 0];
  for (const [at, tail] of parts.entries()) {
    const surprise = surpriseAbove(tail, values[at] ?? 0);
    if (surprise > first) [second, first, part] = [first, surprise, at];
    else if (surprise > second) second = surprise;
  }
  return { score: rounded(first + second / 2), part };
}

function saying(model: FlowModel, flow: FlowSummary, part: number): string {
  const detector = detectors[part - (partNames.length - detectors.length)];
  if (detector !== undefined) return `${detector.name}: ${detector.says(flow, model.usual)}`;
  const row = featuresOf(flow);
  const unusual = surprises(model.features, row)
    .map((surprise, at) => ({ surprise, at }))
    .toSorted((a, b) => b.surprise - a.surprise)
    .slice(0, 2)
    .map(({ at }) => {
      const value = row[at] ?? 0;
      return `${featureNames[at] ?? ""} is ${value.toPrecision(3)}, where ${(model.features[at]?.middle ?? 0).toPrecision(3)} is usual`;
    });
  return `${partNames[part] ?? ""}: ${unusual.join("; ")}`;
}
