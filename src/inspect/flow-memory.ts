/** What sessions have read, of all of them: in memory, without texts, within bounds. Whoever asks says what time it is. */
import type { FingerprintKey } from "./fingerprints.ts";
import {
  carries,
  forgetTexts,
  freshMemory,
  hasSeen,
  noteRead,
  noteSaid,
  type Reading,
  type SessionMemory,
  sizeOf,
  type Told,
} from "./session-memory.ts";

export interface SessionFlow {
  /** What the session says itself isn't from what it reads later. */
  readonly said: (value: unknown) => void;
  /** INVARIANT: called before anything of it is delivered. `isFound`: its text is to be known again. */
  readonly read: (labels: readonly string[], reading: Reading, isFound: boolean) => void;
  readonly seen: (label: string) => Told;
  /** @param spend is told how many characters are looked through */
  readonly carries: (label: string, value: unknown, spend: (chars: number) => void) => Told;
  readonly labels: () => readonly string[];
}

export interface FlowMemory {
  /** Counts as the session's use. */
  readonly of: (session: string, nowUnixMs: number) => SessionFlow;
}

/** As client sessions end. */
const idleMs = 30 * 60_000;
/** A session without texts is some hundred bytes. */
const maxSessions = 100_000;
/** Of all sessions together: about 100 bytes each. */
const maxFingerprints = 1_000_000;

interface Used {
  readonly memory: SessionMemory;
  lastUsedUnixMs: number;
  size: number;
}

interface Kept {
  /** The least recently used first. */
  readonly sessions: Map<string, Used>;
  /** Of all of them. */
  fingerprints: number;
  /** Until then, one that isn't here may be one that made way. */
  droppedUntilUnixMs: number;
}

/** @param key of the process */
export function flowMemory(key: FingerprintKey): FlowMemory {
  const kept: Kept = { sessions: new Map(), fingerprints: 0, droppedUntilUnixMs: 0 };
  return {
    of: (session, nowUnixMs) => {
      use(kept, session, nowUnixMs);
      const change = (how: (memory: SessionMemory) => void): void =>
        changed(kept, { session, nowUnixMs }, how);
      const ask = (how: (memory: SessionMemory) => Told): Told => asked(kept, { session, nowUnixMs }, how);
      return {
        said: (value) => change((memory) => noteSaid(memory, value, key)),
        read: (labels, reading, isFound) =>
          change((memory) => noteRead(memory, { labels, reading, isFound }, key)),
        seen: (label) => ask((memory) => hasSeen(memory, label)),
        carries: (label, value, spend) => ask((memory) => carries(memory, { label, value, spend }, key)),
        labels: () => find(kept, session, nowUnixMs)?.memory.labels ?? [],
      };
    },
  };
}

function find({ sessions }: Kept, session: string, nowUnixMs: number): Used | undefined {
  const found = sessions.get(session);
  return found === undefined || nowUnixMs >= found.lastUsedUnixMs + idleMs ? undefined : found;
}

function use(kept: Kept, session: string, nowUnixMs: number): void {
  const used = find(kept, session, nowUnixMs);
  if (used === undefined) return;
  used.lastUsedUnixMs = Math.max(used.lastUsedUnixMs, nowUnixMs);
  kept.sessions.delete(session);
  kept.sessions.set(session, used);
}

interface At {
  readonly session: string;
  readonly nowUnixMs: number;
}

function changed(kept: Kept, { session, nowUnixMs }: At, how: (memory: SessionMemory) => void): void {
  const used = find(kept, session, nowUnixMs) ?? {
    memory: freshMemory(),
    lastUsedUnixMs: nowUnixMs,
    size: 0,
  };
  drop(kept, session);
  used.lastUsedUnixMs = Math.max(used.lastUsedUnixMs, nowUnixMs);
  how(used.memory);
  used.size = sizeOf(used.memory);
  kept.fingerprints += used.size;
  kept.sessions.set(session, used);
  makeRoom(kept, nowUnixMs);
}

function drop(kept: Kept, session: string): void {
  kept.fingerprints -= kept.sessions.get(session)?.size ?? 0;
  kept.sessions.delete(session);
}

function makeRoom(kept: Kept, nowUnixMs: number): void {
  for (const [session, { lastUsedUnixMs }] of kept.sessions) {
    const until = lastUsedUnixMs + idleMs;
    const isOver = nowUnixMs >= until;
    if (!isOver && kept.sessions.size <= maxSessions) break;
    drop(kept, session);
    if (!isOver) kept.droppedUntilUnixMs = Math.max(kept.droppedUntilUnixMs, until);
  }
  for (const used of kept.sessions.values()) {
    if (kept.fingerprints <= maxFingerprints) break;
    kept.fingerprints -= used.size;
    forgetTexts(used.memory);
    used.size = 0;
  }
}

function asked(kept: Kept, { session, nowUnixMs }: At, how: (memory: SessionMemory) => Told): Told {
  const used = find(kept, session, nowUnixMs);
  if (used !== undefined) return how(used.memory);
  return nowUnixMs < kept.droppedUntilUnixMs
    ? { why: "what this session has read isn't remembered." }
    : false;
}
