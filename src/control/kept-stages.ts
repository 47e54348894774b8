/** How long the last calls took, stage by stage. INVARIANT: bounded, and nothing of what was said in them. */
import type { CallStage } from "./call-detail.ts";

/** When a call came to where, of a clock that only goes forward. */
interface CallMoments {
  readonly startMs: number;
  readonly decidedMs?: number;
  readonly journaledMs?: number;
  readonly forwardedMs?: number;
  readonly answeredMs?: number;
  readonly endMs: number;
}

export interface KeptStages {
  readonly keep: (callId: string, moments: CallMoments) => void;
  /** Empty for a call that isn't among the last ones. */
  readonly of: (callId: string) => readonly CallStage[];
}

type Kept = { readonly [Name in keyof Required<CallMoments>]: CallMoments[Name] | undefined };

export function keptStages(kept: number): KeptStages {
  const calls = new Map<string, Kept>();
  return {
    keep: (callId, { startMs, decidedMs, journaledMs, forwardedMs, answeredMs, endMs }) => {
      // The rest of what is told of a call isn't ours to hold on to.
      calls.set(callId, { startMs, decidedMs, journaledMs, forwardedMs, answeredMs, endMs });
      if (calls.size <= kept) return;
      const oldest = calls.keys().next();
      if (oldest.done !== true) calls.delete(oldest.value);
    },
    of: (callId) => {
      const moments = calls.get(callId);
      return moments === undefined ? [] : stagesIn(moments);
    },
  };
}

function stagesIn(moments: Kept): readonly CallStage[] {
  const { startMs = 0, decidedMs, journaledMs, forwardedMs, answeredMs, endMs } = moments;
  const stage = (name: CallStage["stage"], from?: number, to?: number): readonly CallStage[] =>
    from === undefined || to === undefined
      ? []
      : [{ stage: name, fromMs: rounded(from - startMs), ms: rounded(to - from) }];
  return [
    ...stage("judge", startMs, decidedMs ?? endMs),
    ...stage("journal", decidedMs, journaledMs),
    ...stage("server", forwardedMs, answeredMs),
    ...stage("answer", answeredMs ?? journaledMs, endMs),
  ];
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
