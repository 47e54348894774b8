/** How the call model is trained and calibrated from recorded sessions (docs/detection.md). */
import {
  askedFeatures,
  baselineFeatures,
  featureDirections,
  featureNames,
} from "../../../detect/calls/features.ts";
import type { CallModel, CallModelPart, ScoredTrees } from "../../../detect/calls/model.ts";
import { calibrationOf } from "../../../detect/learn/conformal.ts";
import { growTrees } from "../../../detect/learn/gbdt.ts";
import { scoreOf, type Trees } from "../../../detect/learn/trees.ts";
import { baselinesFor, type BaselineUse, rowsOf, type SessionRows } from "./rows.ts";
import type { RecordedSession } from "./sessions.ts";

/** What is seen of sessions in one of the model's parts: with these baselines, with or without prompts. */
const viewsOf: Readonly<
  Record<CallModelPart, { readonly uses: readonly BaselineUse[]; readonly withPrompt: boolean }>
> = {
  cold: { uses: ["none"], withPrompt: false },
  known: { uses: ["novel", "recurring"], withPrompt: false },
  coldAsked: { uses: ["none"], withPrompt: true },
  knownAsked: { uses: ["novel", "recurring"], withPrompt: true },
};

const growth = {
  trees: 100,
  depth: 4,
  rate: 0.1,
  leastWeight: 4,
  lambda: 4,
  columnShare: 0.5,
  rowShare: 0.7,
  seed: 7,
};

/** Whether something is learned from it. */
export function isLesson({ kind, calls }: RecordedSession): boolean {
  return calls.length > 0 && (kind === "benign" || kind === "attack" || kind === "resisted");
}

/** Suites with attacks stand alone; sources of benign runs are one each. */
export function groupsOf(sessions: readonly RecordedSession[]): (session: RecordedSession) => string {
  const attacked = new Set(sessions.filter(({ kind }) => kind === "attack").map(suiteOf));
  return (session) => (attacked.has(suiteOf(session)) ? suiteOf(session) : session.source);
}

export function suiteOf({ source, suite }: RecordedSession): string {
  return `${source}/${suite}`;
}

/** All that the trees of one part are grown from. */
export function lessonsFor(
  sessions: readonly RecordedSession[],
  part: CallModelPart,
): readonly SessionRows[] {
  const { uses, withPrompt } = viewsOf[part];
  return uses.flatMap((use) => {
    const baselineOf = baselinesFor(sessions, use);
    return sessions
      .filter(isLesson)
      .map((session) => rowsOf(session, { baseline: baselineOf(session), withPrompt }));
  });
}

export function treesFor(lessons: readonly SessionRows[], part: CallModelPart): Trees {
  const runs = new Map<string, number>();
  for (const { session } of lessons) runs.set(lessonOf(session), (runs.get(lessonOf(session)) ?? 0) + 1);
  const examples = lessons.flatMap(({ session, rows }) => {
    // The same task run many times teaches less each time.
    const weight = 1 / Math.sqrt(runs.get(lessonOf(session)) ?? 1);
    return rows
      .filter(({ call }) => !call.isUnclear)
      .map(({ call, vector }) => {
        const isAttack = session.kind === "attack" && call.isHarmful;
        return { vector, isAttack, weight: weight * (isAttack || session.kind === "benign" ? 3 : 0.6) };
      });
  });
  const columns = featureNames.length;
  const values = new Float64Array(examples.length * columns);
  for (const [row, { vector }] of examples.entries()) values.set(vector, row * columns);
  return growTrees(
    {
      values,
      columns,
      labels: Uint8Array.from(examples, ({ isAttack }) => Number(isAttack)),
      weights: Float64Array.from(examples, ({ weight }) => weight),
    },
    { ...growth, directions: featureDirections, allowed: columnsOf(part) },
  );
}

function lessonOf(session: RecordedSession): string {
  return [session.kind, suiteOf(session), session.task, session.injection ?? ""].join("\n");
}

function columnsOf(part: CallModelPart): readonly boolean[] {
  const isKnown = part === "known" || part === "knownAsked";
  const { withPrompt } = viewsOf[part];
  return featureNames.map(
    (name) => (isKnown || !baselineFeatures.includes(name)) && (withPrompt || !askedFeatures.includes(name)),
  );
}

/** The highest score of a session's calls; -Infinity without any. */
function highest(trees: Trees, { rows }: SessionRows): number {
  return rows.reduce((most, { vector }) => Math.max(most, scoreOf(trees, vector)), -Infinity);
}

/** Trees from everything, calibrated with scores that trees from all other groups gave: what a session of an unseen suite gets. */
function trainPart(sessions: readonly RecordedSession[], part: CallModelPart): ScoredTrees {
  const lessons = lessonsFor(sessions, part);
  const groupOf = groupsOf(sessions);
  const scores: number[] = [];
  for (const group of new Set(lessons.map(({ session }) => groupOf(session)))) {
    const trees = treesFor(
      lessons.filter(({ session }) => groupOf(session) !== group),
      part,
    );
    // A session that was seen with two baselines is one session: the first of them is the less favourable.
    const heldOut = lessons.slice(0, lessons.length / viewsOf[part].uses.length);
    for (const each of heldOut)
      if (each.session.kind === "benign" && groupOf(each.session) === group)
        scores.push(highest(trees, each));
  }
  return {
    trees: treesFor(lessons, part),
    calibration: calibrationOf(scores.map((score) => Number(score.toFixed(4)))),
  };
}

/** @param onPart which part comes next */
export function trainCalls(
  sessions: readonly RecordedSession[],
  onPart: (part: CallModelPart) => void,
): CallModel {
  const train = (part: CallModelPart): ScoredTrees => {
    onPart(part);
    return trainPart(sessions, part);
  };
  return {
    cold: train("cold"),
    known: train("known"),
    coldAsked: train("coldAsked"),
    knownAsked: train("knownAsked"),
  };
}

/** The same trees, with the meaning of their scores from other benign sessions. */
export function calibrateCalls(model: CallModel, sessions: readonly RecordedSession[]): CallModel {
  const benign = sessions.filter(({ kind, calls }) => kind === "benign" && calls.length > 0);
  const calibrated = (part: CallModelPart): ScoredTrees => {
    const { trees } = model[part];
    const { uses, withPrompt } = viewsOf[part];
    const baselineOf = baselinesFor(sessions, uses[0] ?? "none");
    const scores = benign.map((session) =>
      highest(trees, rowsOf(session, { baseline: baselineOf(session), withPrompt })),
    );
    return { trees, calibration: calibrationOf(scores.map((score) => Number(score.toFixed(4)))) };
  };
  return {
    cold: calibrated("cold"),
    known: calibrated("known"),
    coldAsked: calibrated("coldAsked"),
    knownAsked: calibrated("knownAsked"),
  };
}
