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
  readonly read: (labels: readonly string[], reading: Reading, isFound: boolean, nowUnixMs: number) => void;
  readonly seen: (label: string) => Told;
  /** @param spend is told how many characters are looked through */
  readonly carries: (label: string, value: unknown, spend: (chars: number) => void) => Told;
  readonly labels: () => readonly string[];
}

export interface FlowMemory {
  /** Counts as the session's use. */
  readonly of: (session: string, nowUnixMs: number) => SessionFlow;
}

/** What a session has read, and when it was last used, as near as it was kept. */
export interface KeptLabels {
  readonly session: string;
  readonly labels: readonly string[];
  readonly usedUnixMs: number;
}

/**
 * Labels that outlive the process. Durability: they survive the death of the process once `keep` returns, a loss of
 * power perhaps not. Failure: `keep` throws, and what was to be read isn't delivered.
 */
export interface LabelStore {
  readonly kept: (sinceUnixMs: number) => readonly KeptLabels[];
  /** Of one that isn't in memory any more. */
  readonly of: (session: string) => readonly string[];
  /** In place of what was kept of that session; those not used since `untilUnixMs` go. */
  readonly keep: (kept: KeptLabels, untilUnixMs: number) => void;
}

/** As client sessions end. */
const idleMs = 30 * 60_000;
/** What is kept of a session is no older. */
const keepEveryMs = 10 * 60_000;
/** A session without texts is some hundred bytes. */
const maxSessions = 100_000;
/** Of all sessions together: about 100 bytes each. */
const maxFingerprints = 1_000_000;

interface Used {
  readonly memory: SessionMemory;
  /** What it had read before may have been dropped. */
  readonly isPartial: boolean;
  /** When what is kept of it says it was used, and how many labels that has. */
  keptUnixMs: number;
  keptLabels: number;
  lastUsedUnixMs: number;
  size: number;
}

interface Kept {
  readonly store: LabelStore | undefined;
  /** The least recently used first. */
  readonly sessions: Map<string, Used>;
  /** Of all of them. */
  fingerprints: number;
  /** Until then, one that isn't here may be one that made way. */
  droppedUntilUnixMs: number;
}

/**
 * @param key of the process
 * @param from labels of sessions that an earlier process knew; their texts aren't remembered
 */
export function flowMemory(
  key: FingerprintKey,
  from?: { readonly store: LabelStore; readonly nowUnixMs: number },
): FlowMemory {
  const kept: Kept = {
    store: from?.store,
    sessions: new Map(from === undefined ? [] : restored(from.store, from.nowUnixMs)),
    fingerprints: 0,
    droppedUntilUnixMs: 0,
  };
  return {
    of: (session, nowUnixMs) => {
      use(kept, session, nowUnixMs);
      const ask = (how: (memory: SessionMemory) => Told): Told => asked(kept, { session, nowUnixMs }, how);
      return {
        said: (value) => changed(kept, { session, nowUnixMs }, (memory) => noteSaid(memory, value, key)),
        read: (labels, reading, isFound, atUnixMs) =>
          changed(kept, { session, nowUnixMs: atUnixMs }, (memory) =>
            noteRead(memory, { labels, reading, isFound }, key),
          ),
        seen: (label) => ask((memory) => hasSeen(memory, label)),
        carries: (label, value, spend) => ask((memory) => carries(memory, { label, value, spend }, key)),
        labels: () => find(kept, session, nowUnixMs)?.memory.labels ?? [],
      };
    },
  };
}

/** Each may have been used until the next time that would have been kept. */
function restored(store: LabelStore, nowUnixMs: number): readonly (readonly [string, Used])[] {
  return store.kept(nowUnixMs - idleMs - keepEveryMs).map(({ session, labels, usedUnixMs }) => {
    const memory = freshMemory();
    memory.labels.push(...labels);
    forgetTexts(memory);
    const lastUsedUnixMs = Math.min(nowUnixMs, usedUnixMs + keepEveryMs);
    return [
      session,
      {
        memory,
        isPartial: false,
        size: 0,
        lastUsedUnixMs,
        keptUnixMs: usedUnixMs,
        keptLabels: labels.length,
      },
    ] as const;
  });
}

/** @throws what the store throws */
function keep({ store }: Kept, session: string, used: Used): void {
  const { memory, lastUsedUnixMs: usedUnixMs, keptUnixMs, keptLabels } = used;
  const { labels } = memory;
  if (store === undefined || labels.length === 0) return;
  if (labels.length === keptLabels && usedUnixMs < keptUnixMs + keepEveryMs) return;
  store.keep({ session, labels, usedUnixMs }, usedUnixMs - idleMs - keepEveryMs);
  used.keptUnixMs = usedUnixMs;
  used.keptLabels = labels.length;
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
  keep(kept, session, used);
}

interface At {
  readonly session: string;
  readonly nowUnixMs: number;
}

function changed(kept: Kept, { session, nowUnixMs }: At, how: (memory: SessionMemory) => void): void {
  const used = find(kept, session, nowUnixMs) ?? begun(kept, session, nowUnixMs);
  drop(kept, session);
  used.lastUsedUnixMs = Math.max(used.lastUsedUnixMs, nowUnixMs);
  how(used.memory);
  used.size = sizeOf(used.memory);
  kept.fingerprints += used.size;
  kept.sessions.set(session, used);
  makeRoom(kept, nowUnixMs);
  keep(kept, session, used);
}

/** One that may have made way before knows what is on disk of it, and that this may not be all. */
function begun({ store, droppedUntilUnixMs }: Kept, session: string, nowUnixMs: number): Used {
  const memory = freshMemory();
  const isPartial = nowUnixMs < droppedUntilUnixMs;
  if (isPartial) {
    memory.labels.push(...(store?.of(session) ?? []));
    forgetTexts(memory);
  }
  const keptLabels = memory.labels.length;
  return { memory, isPartial, lastUsedUnixMs: nowUnixMs, size: 0, keptUnixMs: 0, keptLabels };
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
  const told = used === undefined ? false : how(used.memory);
  const mayBeMore = used === undefined ? nowUnixMs < kept.droppedUntilUnixMs : used.isPartial;
  return told === false && mayBeMore ? { why: "what this session has read isn't remembered." } : told;
}
