/** Calls as they go, with the moments at which they were decided, written down, sent on and answered: what metrics and traces are made of. */
import type { Answer, Journaled, Read, Received } from "../../gate/call.ts";
import type { CallOnlooker, Journal, Upstreams } from "../../gate/ports.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { SpanContext } from "./call-spans.ts";
import type { TracedCalls } from "./traced-calls.ts";

/** Times are of a clock that only goes forward, in milliseconds. */
interface Moments {
  readonly startMs: number;
  /** The decision, as far as it came to one. */
  decision?: EntryDraft;
  /** What leads to the decision is done. */
  decidedMs?: number;
  /** The decision is in the log. */
  journaledMs?: number;
  forwardedMs?: number;
  /** The answer was there, or its head. */
  answeredMs?: number;
  /** What the server sent is no stream: nothing came after that. */
  isWhole?: boolean;
  /** What its server was told of its trace; absent before it was sent on, and null for a call that isn't traced. */
  trace?: SpanContext | null;
}

export interface EndedCall extends Readonly<Moments> {
  readonly call: Received & Partial<Read>;
  readonly outcome: EntryDraft;
  readonly endMs: number;
}

/** Told of each call when it is over. */
export type OnEnded = (ended: EndedCall) => void;

export interface FollowedCalls {
  readonly onlooker: CallOnlooker;
  /** The same log; the path of a call writes through it. */
  readonly journal: (journal: Journal) => Journal;
  /** The same servers. */
  readonly upstreams: (upstreams: Upstreams) => Upstreams;
}

/** A call that is older than so many others is counted by how it ends alone. */
const maxUnderWay = 20_000;

/** What is to be told to servers of the traces that calls belong to. */
type Tracing = Pick<TracedCalls, "contextOf" | "departing">;

/** @param onEnded INVARIANT: never throws; calls don't depend on it */
export function followCalls(onEnded: OnEnded, traces?: Tracing): FollowedCalls {
  const underWay = new Map<string, Moments>();
  return {
    onlooker: {
      begun: ({ id }) => {
        underWay.set(id, { startMs: performance.now() });
        if (underWay.size <= maxUnderWay) return;
        const oldest = underWay.keys().next();
        if (oldest.done !== true) underWay.delete(oldest.value);
      },
      ended: (call, outcome) => {
        const endMs = performance.now();
        const moments = underWay.get(call.id) ?? {
          startMs: endMs - Number(outcome.facts["duration_ms"] ?? 0),
        };
        underWay.delete(call.id);
        onEnded({ ...moments, call, outcome, endMs });
      },
    },
    journal: (journal) => ({
      owe: journal.owe,
      append: async (draft) => {
        const moments = draft.event === "call.decision" ? underWay.get(draft.callId) : undefined;
        if (moments === undefined) return await journal.append(draft);
        moments.decision = draft;
        moments.decidedMs = performance.now();
        const receipt = await journal.append(draft);
        moments.journaledMs = performance.now();
        return receipt;
      },
    }),
    upstreams: (upstreams) => ({
      ...upstreams,
      forward: (call) => {
        const moments = underWay.get(call.id);
        // What the gateway itself asks in a caller's session is none of the call's.
        if (moments === undefined || call.isOwn === true) return upstreams.forward(call);
        const trace = traces?.contextOf(call);
        moments.trace = trace ?? null;
        return timed(traces?.departing(call, trace) ?? call, upstreams, moments);
      },
    }),
  };
}

async function timed(call: Journaled, { forward }: Upstreams, moments: Moments): Promise<Answer> {
  moments.forwardedMs = performance.now();
  try {
    const answer = await forward(call);
    moments.isWhole = answer.kind === "whole";
    return answer;
  } finally {
    moments.answeredMs = performance.now();
  }
}
