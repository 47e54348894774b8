/** What sessions have done and read, of all of them: in memory, within bounds. Whoever asks says what time it is. */
import { callValues } from "./calls/call-values.ts";
import { toolClass } from "./calls/tool-class.ts";
import {
  type Call,
  type CallModel,
  freshTrail,
  noteCall,
  noteResult,
  scoreCall,
  sessionRisk,
  type SessionRisk,
  sizeOf,
  type Trail,
} from "./calls/watch.ts";
import type { HabitCall, Habits } from "./habits.ts";
import { findingsOfScan, scanText } from "./text/scan-text.ts";
import type { TextModel } from "./text/text-model.ts";
import type { Finding } from "../model/finding.ts";
import type { CallRisk, CallWatch, SeenCall } from "./session-watch.ts";

/** As client sessions end. */
const idleMs = 30 * 60_000;
/** A session that has done nothing yet is some kilobytes. */
const maxSessions = 10_000;
/** Of one caller, which names parts of its sessions as it likes: its own make way for them. */
const maxOfIdentity = 64;
/** Of all trails together. */
const maxBytes = 128 * 1024 * 1024;
/** Of a session, what may be learned. */
const maxLearned = 64;

interface Watched {
  readonly identity: string;
  readonly trail: Trail;
  readonly calls: HabitCall[];
  /** Of `calls`, about. */
  learnedBytes: number;
  bytes: number;
  risk: SessionRisk | undefined;
  worst: number;
  usedUnixMs: number;
}

/** As high as a model goes that was calibrated with others' sessions. */
export const strangersMostRisk = 0.7;

interface Watching {
  readonly model: CallModel;
  readonly textModel: TextModel;
  readonly mostRisk: number;
  /** What is known of callers; learns of sessions that are over. */
  readonly habits: Habits;
}

export function watchedSessions({ model, textModel, mostRisk, habits }: Watching): CallWatch {
  const sessions = new Sessions(habits);
  return {
    of: (session, identity) => ({
      score: (call, nowUnixMs) => {
        const used = sessions.use(session, identity, nowUnixMs);
        sessions.changed(session);
        return scored(used, call, { model, textModel, habits, mostRisk, nowUnixMs });
      },
      called: (call, nowUnixMs) => {
        const used = sessions.use(session, identity, nowUnixMs);
        noteCall(used.trail, named(call));
        learnLater(used, call);
        sessions.changed(session);
      },
      read: ({ server, tool, texts }, nowUnixMs) => {
        const used = sessions.use(session, identity, nowUnixMs);
        noteResult(used.trail, { tool: nameOf(server, tool), texts: texts.map(({ text }) => text) });
        sessions.changed(session);
        return texts.flatMap(({ at, text }) => ordersIn(text, at, textModel));
      },
    }),
  };
}

class Sessions {
  readonly #habits: Habits;
  /** The least recently used first; and of each caller its own. */
  readonly #sessions = new Map<string, Watched>();
  readonly #ofIdentity = new Map<string, Set<string>>();
  #bytes = 0;

  constructor(habits: Habits) {
    this.#habits = habits;
  }

  /** A session that was idle for too long is over, and another one begins. */
  use(session: string, identity: string, nowUnixMs: number): Watched {
    this.#endIdle(nowUnixMs);
    const used = this.#sessions.get(session) ?? begun(identity, nowUnixMs);
    used.usedUnixMs = nowUnixMs;
    this.#sessions.delete(session);
    this.#sessions.set(session, used);
    const own = this.#ofIdentity.get(used.identity) ?? new Set();
    own.delete(session);
    this.#ofIdentity.set(used.identity, own.add(session));
    const [oldest = session] = own;
    if (own.size > maxOfIdentity) this.#end(oldest);
    return used;
  }

  /** Called whenever a session may have become larger. */
  changed(session: string): void {
    const used = this.#sessions.get(session);
    if (used === undefined) return;
    const bytes = sizeOf(used.trail) + used.learnedBytes;
    this.#bytes += bytes - used.bytes;
    used.bytes = bytes;
    for (const oldest of this.#sessions.keys()) {
      const fits = this.#sessions.size <= maxSessions && this.#bytes <= maxBytes;
      if (fits || oldest === session) return;
      this.#end(oldest);
    }
  }

  #endIdle(nowUnixMs: number): void {
    for (const [session, used] of this.#sessions) {
      // A clock that was ahead doesn't keep what it marked.
      used.usedUnixMs = Math.min(used.usedUnixMs, nowUnixMs);
      if (nowUnixMs < used.usedUnixMs + idleMs) break;
      this.#end(session);
    }
    this.#habits.learn(nowUnixMs);
  }

  #end(session: string): void {
    const ended = this.#sessions.get(session);
    if (ended === undefined) return;
    const { identity, usedUnixMs, worst, calls, bytes } = ended;
    this.#bytes -= bytes;
    this.#sessions.delete(session);
    const own = this.#ofIdentity.get(identity);
    own?.delete(session);
    if (own?.size === 0) this.#ofIdentity.delete(identity);
    this.#habits.finished({ identity, endedUnixMs: usedUnixMs, worstRisk: worst, calls });
  }
}

function begun(identity: string, nowUnixMs: number): Watched {
  return {
    identity,
    trail: freshTrail(),
    calls: [],
    learnedBytes: 0,
    bytes: 0,
    risk: undefined,
    worst: 0,
    usedUnixMs: nowUnixMs,
  };
}

function scored(
  used: Watched,
  call: SeenCall,
  { model, habits, mostRisk, nowUnixMs }: Watching & { readonly nowUnixMs: number },
): CallRisk {
  const baseline = habits.of(used.identity);
  const {
    risk: said,
    source,
    because,
    parts,
  } = scoreCall({
    trail: used.trail,
    call: named(call),
    baseline,
    model,
  });
  const risk = Math.min(said, mostRisk);
  used.risk = sessionRisk(used.risk, risk, nowUnixMs);
  used.worst = Math.max(used.worst, risk);
  return {
    call: risk,
    session: used.risk.risk,
    source: source.replace(joint, "/"),
    because,
    parts: { ...parts },
  };
}

/** More likely instructions than not. */
const suspicious = 0.5;

function ordersIn(text: string, at: string, model: TextModel): readonly Finding[] {
  const scan = scanText(text, model);
  return scan.score < suspicious ? [] : findingsOfScan(scan, at).filter(({ severity }) => severity !== "low");
}

/** Between a server's name and its tool's: the models take what stands before for no word of the tool's. */
const joint = "__";

function nameOf(server: string, tool: string): string {
  return `${server}${joint}${tool}`;
}

function named({ server, tool, args, isReadOnly, purpose }: SeenCall): Call {
  return {
    server,
    tool: nameOf(server, tool),
    args,
    // That it isn't said to read doesn't say that it writes.
    ...(isReadOnly && { readOnly: true }),
    ...(purpose !== "" && { intent: purpose }),
  };
}

/** A value is some hundred bytes beside its words. */
const valueBytes = 400;

function learnLater(used: Watched, call: SeenCall): void {
  if (used.calls.length >= maxLearned) return;
  const habit = habitOf(call);
  used.calls.push(habit);
  for (const { text, words, names, sequence } of habit.values)
    used.learnedBytes += valueBytes + 2 * text.length + 8 * (words.length + names.length + sequence.length);
}

function habitOf(call: SeenCall): HabitCall {
  const { tool, args, ...hints } = named(call);
  return { tool, values: callValues(args), destroys: toolClass(tool, hints).destroys };
}
