/** Recorded sessions as rows of features, each call seen with what came before it and nothing else. */
import type { Baseline } from "../../../detect/calls/baseline.ts";
import { type Call, see } from "../../../detect/calls/features.ts";
import {
  freshBaseline,
  freshTrail,
  learnSession,
  noteCall,
  noteResult,
  type Trail,
} from "../../../detect/calls/watch.ts";
import { sha256Base64url } from "../../../crypto/hash.ts";
import type { RecordedCall, RecordedSession } from "./sessions.ts";

export type BaselineUse = "novel" | "recurring" | "none";

export interface SessionRows {
  readonly session: RecordedSession;
  readonly rows: readonly { readonly call: RecordedCall; readonly vector: Float64Array }[];
}

const folds = 5;

/** For each session the baseline it is judged with: of benign sessions that share neither its task (novel) nor its model (recurring). */
export function baselinesFor(
  sessions: readonly RecordedSession[],
  use: BaselineUse,
): (session: RecordedSession) => Baseline | undefined {
  if (use === "none") return () => undefined;
  const foldOf = ({ task, model }: RecordedSession): number => foldOfText(use === "novel" ? task : model);
  const suiteOf = ({ source, suite }: RecordedSession): string => `${source}/${suite}`;
  const baselines = new Map<string, Baseline>();
  for (const session of sessions) {
    if (session.kind !== "benign") continue;
    for (let fold = 0; fold < folds; fold++) {
      if (fold === foldOf(session)) continue;
      const key = `${suiteOf(session)} ${fold}`;
      const baseline = baselines.get(key) ?? freshBaseline();
      baselines.set(key, baseline);
      learnSession(
        baseline,
        session.calls.map((call) => callOf(call, undefined)),
      );
    }
  }
  return (session) => baselines.get(`${suiteOf(session)} ${foldOf(session)}`);
}

export function foldOfText(text: string): number {
  return Buffer.from(sha256Base64url(text), "base64url").readUInt32BE(0) % folds;
}

export function callOf({ tool, args }: RecordedCall, prompt: string | undefined): Call {
  return { tool, args, ...(prompt !== undefined && { prompt }) };
}

export interface Replayed {
  /** Families of cues that count (bits of the vocabulary); all by default. */
  readonly cues?: number;
  /** What a tool is called instead. */
  readonly renamed?: (tool: string) => string;
}

/** Calls `judge` for each call, on-line: results are known once the next turn begins. */
export function replay(
  session: RecordedSession,
  judge: (trail: Trail, call: RecordedCall) => void,
  { cues = -1, renamed = (tool) => tool }: Replayed = {},
): void {
  const trail = freshTrail();
  let waiting: RecordedCall[] = [];
  for (const recorded of session.calls) {
    if (waiting[0] !== undefined && waiting[0].turn !== recorded.turn) {
      for (const { tool, output } of waiting) noteResult(trail, { tool, texts: [output] });
      if (cues !== -1)
        for (let block = 0; block < trail.blockCount; block++)
          trail.cues[block] = (trail.cues[block] ?? 0) & cues;
      waiting = [];
    }
    const call = { ...recorded, tool: renamed(recorded.tool) };
    judge(trail, call);
    noteCall(trail, callOf(call, undefined));
    waiting.push(call);
  }
}

export function rowsOf(
  session: RecordedSession,
  {
    baseline,
    withPrompt,
    ...as
  }: Replayed & { readonly baseline: Baseline | undefined; readonly withPrompt: boolean },
): SessionRows {
  const rows: { call: RecordedCall; vector: Float64Array }[] = [];
  replay(
    session,
    (trail, call) => {
      const asked = callOf(call, withPrompt ? session.prompt : undefined);
      rows.push({ call, vector: see(trail, asked, baseline).vector });
    },
    as,
  );
  return { session, rows };
}
