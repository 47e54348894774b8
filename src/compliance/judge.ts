/** From what the log shows and what the tests found to verdicts, and to a level for each dimension. */
import type { Control, Framework, Level } from "./control.ts";
import { evidence, type EvidenceName, evidenceRow } from "./evidence.ts";
import { type TestName, tests } from "./tests.ts";

/** An entry of this log that shows something; `audit show` opens it by its id. */
export interface Example {
  readonly index: number;
  readonly id: string;
  readonly at: string;
}

/** What was found of one kind of evidence. */
export interface Found {
  /** How many entries were found. */
  readonly count: number;
  /** Whether there may be more: not all were read. */
  readonly isLeast: boolean;
  /** The newest, a few. */
  readonly examples: readonly Example[];
}

/** The newest result of a test here. */
export interface TestResult {
  readonly test: TestName;
  /** `stale`: something happened since that could have changed it. */
  readonly result: "passed" | "failed" | "skipped" | "stale";
  readonly says: string;
  readonly entry: Example;
}

export interface Observed {
  readonly found: ReadonlyMap<EvidenceName, Found>;
  readonly results: ReadonlyMap<TestName, TestResult>;
}

type Verdict = "met" | "not met" | "no evidence";

interface ShownEvidence extends Found {
  readonly name: EvidenceName;
  readonly says: string;
}

interface JudgedControl extends Omit<Control, "shownBy"> {
  readonly verdict: Verdict;
  /** What keeps it from being met; empty where it is. */
  readonly because: readonly string[];
  readonly evidence: readonly ShownEvidence[];
  readonly tests: readonly TestResult[];
}

interface DimensionLevel {
  readonly dimension: string;
  /** The highest whose every "must", and that of each level below, is met; 0 for none. */
  readonly level: 0 | Level;
  /** What keeps it from the next. */
  readonly missing: readonly { readonly control: string; readonly title: string; readonly because: string }[];
}

export interface JudgedFramework extends Omit<Framework, "controls"> {
  readonly controls: readonly JudgedControl[];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Of a framework with levels. */
  readonly levels?: readonly DimensionLevel[];
}

export function judgeFramework({ controls, ...framework }: Framework, observed: Observed): JudgedFramework {
  const judged = controls.map((control) => judgeControl(control, observed));
  const counts = { met: 0, "not met": 0, "no evidence": 0 };
  for (const { verdict } of judged) counts[verdict] += 1;
  const dimensions = new Set(judged.flatMap(({ grade }) => (grade ? [grade.dimension] : [])));
  const levels = [...dimensions].map((dimension) => levelOf(dimension, judged));
  return { ...framework, controls: judged, counts, ...(levels.length > 0 && { levels }) };
}

/** INVARIANT: without entries of this log, and without a passed test of each refusal it names, nothing is met. */
export function judgeControl({ shownBy, ...control }: Control, observed: Observed): JudgedControl {
  const { events, tests: needed = [], against = [], lacks, unproven } = shownBy;
  const shown = events.map((name) => shownOf(name, observed));
  const results = needed.flatMap((name) => observed.results.get(name) ?? []);
  const contrary = against.map((name) => shownOf(name, observed)).filter(({ count }) => count > 0);
  const wrong = [
    ...(lacks === undefined ? [] : [lacks]),
    ...results
      .filter(({ result }) => result === "failed")
      .map(({ test, says }) => `test ${test} failed: ${says}`),
    ...contrary.map(({ says, count }) => `${says} (${count})`),
  ];
  const open = [
    ...shown.filter(({ count }) => count === 0).map(({ name }) => lackOf(name)),
    ...needed.flatMap((name) => openTest(name, observed)),
    ...(unproven === undefined ? [] : [unproven]),
  ];
  const isShown = shown.length > 0 || results.length > 0;
  const because = [
    ...wrong,
    ...open,
    ...(isShown || lacks !== undefined ? [] : ["nothing of it is in the log"]),
  ];
  const verdict = wrong.length > 0 ? "not met" : because.length > 0 ? "no evidence" : "met";
  return { ...control, verdict, because, evidence: [...shown, ...contrary], tests: results };
}

function shownOf(name: EvidenceName, { found }: Observed): ShownEvidence {
  const { count, isLeast, examples } = found.get(name) ?? { count: 0, isLeast: false, examples: [] };
  return { name, says: evidence[name].says, count, isLeast, examples };
}

function lackOf(name: EvidenceName): string {
  const { says, since } = evidenceRow(name);
  return `not in the log${since === "start" ? " since the last start" : ""}: ${says}`;
}

function openTest(name: TestName, { results }: Observed): readonly string[] {
  const result = results.get(name);
  if (result?.result === "passed" || result?.result === "failed") return [];
  if (result === undefined) return [`not tested here: ${tests[name].shows}`];
  if (result.result === "skipped") return [`test ${name} couldn't be made: ${result.says}`];
  return [`test ${name} is from before a change: ${tests[name].shows}`];
}

const levels = [1, 2, 3, 4] as const satisfies readonly Level[];

function levelOf(dimension: string, judged: readonly JudgedControl[]): DimensionLevel {
  const musts = judged.filter(({ grade }) => grade?.dimension === dimension && grade.binding === "must");
  let reached: 0 | Level = 0;
  for (const level of levels) {
    const open = musts.filter(({ grade, verdict }) => grade?.level === level && verdict !== "met");
    if (open.length > 0) return { dimension, level: reached, missing: open.map(missingOf) };
    reached = level;
  }
  return { dimension, level: reached, missing: [] };
}

function missingOf({ id, title, because }: JudgedControl): DimensionLevel["missing"][number] {
  return { control: id, title, because: because.join("; ") };
}
