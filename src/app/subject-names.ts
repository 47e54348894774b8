/** Names for the pseudonyms of a log, where its state folder and what unlocks the keys in it are at hand. */
import { existsSync } from "node:fs";

import { type SubjectFinder, unveiled, veiledNames } from "../audit/personal-facts.ts";
import type { Entry } from "../audit/entry.ts";
import { sealDetail } from "../crypto/subject-keys.ts";
import { listKeys, openKeyFolder } from "../host/store/key-folder.ts";
import type { SecretSource } from "../host/store/secret-source.ts";
import { openSubjects, type StoredSubject, type SubjectStore } from "../host/store/state-subjects.ts";
import { Refusal } from "../kernel/refusal.ts";
import { statePaths } from "./state-folder.ts";
import { subjectsSecret } from "./subjects.ts";

/** A state folder, of a gateway or of an exposed server, and what unlocks it. */
export interface SubjectsPlace {
  readonly state: string;
  readonly unlock?: SecretSource | undefined;
}

/** An entry as its reader wants to see it. */
export type Naming = <Of extends Pick<Entry, "principal" | "facts">>(entry: Of) => Of;

/** How the log of a place names people, in both directions. */
export interface LogNames {
  readonly named: Naming;
  /** All that a caller may be called in entries. */
  readonly callersOf: (name: string) => readonly string[];
  /**
   * Pseudonyms, in lower case, of those whose names have this in them.
   * @param part in lower case
   * @returns undefined if they're more than `most`
   */
  readonly pseudonymsWith: (part: string, most: number) => readonly string[] | undefined;
  /** All that a session may be called in entries. @param note told if there are too many callers to look for it with all */
  readonly sessionsOf: (id: string, note: (text: string) => void) => readonly string[];
}

/** Entries stay as they are. */
export const asWritten: LogNames = {
  named: (entry) => entry,
  callersOf: (name) => [name],
  pseudonymsWith: () => [],
  sessionsOf: (id) => [id],
};

/** Names that were looked up already; a long log has the same ones again and again. */
const maxKept = 10_000;
/** Callers whose sessions are looked for; sealing for one takes some 20 microseconds. */
const maxSubjects = 100_000;

/**
 * Lends `work` the names of that place; where no keys of subjects are, or they can't be unlocked, entries stay as
 * they are.
 * @param onLocked told why they can't be unlocked
 */
export async function withNames<T>(
  place: SubjectsPlace,
  work: (names: LogNames) => Promise<T>,
  onLocked: (why: string) => void = () => {},
): Promise<T> {
  const store = await openSubjectStore(place).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    onLocked(error.message);
    return undefined;
  });
  if (store === undefined) return await work(asWritten);
  try {
    return await work(namesIn(store));
  } finally {
    store.close();
  }
}

export function namesIn(
  store: Pick<SubjectStore, "known" | "byPseudonym" | "version" | "list">,
  maxSearched = maxSubjects,
): LogNames {
  const find = remembering(store);
  const pseudonymIn = (id: string): string | undefined => store.known(id)?.pseudonym;
  return {
    named: (entry) => unveiled(entry, find),
    callersOf: (name) => [name, veiledNames(name, (id) => pseudonymIn(id) ?? id)],
    pseudonymsWith: (part, most) => {
      const subjects = store.list(maxSearched + 1);
      if (subjects.length > maxSearched) return undefined;
      const found = subjects.filter(({ id }) => id.toLowerCase().includes(part));
      return found.length > most ? undefined : found.map(({ pseudonym }) => pseudonym.toLowerCase());
    },
    // It is sealed under the key of whoever it is of, and nothing says who that is.
    sessionsOf: (id, note) => {
      const subjects = store.list(maxSearched + 1);
      if (subjects.length > maxSearched)
        note(`sessions of the first ${maxSearched} subjects alone are looked for; there are more`);
      return [id, ...subjects.slice(0, maxSearched).map(({ key }) => sealDetail(key, "session", id))];
    },
  };
}

/** Undefined where there are none yet. @throws Refusal `bad_state` if they can't be unlocked */
export async function openSubjectStore({ state, unlock }: SubjectsPlace): Promise<SubjectStore | undefined> {
  const paths = statePaths(state);
  const isMade = (await listKeys(paths.keys)).some(({ name }) => name === subjectsSecret);
  if (!isMade || !existsSync(paths.database)) return undefined;
  const keys = await openKeyFolder(paths.keys, unlock ?? { file: paths.unlock });
  return openSubjects(paths.database, await keys.secret(subjectsSecret));
}

function remembering(store: Pick<SubjectStore, "byPseudonym" | "version">): SubjectFinder {
  const kept = new Map<string, StoredSubject | undefined>();
  let version = store.version();
  return (pseudonym) => {
    const now = store.version();
    // Somebody may be new, or erased.
    if (now !== version || kept.size >= maxKept) kept.clear();
    version = now;
    if (!kept.has(pseudonym)) kept.set(pseudonym, store.byPseudonym(pseudonym));
    return kept.get(pseudonym);
  };
}
