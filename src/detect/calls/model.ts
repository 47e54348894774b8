/** The trained part of the call model: trees and their calibration, by what is known about the caller. */
import type { Calibration } from "../learn/conformal.ts";
import type { Trees } from "../learn/trees.ts";
import { featureNames } from "./features.ts";

/** `known`: there is a baseline of the caller. `asked`: its prompt or intent is known. */
const callModelParts = ["cold", "known", "coldAsked", "knownAsked"] as const;
export type CallModelPart = (typeof callModelParts)[number];

export interface ScoredTrees {
  readonly trees: Trees;
  readonly calibration: Calibration;
}

export type CallModel = Readonly<Record<CallModelPart, ScoredTrees>>;

export function partFor({
  isKnown,
  isAsked,
}: {
  readonly isKnown: boolean;
  readonly isAsked: boolean;
}): CallModelPart {
  if (isAsked) return isKnown ? "knownAsked" : "coldAsked";
  return isKnown ? "known" : "cold";
}

const deepest = 8;
const mostTrees = 1000;
const mostScores = 100_000;

/** @throws RangeError if this is no model of these features */
export function parseCallModel(read: unknown): CallModel {
  const parts = callModelParts.map((part) => {
    const { trees, calibration } = record(record(read)[part]);
    return [
      part,
      {
        trees: parseTrees(record(trees)),
        calibration: { scores: numbers(record(calibration)["scores"], mostScores) },
      },
    ] as const;
  });
  return Object.fromEntries(parts) as CallModel;
}

function parseTrees(read: Readonly<Record<string, unknown>>): Trees {
  const depth = read["depth"];
  const base = read["base"];
  if (typeof depth !== "number" || !Number.isInteger(depth) || depth < 1 || depth > deepest)
    throw noModel("its depth");
  if (typeof base !== "number" || !Number.isFinite(base)) throw noModel("its base");
  const leaves = numbers(read["leaves"], mostTrees << depth);
  const features = numbers(read["features"], leaves.length);
  const thresholds = numbers(read["thresholds"], leaves.length);
  const trees = leaves.length / (1 << depth);
  if (
    !Number.isInteger(trees) ||
    features.length !== trees * ((1 << depth) - 1) ||
    thresholds.length !== features.length
  )
    throw noModel("the number of its nodes");
  if (
    features.some((feature) => !Number.isInteger(feature) || feature < -1 || feature >= featureNames.length)
  )
    throw noModel("a feature");
  return { depth, base, features, thresholds, leaves };
}

function record(read: unknown): Readonly<Record<string, unknown>> {
  if (typeof read !== "object" || read === null) throw noModel("a part");
  return read as Readonly<Record<string, unknown>>;
}

function numbers(read: unknown, most: number): readonly number[] {
  if (!Array.isArray(read) || read.length > most) throw noModel("a list");
  const list: readonly unknown[] = read;
  if (!list.every((each): each is number => typeof each === "number" && Number.isFinite(each)))
    throw noModel("a number");
  return list;
}

function noModel(what: string): RangeError {
  return new RangeError(`This is no call model: ${what} isn't as expected.`);
}
