/** How far the call model falls when recorded attacks are made in other ways, and which gates still find something. */
import type { CallModel } from "../../../detect/calls/model.ts";
import { type Measure, measure, type Scored } from "../../../detect/evaluation/measure.ts";
import { findingsInCall, findingsInText } from "../../../detect/gates/findings.ts";
import { scoreOf } from "../../../detect/learn/trees.ts";
import { scanText } from "../../../detect/text/scan-text.ts";
import type { TextModel } from "../../../detect/text/text-model.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { type Random, seededRandom } from "../../../kernel/seeded-random.ts";
import { suiteOf } from "./learn-calls.ts";
import { attackOf, type Honest, type Rewritten, rewrites } from "./rewrite-attack.ts";
import { rowsOf } from "./rows.ts";
import type { RecordedSession } from "./sessions.ts";

export interface MutateCalls {
  readonly sessions: readonly RecordedSession[];
  readonly model: CallModel;
  readonly texts: TextModel;
  /** Attacks at most; those beyond are left out by lot. */
  readonly attacks: number;
  readonly seed: number;
}

/** Shares of sessions in which a gate finds something. */
interface GateShares {
  /** Hidden text above `low` in results. */
  readonly hidden: number;
  /** A text score of 0.5 and more in results. */
  readonly score: number;
  /** Something above `low` in the calls. */
  readonly call: number;
  readonly any: number;
}

export interface CallMutationRow extends Measure {
  readonly what: string;
  /** Attacks that can't be made that way. */
  readonly leftOut: number;
  /** In results that the attacker wrote in, and in harmful calls. */
  readonly gates: GateShares;
}

export interface CallMutationReport {
  readonly recorded: number;
  readonly drawn: number;
  /** Of those drawn: what was injected stands in no result before the harmful call, or only in part. */
  readonly notFound: number;
  readonly rows: Readonly<Record<string, CallMutationRow>>;
  /** In all results and calls of benign sessions. */
  readonly benignGates: GateShares;
}

/** @throws Refusal `bad_config` if there is nothing to compare */
export function mutateCalls(given: MutateCalls): CallMutationReport {
  const { sessions, seed } = given;
  const recorded = sessions.filter(({ kind }) => kind === "attack");
  const benign = sessions.filter(({ kind, calls }) => kind === "benign" && calls.length > 0);
  const drawn = shuffled(recorded, seededRandom(seed)).slice(0, given.attacks);
  const attacks = drawn.map(attackOf).filter((attack) => attack !== undefined);
  if (benign.length === 0 || attacks.length === 0)
    throw new Refusal(
      "bad_config",
      `Expected benign sessions and attacks whose injected text (inj) stands in a result before a call with m: 1; found ${benign.length} and ${attacks.length}.`,
    );
  const honest = honestBySuite(benign);
  const calm = benign.map((session) => scored(given, { session, borrowed: new Set(), poisoned: [] }));
  const rows = rewrites.map(({ name, what, apply }) => {
    const random = seededRandom(seed);
    const made = attacks
      .map((attack) => apply(attack, honest.get(suiteOf(attack.session)) ?? nothing, random))
      .filter((each) => each !== undefined);
    const measured = measure([...made.map((each) => scored(given, each)), ...calm]);
    const gates = sharesOf(made.map((each) => gatesIn(given, each)));
    return [name, { what, ...measured, leftOut: drawn.length - made.length, gates }] as const;
  });
  return {
    recorded: recorded.length,
    drawn: drawn.length,
    notFound: drawn.length - attacks.length,
    rows: Object.fromEntries(rows),
    benignGates: sharesOf(benign.map((session) => gatesInBenign(given, session))),
  };
}

function shuffled<T>(values: readonly T[], random: Random): readonly T[] {
  return values
    .map((value) => ({ value, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

const nothing: Honest = { sessions: [], calls: [] };

function honestBySuite(benign: readonly RecordedSession[]): ReadonlyMap<string, Honest> {
  return new Map(
    [...Map.groupBy(benign, suiteOf)].map(([suite, sessions]) => [
      suite,
      {
        sessions,
        calls: sessions.flatMap(({ calls }) => calls).filter(({ output }) => output !== ""),
      },
    ]),
  );
}

/** The highest score of its own calls, cold; calls that were borrowed are seen and don't count. */
function scored({ model }: MutateCalls, { session, borrowed }: Rewritten): Scored {
  const { rows } = rowsOf(session, { baseline: undefined, withPrompt: false });
  const scores = rows.flatMap(({ vector }, i) => {
    const call = session.calls[i];
    return call === undefined || borrowed.has(call) ? [] : [scoreOf(model.cold.trees, vector)];
  });
  return {
    score: scores.reduce((most, score) => Math.max(most, score), -Infinity),
    isAttack: session.kind === "attack",
    group: `${suiteOf(session)} ${session.task}`,
  };
}

interface Gates {
  readonly hidden: boolean;
  readonly score: boolean;
  readonly call: boolean;
}

function gatesIn({ texts }: MutateCalls, { session, poisoned }: Rewritten): Gates {
  return {
    hidden: poisoned.some(isHidden),
    score: poisoned.some((text) => scanText(text, texts).score >= leastTextScore),
    call: session.calls.some((call) => call.isHarmful && isCallFound(session, call)),
  };
}

function gatesInBenign({ texts }: MutateCalls, session: RecordedSession): Gates {
  const results = session.calls.map(({ output }) => output);
  return {
    hidden: results.some(isHidden),
    score: results.some((text) => scanText(text, texts).score >= leastTextScore),
    call: session.calls.some((call) => isCallFound(session, call)),
  };
}

const leastTextScore = 0.5;

function isHidden(text: string): boolean {
  return findingsInText([{ at: "text", text }]).some(
    ({ kind, severity }) => kind.startsWith("hidden.") && severity !== "low",
  );
}

function isCallFound({ suite }: RecordedSession, { tool, args }: RecordedSession["calls"][number]): boolean {
  return findingsInCall({ server: suite, tool, args }).some(({ severity }) => severity !== "low");
}

function sharesOf(found: readonly Gates[]): GateShares {
  const share = (is: (each: Gates) => boolean): number => found.filter(is).length / Math.max(1, found.length);
  return {
    hidden: share(({ hidden }) => hidden),
    score: share(({ score }) => score),
    call: share(({ call }) => call),
    any: share(({ hidden, score, call }) => hidden || score || call),
  };
}
