/**
 * What is learned of callers from sessions that are over, so that nobody teaches the models an attack: sessions that were
 * calm, a day later, each counting once, and one an hour; a tool, or one tool after another, only when several sessions at
 * least a day apart had it; a tool that destroys never. Whoever asks says what time it is.
 */
import { sha256Base64url } from "../crypto/hash.ts";
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
  /** What is learned, or may be: how many sessions had it, and when at first and last. */
  readonly seen: readonly SeenHabit[];
}

interface SeenHabit {
  /** A hash: no name stands there. */
  readonly key: string;
  readonly sessions: number;
  /** Days since 1970, with their fractions. */
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
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const waitMs = dayMs;
const neededSessions = 3;
/** Between the first and the last of them. */
const neededDays = 1;
/** Below, nothing is said of a caller: what it does isn't yet what it does usually. */
const leastSessions = 50;
/** Of one session: it counts once, however often it repeats a call. */
const maxCallsOfTool = 3;
const maxCalls = 64;
/** What one session may bring to be remembered: `maxSeen` is room for many. */
const maxNewKeys = 64;
const maxPending = 5000;
const maxPendingCalls = 50_000;
const maxIdentities = 500;
const maxSeen = 1024;
/** After a store has failed. */
const restMs = 60_000;

interface Known {
  readonly baseline: Baseline;
  readonly seen: Map<string, SeenHabit>;
  /** When the store is asked again, as it couldn't say what it has; until then nothing is learned. */
  readonly againUnixMs?: number;
}

/** Of nobody anything is known, and nothing is learned. */
export const noHabits: Habits = {
  of: () => undefined,
  finished: () => undefined,
  learn: () => undefined,
  forget: () => undefined,
};

/** @param onFault told once that the store fails: then calls go on, and what was to be learned waits */
export function habits(store?: HabitStore, onFault?: (error: unknown) => void): Habits {
  const pending = new Pending();
  let isTold = false;
  const tell = (error: unknown): void => {
    if (isTold) return;
    isTold = true;
    onFault?.(error);
  };
  const callers = new Callers(store, tell);
  let restsUntilMs = 0;
  return {
    of: (identity) => {
      const { baseline } = callers.find(identity);
      return sessionsIn(baseline) < leastSessions ? undefined : baseline;
    },
    finished: (session) => {
      if (session.worstRisk >= calmRisk || session.calls.length === 0) return;
      pending.add({ ...session, calls: once(session.calls) });
    },
    learn: (nowUnixMs) => {
      callers.nowUnixMs = nowUnixMs;
      // A clock that was put back must not make this rest for long.
      if (nowUnixMs < restsUntilMs && nowUnixMs >= restsUntilMs - restMs) return;
      for (const [identity, sessions] of pending.due(nowUnixMs)) {
        if (callers.learn(identity, sessions)) {
          pending.remove(sessions);
          continue;
        }
        // Others come first the next time.
        pending.putLast(sessions);
        restsUntilMs = nowUnixMs + restMs;
        return;
      }
    },
    forget: (identities) => {
      const gone = new Set(identities);
      pending.forget(gone);
      for (const identity of gone) {
        callers.known.delete(identity);
        store?.forget(identity);
      }
    },
  };
}

/** Sessions that wait for their day, in the order in which they ended; the oldest make way. */
class Pending {
  /** By caller and hour: more of them would teach in minutes what is to take days. */
  readonly #sessions = new Map<string, FinishedSession>();
  #calls = 0;

  add(session: FinishedSession): void {
    const key = keyOf(session);
    if (this.#sessions.has(key)) return;
    this.#sessions.set(key, session);
    this.#calls += session.calls.length;
    for (const oldest of this.#sessions.values()) {
      if (this.#sessions.size <= maxPending && this.#calls <= maxPendingCalls) return;
      this.remove([oldest]);
    }
  }

  /** By caller. */
  due(nowUnixMs: number): Map<string, readonly FinishedSession[]> {
    const due = this.#sessions.values().filter(({ endedUnixMs }) => endedUnixMs + waitMs <= nowUnixMs);
    return Map.groupBy(due, ({ identity }) => identity);
  }

  remove(sessions: readonly FinishedSession[]): void {
    for (const session of sessions)
      if (this.#sessions.delete(keyOf(session))) this.#calls -= session.calls.length;
  }

  putLast(sessions: readonly FinishedSession[]): void {
    for (const session of sessions) {
      this.#sessions.delete(keyOf(session));
      this.#sessions.set(keyOf(session), session);
    }
  }

  forget(identities: ReadonlySet<string>): void {
    this.remove([...this.#sessions.values()].filter(({ identity }) => identities.has(identity)));
  }
}

function keyOf({ identity, endedUnixMs }: FinishedSession): string {
  return `${Math.floor(endedUnixMs / hourMs)} ${identity}`;
}

class Callers {
  nowUnixMs = 0;
  /** The least recently used first. */
  readonly known = new Map<string, Known>();
  readonly #store: HabitStore | undefined;
  readonly #tell: (error: unknown) => void;

  constructor(store: HabitStore | undefined, tell: (error: unknown) => void) {
    this.#store = store;
    this.#tell = tell;
  }

  find(identity: string): Known {
    const before = this.known.get(identity);
    const isGood = before !== undefined && this.nowUnixMs < (before.againUnixMs ?? Infinity);
    const found = isGood ? before : this.#read(identity);
    this.#remember(identity, found);
    return found;
  }

  /** @returns false where the store failed, and nothing was learned */
  learn(identity: string, sessions: readonly FinishedSession[]): boolean {
    const before = this.find(identity);
    if (before.againUnixMs !== undefined) return false;
    // A copy: what isn't kept is learned again.
    const own = { baseline: baselineFrom(before.baseline.bytes.slice(0)), seen: new Map(before.seen) };
    for (const session of sessions) learnSession(own, session);
    try {
      this.#store?.keep(identity, {
        baseline: new Uint8Array(own.baseline.bytes),
        seen: [...own.seen.values()],
      });
    } catch (error) {
      this.#tell(error);
      return false;
    }
    this.#remember(identity, own);
    return true;
  }

  #remember(identity: string, found: Known): void {
    this.known.delete(identity);
    this.known.set(identity, found);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= maxIdentities) return;
      this.known.delete(oldest);
    }
  }

  #read(identity: string): Known {
    let kept: KeptHabits | undefined;
    try {
      kept = this.#store?.of(identity);
    } catch (error) {
      this.#tell(error);
      return { ...restored(undefined), againUnixMs: this.nowUnixMs + restMs };
    }
    try {
      return restored(kept);
    } catch (error) {
      // Another version wrote it: it is learned anew.
      this.#tell(error);
      return restored(undefined);
    }
  }
}

function restored(kept: KeptHabits | undefined): Known {
  if (kept === undefined) return { baseline: freshBaseline(), seen: new Map() };
  const bytes = new Uint8Array(kept.baseline); // One of its own: views need the buffer's beginning.
  const seen = kept.seen.filter(({ key }) => isHash.test(key)).slice(-maxSeen);
  return { baseline: baselineFrom(bytes.buffer), seen: new Map(seen.map((each) => [each.key, each])) };
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
  const edges = calls.map(({ tool }, i) => `${calls[i - 1]?.tool ?? "^"}\n${tool}`);
  const domains = calls.flatMap(({ values }) => values.flatMap(({ domain }) => domain ?? []));
  const keys = [...new Set([...edges, ...domains.map((domain) => `@${domain}`)])].map(hashed);
  let room = maxNewKeys;
  for (const key of keys) if (seen.has(key) || room-- > 0) note(seen, key, endedUnixMs / dayMs);
  const isUsual = (key: string): boolean => {
    const { sessions = 0, firstDay = 0, lastDay = 0 } = seen.get(key) ?? {};
    return sessions >= neededSessions && lastDay - firstDay >= neededDays;
  };
  if (keys.every(isUsual)) learnCalls(baseline, calls);
}

/** 72 bits: nobody finds another name that counts as a usual one. */
function hashed(name: string): string {
  return sha256Base64url(name).slice(0, 12);
}

const isHash = /^[\w-]{12}$/;

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
