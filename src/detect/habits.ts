/**
 * What is learned of callers from sessions that are over, so that nobody teaches the models an attack: sessions that were
 * calm, a day later, each counting once; a tool, or one tool after another, only when several sessions on different days had
 * it; a tool that destroys never. Whoever asks says what time it is.
 */
import {
  type Baseline,
  baselineFrom,
  freshBaseline,
  learnCalls,
  type LearnedCall,
} from "./calls/baseline.ts";

/** A session that is over. */
export interface FinishedSession {
  readonly identity: string;
  readonly endedUnixMs: number;
  /** The highest of its calls. */
  readonly worstRisk: number;
  readonly calls: readonly HabitCall[];
}

export interface HabitCall extends LearnedCall {
  readonly destroys: boolean;
}

/** Durability: what `keep` returned from survives the process. Failure: `keep` throws, and the next one tries again. */
export interface HabitStore {
  readonly of: (identity: string) => KeptHabits | undefined;
  readonly keep: (identity: string, habits: KeptHabits) => void;
  readonly forget: (identity: string) => void;
}

export interface KeptHabits {
  readonly baseline: Uint8Array;
  /** Hashes of what is learned, or may be: how many sessions had it, and on which days at first and last. */
  readonly seen: readonly SeenHabit[];
}

interface SeenHabit {
  readonly key: string;
  readonly sessions: number;
  readonly firstDay: number;
  readonly lastDay: number;
}

export interface Habits {
  /** Undefined of whom too little is known. */
  readonly of: (identity: string) => Baseline | undefined;
  readonly finished: (session: FinishedSession) => void;
  /** Learns what is due. */
  readonly learn: (nowUnixMs: number) => void;
  readonly forget: (identities: readonly string[]) => void;
}

/** p > 0.2, as risk. */
const calmRisk = 0.21;
const dayMs = 24 * 3_600_000;
const waitMs = dayMs;
const neededSessions = 3;
const neededDays = 2;
/** Below, nothing is said of a caller: what it does isn't yet what it does usually. */
const leastSessions = 50;
/** Of one session: it counts once, however often it repeats a call. */
const maxCallsOfTool = 3;
const maxCalls = 64;
const maxPending = 5000;
const maxIdentities = 500;
const maxSeen = 1024;

interface Known {
  readonly baseline: Baseline;
  readonly seen: Map<string, SeenHabit>;
}

/** Of nobody anything is known, and nothing is learned. */
export const noHabits: Habits = {
  of: () => undefined,
  finished: () => undefined,
  learn: () => undefined,
  forget: () => undefined,
};

export function habits(store?: HabitStore): Habits {
  /** In the order in which they ended; the oldest make way. */
  let pending: FinishedSession[] = [];
  /** The least recently used first. */
  const known = new Map<string, Known>();
  const find = (identity: string): Known => {
    const found = known.get(identity) ?? restored(store?.of(identity));
    known.delete(identity);
    known.set(identity, found);
    for (const oldest of known.keys()) {
      if (known.size <= maxIdentities) break;
      known.delete(oldest);
    }
    return found;
  };
  return {
    of: (identity) => {
      const { baseline } = find(identity);
      return sessionsIn(baseline) < leastSessions ? undefined : baseline;
    },
    finished: (session) => {
      if (session.worstRisk >= calmRisk || session.calls.length === 0) return;
      pending = [...pending.slice(-(maxPending - 1)), { ...session, calls: once(session.calls) }];
    },
    learn: (nowUnixMs) => {
      const due = pending.filter(({ endedUnixMs }) => endedUnixMs + waitMs <= nowUnixMs);
      if (due.length === 0) return;
      pending = pending.filter(({ endedUnixMs }) => endedUnixMs + waitMs > nowUnixMs);
      for (const [identity, sessions] of Map.groupBy(due, (each) => each.identity)) {
        const own = find(identity);
        for (const session of sessions) learnSession(own, session);
        store?.keep(identity, { baseline: new Uint8Array(own.baseline.bytes), seen: [...own.seen.values()] });
      }
    },
    forget: (identities) => {
      const gone = new Set(identities);
      pending = pending.filter(({ identity }) => !gone.has(identity));
      for (const identity of gone) {
        known.delete(identity);
        store?.forget(identity);
      }
    },
  };
}

function restored(kept: KeptHabits | undefined): Known {
  if (kept === undefined) return { baseline: freshBaseline(), seen: new Map() };
  const bytes = new Uint8Array(kept.baseline); // One of its own: views need the buffer's beginning.
  return { baseline: baselineFrom(bytes.buffer), seen: new Map(kept.seen.map((each) => [each.key, each])) };
}

function sessionsIn({ header }: Baseline): number {
  return header[2] ?? 0;
}

function once(calls: readonly HabitCall[]): readonly HabitCall[] {
  const times = new Map<string, number>();
  return calls
    .filter(({ tool, destroys }) => {
      const count = (times.get(tool) ?? 0) + 1;
      times.set(tool, count);
      return !destroys && count <= maxCallsOfTool;
    })
    .slice(0, maxCalls);
}

/** A session with something new in it only speaks for that; one that others were like is counted. */
function learnSession({ baseline, seen }: Known, { calls, endedUnixMs }: FinishedSession): void {
  const day = Math.floor(endedUnixMs / dayMs);
  const edges = calls.map(({ tool }, i) => `${calls[i - 1]?.tool ?? "^"}\n${tool}`);
  const domains = calls.flatMap(({ values }) => values.flatMap(({ domain }) => domain ?? []));
  const keys = [...new Set([...edges, ...domains.map((domain) => `@${domain}`)])];
  for (const key of keys) note(seen, key, day);
  const isUsual = (key: string): boolean => {
    const { sessions = 0, firstDay = 0, lastDay = 0 } = seen.get(key) ?? {};
    return sessions >= neededSessions && lastDay - firstDay + 1 >= neededDays;
  };
  if (keys.every(isUsual)) learnCalls(baseline, calls);
}

function note(seen: Map<string, SeenHabit>, key: string, day: number): void {
  const before = seen.get(key);
  seen.delete(key);
  seen.set(key, {
    key,
    sessions: Math.min((before?.sessions ?? 0) + 1, neededSessions),
    firstDay: Math.min(before?.firstDay ?? day, day),
    lastDay: Math.max(before?.lastDay ?? day, day),
  });
  for (const oldest of seen.keys()) {
    if (seen.size <= maxSeen) return;
    seen.delete(oldest);
  }
}
