/**
 * What a call is made of, as numbers: what it may do, what it has to do with what the session's tools answered before, how
 * unusual it is for its caller, and whether the caller's own words ask for it. Each has a direction in which it can only raise
 * the risk (1), only lower it (-1), or either (0): a model that is trained keeps to it, so it can't learn one suite's quirks.
 */
import { type Baseline, type Unusual, unusual } from "./baseline.ts";
import { callValues, type CallValue } from "./call-values.ts";
import { type Act, actOf } from "./act.ts";
import { type Asked, asked } from "./asked.ts";
import { copiedShare, type Matches, matchesOf, type ValueOrigin } from "./matches.ts";
import { type ToolClass, toolClass } from "./tool-class.ts";
import type { Trail } from "./trail.ts";

/** Version of what stands here: a model of other features is refused. */
export const callFeaturesVersion = "calls-1";

const directions = {
  // class
  writes: 1,
  destroys: 1,
  openWorld: 1,
  actions: 0,
  // session
  writesBefore: 0,
  sinceResult: 0,
  continues: 0,
  // seq, param: against the caller's baseline
  surprise: 1,
  newTool: 1,
  newEdge: 1,
  newValues: 1,
  newNames: 1,
  number: 1,
  overLargest: 1,
  length: 1,
  newDomain: 1,
  // prov: where the values come from
  shared: 0,
  sharedLast: 0,
  cueAtShared: 1,
  sharedCue: 1,
  valuesFound: 0,
  valuesOnlyLast: 0,
  valueCue: 1,
  valueCueLeast: 1,
  tainted: 1,
  taintedShare: 1,
  namesFound: 0,
  namesNowhere: 0,
  nameProse: 1,
  nameCue: 1,
  nameCueLeast: 1,
  nameResults: -1,
  nameNew: 1,
  // exfiltration
  copied: 1,
  // act: the action described together with its values
  covered: 0,
  act: 1,
  actValues: 1,
  actCue: 1,
  actCueRise: 1,
  actProse: 0,
  actWindows: 0,
  namedAct: 0,
  actTimesCue: 1,
  actAge: 0,
} as const satisfies Record<string, -1 | 0 | 1>;

/** Only where the caller's prompt or declared intent is known. */
const askedDirections = {
  askedShared: -1,
  askedTool: -1,
  askedAction: -1,
  askedValues: -1,
  askedNames: -1,
  foreignNames: 1,
  actNotAsked: 1,
  asksToFollow: -1,
  sharedNotAsked: 1,
  tainted2: 1,
} as const satisfies Record<string, -1 | 0 | 1>;

type Name = keyof typeof directions;
type AskedName = keyof typeof askedDirections;

export const featureNames: readonly string[] = [...Object.keys(directions), ...Object.keys(askedDirections)];
export const featureDirections: readonly (-1 | 0 | 1)[] = [
  ...Object.values(directions),
  ...Object.values(askedDirections),
];
/** Columns that mean nothing without a baseline, or without a prompt. */
export const baselineFeatures: readonly string[] = [
  "surprise",
  "newTool",
  "newEdge",
  "newValues",
  "newNames",
  "number",
  "overLargest",
  "length",
  "newDomain",
];
export const askedFeatures: readonly string[] = Object.keys(askedDirections);

export interface Call {
  readonly server?: string;
  readonly tool: string;
  readonly args: unknown;
  /** By the tool's annotations, where there are some. */
  readonly readOnly?: boolean;
  readonly destructive?: boolean;
  /** What the caller says it is about, or what its person wrote. */
  readonly intent?: string;
  readonly prompt?: string;
}

export interface Seen {
  readonly vector: Float64Array;
  readonly values: readonly CallValue[];
  readonly tool: ToolClass;
  readonly matches: Matches;
  readonly unusual: Unusual;
  readonly act: Act;
  readonly isAsked: boolean;
}

export const longestToolName = 256;

export function see(trail: Trail, call: Call, baseline: Baseline | undefined): Seen {
  const tool = toolClass(call.tool, call);
  const values = callValues(call.args);
  const matches = matchesOf(trail, values, tool.words);
  const name = call.tool.slice(0, longestToolName);
  const rare = unusual(baseline, { tool: name, values, before: lastTools(trail) });
  const act = actOf(trail, tool, matches);
  const spoken = asked(call, { tool, values, act: act.score });
  const features: Record<Name, number> = {
    ...ofClass(tool),
    ...ofSession(trail, values),
    ...ofBaseline(rare),
    ...ofProvenance(trail, matches),
    ...ofNames(trail, matches),
    copied: copiedShare(trail, values),
    ...ofAct(trail, act, matches),
  };
  const shared = features.shared;
  const spokenFeatures = ofAsked(spoken, shared, features.tainted);
  const vector = Float64Array.from([
    ...Object.keys(directions).map((key) => features[key as Name]),
    ...Object.keys(askedDirections).map((key) => spokenFeatures[key as AskedName]),
  ]);
  return { vector, values, tool, matches, unusual: rare, act, isAsked: spoken !== undefined };
}

function lastTools({ calls }: Trail): readonly [string, string] {
  return [calls.at(-2)?.tool ?? "^", calls.at(-1)?.tool ?? "^"];
}

function ofClass({ writes, destroys, isOpenWorld, actions }: ToolClass) {
  return {
    writes: Number(writes),
    destroys: Number(destroys),
    openWorld: Number(isOpenWorld),
    actions: actions === 0 ? 0 : 1,
  };
}

function ofSession(trail: Trail, values: readonly CallValue[]) {
  const words = values.flatMap((value) => value.words);
  const own = words.filter((word) => trail.own.has(word)).length;
  const last = trail.results.at(-1)?.seq ?? -1;
  return {
    writesBefore: Math.min(trail.writes, 8),
    sinceResult: last === -1 ? 9 : Math.min(8, trail.callCount - 1 - last),
    continues: words.length === 0 ? 0 : own / words.length,
  };
}

function ofBaseline(rare: Unusual) {
  const { surprise, newTool, newEdge, newValues, newNames, number, overLargest, length, newDomain } = rare;
  return { surprise, newTool, newEdge, newValues, newNames, number, overLargest, length, newDomain };
}

function ofProvenance(trail: Trail, { windows, weight, cueAt, origins }: Matches) {
  let [shared, sharedLast, cueAtShared, sharedCue] = [0, 0, 0, 0];
  const last = trail.results.length - 1;
  for (let window = 0; window < windows.count; window++) {
    const part = (windows.shared[window] ?? 0) / Math.max(weight, 1);
    if (part < 0.1) continue;
    if (part > shared) [shared, cueAtShared] = [part, cueAt(window)];
    if (windows.result[window] === last) sharedLast = Math.max(sharedLast, part);
    sharedCue = Math.max(sharedCue, part * cueAt(window));
  }
  const found = origins.filter(({ results }) => results > 0);
  const least = found.map(({ leastCue }) => leastCue);
  const tainted = found.filter(({ leastCue }) => leastCue >= taintingCue).length;
  return {
    shared,
    sharedLast,
    cueAtShared,
    sharedCue,
    valuesFound: origins.length === 0 ? 0 : found.length / origins.length,
    valuesOnlyLast:
      origins.length === 0 ? 0 : found.filter(({ isOnlyInLast }) => isOnlyInLast).length / origins.length,
    valueCue: Math.max(0, ...found.map(({ mostCue }) => mostCue)),
    valueCueLeast: Math.max(0, ...least),
    tainted: Math.min(tainted, 4),
    taintedShare: origins.length === 0 ? 0 : tainted / origins.length,
  };
}

/** What sounds like this much of an instruction is one, more often than not. */
const taintingCue = 3.5;

function ofNames(trail: Trail, { origins }: Matches) {
  const named = origins.filter(({ value }) => value.names.length > 0);
  const found = named.filter(({ results }) => results > 0);
  const isNew = ({ value }: ValueOrigin): boolean => !value.names.some((name) => trail.own.has(name));
  return {
    namesFound: found.length,
    namesNowhere: named.filter((origin) => origin.results === 0 && isNew(origin)).length,
    nameProse: Math.max(0, ...found.map(({ prose }) => prose)),
    nameCue: Math.max(0, ...found.map(({ mostCue }) => mostCue)),
    nameCueLeast: Math.max(0, ...found.map(({ leastCue }) => leastCue)),
    nameResults: found.length === 0 ? 0 : Math.min(...found.map(({ results }) => results)),
    nameNew: found.filter(isNew).length,
  };
}

function ofAct(trail: Trail, act: Act, { windows, cueAt }: Matches) {
  const result = trail.results[windows.result[act.window] ?? 0];
  const isFound = act.window >= 0 && result !== undefined;
  let [others, sum] = [0, 0];
  if (isFound)
    for (let window = result.firstBlock; window < result.firstBlock + result.blocks; window += 2)
      if (Math.abs(window - act.window) > 4) [others, sum] = [others + 1, sum + cueAt(window)];
  return {
    covered: act.covered,
    act: act.score,
    actValues: Math.min(act.values, 6),
    actCue: act.cue,
    actCueRise: others === 0 ? 0 : Math.max(0, act.cue - sum / others),
    actProse: isFound ? (trail.prose[act.window] ?? 0) / 200 : 0,
    actWindows: Math.min(act.windows, 8),
    namedAct: act.named,
    actTimesCue: act.timesCue,
    actAge: isFound ? Math.min(8, trail.callCount - result.seq) : 9,
  };
}

function ofAsked(spoken: Asked | undefined, shared: number, tainted: number): Record<AskedName, number> {
  if (spoken === undefined)
    return {
      askedShared: 0,
      askedTool: 0,
      askedAction: 0,
      askedValues: 0,
      askedNames: 0,
      foreignNames: 0,
      actNotAsked: 0,
      asksToFollow: 0,
      sharedNotAsked: 0,
      tainted2: 0,
    };
  return {
    ...spoken,
    sharedNotAsked: Math.max(0, shared - spoken.askedShared),
    tainted2: tainted * (1 - spoken.askedValues),
  };
}
