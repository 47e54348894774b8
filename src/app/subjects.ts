/**
 * Those the audit log speaks of, while it is written: each by its pseudonym, from a bounded cache in front of the state
 * database. Whose key a command destroyed is forgotten before the next use, and is somebody new after it.
 */
import { type Subject, type Subjects, veiled } from "../audit/personal-facts.ts";
import { randomSecret } from "../crypto/keys.ts";
import { callDigest, pseudonymOf, subjectKeyBytes } from "../crypto/subject-keys.ts";
import type { Digests, Journal } from "../gate/ports.ts";
import { unavailable } from "../host/store/journal-refusals.ts";
import type { SubjectStore } from "../host/store/state-subjects.ts";
import type { Clock } from "../kernel/clock.ts";
import type { EntryDraft } from "../model/entry.ts";

/** Under which the keys of those the log speaks of are sealed. */
export const subjectsSecret = "subjects";

export interface LiveSubjects extends Subjects {
  /** Takes over what commands erased; to be called before each use. */
  readonly refresh: () => void;
  /** Those who are new within `work` are kept as one, or none of them. */
  readonly together: <T>(work: () => T) => T;
}

interface Options {
  readonly trustDomain: string;
  readonly clock: Clock;
  /** Told of erasures, with the ids as far as they were known here. */
  readonly onErased?: (ids: readonly string[]) => void;
  /** Callers that come again soon; who makes way is read from the database again. 10,000 if absent. */
  readonly maxCached?: number;
}

export function liveSubjects(
  store: Pick<SubjectStore, "together" | "of" | "known" | "lastErasure" | "erasedSince" | "version">,
  { trustDomain, clock, onErased, maxCached = 10_000 }: Options,
): LiveSubjects {
  const cache = new Map<string, Subject>();
  let seenVersion = store.version();
  let lastErasure = store.lastErasure();
  const refresh = (): void => {
    const version = store.version();
    if (version === seenVersion) return;
    const erased = store.erasedSince(lastErasure);
    const gone = new Set(erased.map(({ pseudonym }) => pseudonym));
    const known = gone.size === 0 ? [] : [...cache.values()].filter(({ pseudonym }) => gone.has(pseudonym));
    for (const { id } of known) cache.delete(id);
    lastErasure = erased.at(-1)?.id ?? lastErasure;
    seenVersion = version;
    if (erased.length > 0) onErased?.(known.map(({ id }) => id));
  };
  const keep = (subject: Subject | undefined): Subject | undefined => {
    if (subject === undefined) return undefined;
    cache.set(subject.id, subject);
    const [oldest] = cache.size > maxCached ? cache.keys() : [];
    if (oldest !== undefined) cache.delete(oldest);
    return subject;
  };
  return {
    trustDomain,
    refresh,
    together: (work) => {
      try {
        return store.together(work);
      } catch (error) {
        // Some of those in it may not be in the database.
        cache.clear();
        throw error;
      }
    },
    of: (id) => {
      const cached = cache.get(id);
      if (cached !== undefined) return cached;
      const found = store.of(id, clock.nowUnixMs());
      keep(found);
      return found;
    },
    knownOr: (id) => cache.get(id) ?? keep(store.known(id)) ?? stranger(id),
  };
}

/** Under a key that nobody keeps. */
function stranger(id: string): Subject {
  const key = randomSecret(subjectKeyBytes);
  return { id, key, pseudonym: pseudonymOf(key, id) };
}

/**
 * The journal that takes entries with names and writes them with pseudonyms. Whoever was named in a call's decision has
 * the same pseudonym in its outcome, even if it was erased in between: another one would link the two.
 */
export function pseudonymous(journal: Journal, subjects: LiveSubjects): Journal & Digests {
  /** By call id, whom its decision names. As many as there are calls under way. */
  const underWay = new Map<string, ReadonlyMap<string, Subject>>();
  // INVARIANT: nothing is written under a key that was destroyed before it, but of a call that was under way.
  const written = (draft: EntryDraft, by: Subjects): EntryDraft => {
    if (draft.event === "call.outcome") return veiled(draft, remembering(by, underWay.get(draft.callId)));
    if (draft.event !== "call.decision") return veiled(draft, by);
    const named = new Map<string, Subject>();
    const entry = veiled(draft, noting(by, named));
    underWay.set(draft.callId, named);
    return entry;
  };
  return {
    append: async (draft) => {
      let entry: EntryDraft;
      try {
        if (!underWay.has(draft.callId)) subjects.refresh();
        entry = subjects.together(() => written(draft, subjects));
      } catch (cause) {
        throw unavailable(cause);
      }
      const receipt = await journal.append(entry);
      if (draft.event === "call.outcome") underWay.delete(draft.callId);
      return receipt;
    },
    owe: (draft) => {
      journal.owe(owed(draft, written, subjects));
      underWay.delete(draft.callId);
    },
    begin: ({ callId, principal }, side) => {
      try {
        const named = underWay.get(callId)?.get(principal);
        if (named === undefined) subjects.refresh();
        return callDigest((named ?? subjects.of(principal)).key, callId, side);
      } catch (cause) {
        throw unavailable(cause);
      }
    },
  };
}

/** It is written in any case: under a pseudonym of nobody's, if its subject can be neither found nor made. */
function owed(
  draft: EntryDraft,
  written: (draft: EntryDraft, by: Subjects) => EntryDraft,
  subjects: LiveSubjects,
): EntryDraft {
  try {
    subjects.refresh();
    return subjects.together(() => written(draft, subjects));
  } catch {
    return written(draft, { ...subjects, of: stranger, knownOr: stranger });
  }
}

function remembering(subjects: Subjects, known: ReadonlyMap<string, Subject> | undefined): Subjects {
  if (known === undefined) return subjects;
  return { ...subjects, of: (id) => known.get(id) ?? subjects.of(id) };
}

function noting(subjects: Subjects, named: Map<string, Subject>): Subjects {
  return {
    ...subjects,
    of: (id) => {
      const subject = subjects.of(id);
      named.set(id, subject);
      return subject;
    },
  };
}
