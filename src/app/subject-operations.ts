/** What an operator does with those the audit log speaks of: list them, erase one, prove what was asked and answered. */
import { createReadStream } from "node:fs";

import type { Entry } from "../audit/entry.ts";
import { callDigest, type CallSide, isPseudonym, isSameDigest } from "../crypto/subject-keys.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import type { StayingRecord } from "../host/store/state-personal.ts";
import type { StoredSubject, SubjectStore } from "../host/store/state-subjects.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { statePaths } from "./state-folder.ts";
import { openSubjectStore, type SubjectsPlace } from "./subject-names.ts";
import { forgetWitness } from "./witness-records.ts";

/** What there is to erase. */
export interface ErasurePlan {
  readonly pseudonym: string;
  /** Undefined of one that was erased before: then what is left of it on disk is overwritten again. */
  readonly id: string | undefined;
  /** Entries that stay in the log, under the pseudonym. */
  readonly entries: number;
  /** Entries from before there were pseudonyms, which have the id itself, and stay so. */
  readonly plainEntries: number;
  readonly staying: readonly StayingRecord[];
}

/** A list is for people. */
const maxListed = 100_000;

/** Who was seen first comes first; `isCut` if there are more than that many. */
export async function listSubjects(
  place: SubjectsPlace,
  limit = maxListed,
): Promise<{ readonly subjects: readonly StoredSubject[]; readonly isCut: boolean }> {
  const found = await withStore(place, (store) => Promise.resolve(store.list(limit + 1)));
  return { subjects: found.slice(0, limit), isCut: found.length > limit };
}

/** @throws Refusal `bad_state` for somebody who isn't known */
export async function planErasure(place: SubjectsPlace, who: string, clock: Clock): Promise<ErasurePlan> {
  return await withStore(place, async (store) => {
    const { pseudonym, id } = named(store, who);
    const counted = await countEntries(statePaths(place.state).log, pseudonym, id);
    const staying = id === undefined ? [] : store.staying(id, clock.nowUnixMs());
    return { pseudonym, id, ...counted, staying };
  });
}

/**
 * Destroys the key of a plan's subject, and what else is only on record of it. Whoever writes the log forgets it before its
 * next entry, and puts the erasure on record within a second, or with the next start.
 * @throws Refusal `bad_state` if somebody reads the database for so long that older pages of it can't be overwritten
 */
export async function eraseSubject(
  place: SubjectsPlace,
  { pseudonym, id, entries }: ErasurePlan,
  by: string,
  clock: Clock,
): Promise<void> {
  if (id !== undefined) await forgetWitness(place.state, id);
  await withStore(place, (store) => {
    store.erase(pseudonym, { atUnixMs: clock.nowUnixMs(), by, entries });
    store.scrub();
    return Promise.resolve();
  });
}

function named(store: SubjectStore, who: string): { readonly pseudonym: string; readonly id?: string } {
  const found = isPseudonym(who) ? store.byPseudonym(who) : store.known(who);
  if (found !== undefined) return found;
  if (store.erasedSince(0).some(({ pseudonym }) => pseudonym === who)) return { pseudonym: who };
  throw new Refusal(
    "bad_state",
    `The log has no subject "${who}"; "latticegate audit subjects" lists those it has, by their exact names.`,
  );
}

async function countEntries(
  folder: string,
  pseudonym: string,
  id: string | undefined,
): Promise<Pick<ErasurePlan, "entries" | "plainEntries">> {
  const needle = Buffer.from(pseudonym);
  const plain = id === undefined ? undefined : Buffer.from(`"${id}"`);
  let [entries, plainEntries] = [0, 0];
  for await (const { bytes } of openLogReader(folder).forwards()) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (text.includes(needle)) entries++;
    if (plain !== undefined && text.includes(plain)) plainEntries++;
  }
  return { entries, plainEntries };
}

/** Which fact of which entry has the digest. */
const digested = {
  request: { event: "call.decision", fact: "request_hmac" },
  answer: { event: "call.outcome", fact: "answer_hmac" },
} as const;

/**
 * Whether what is in the file was asked, or answered, in that call.
 * @param log the log, or a copy of it
 * @throws Refusal `bad_state` if the log or the keys can't tell
 */
export async function isWhatWas(
  side: CallSide,
  file: string,
  { place, log, callId }: { readonly place: SubjectsPlace; readonly log: string; readonly callId: string },
): Promise<boolean> {
  const { event, fact } = digested[side];
  const entries = await openLogReader(log).find(callId);
  const found = entries.flatMap(({ reading }) => (reading.kind === "entry" ? [reading.entry] : []));
  const entry = found.find((each) => each.event === event);
  const expected = entry?.facts[fact];
  if (entry === undefined || expected === undefined) {
    throw new Refusal("bad_state", `The log has no digest of the ${side} of ${callId}.`);
  }
  return await withStore(place, async (store) => {
    const digest = callDigest(subjectOf(store, entry).key, callId, side);
    await readInto(file, digest.update);
    return isSameDigest(digest.end(), expected);
  });
}

function subjectOf(store: SubjectStore, { principal }: Entry): StoredSubject {
  const found = isPseudonym(principal) ? store.byPseudonym(principal) : store.known(principal);
  if (found !== undefined) return found;
  throw new Refusal(
    "bad_state",
    `The key of ${principal} isn't in this state folder (any more): what was digested under it can't be proven.`,
  );
}

async function readInto(file: string, update: (bytes: Uint8Array) => void): Promise<void> {
  try {
    for await (const chunk of createReadStream(file)) update(chunk as Uint8Array);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}

async function withStore<T>(place: SubjectsPlace, work: (store: SubjectStore) => Promise<T>): Promise<T> {
  const store = await openSubjectStore(place);
  if (store === undefined) {
    throw new Refusal(
      "bad_state",
      `There are no subjects in ${place.state} yet; they come with the log's first entries.`,
    );
  }
  try {
    return await work(store);
  } finally {
    store.close();
  }
}
