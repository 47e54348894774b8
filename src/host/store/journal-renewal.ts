/**
 * A renewal of a log that is being written (docs/formats/renewal.md). The order on disk: what stands for
 * removed entries, the head it wraps, the list of its evidence, the note, the entry; whoever is killed in between leaves files that the next renewal writes anew,
 * or a note whose entry the next one appends first.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { readCheckpointBody, readNote } from "../../audit/checkpoint.ts";
import { crossingsFolder } from "../../audit/crossing.ts";
import { findCrossings, walkGenerations } from "../../audit/generations.ts";
import { readEntry } from "../../audit/entry.ts";
import { rootsOfEntries } from "../../audit/entry-roots.ts";
import type { LogFiles } from "../../audit/log-walk.ts";
import {
  maxRenewals,
  noteDigest,
  readRenewalBody,
  type Renewal,
  type RenewalBody,
  renewalBody,
  renewalDraft,
  renewalEvent,
  renewalNamed,
  renewalPath,
  renewalsFolder,
  renewedFilesPath,
  renewedHeadPath,
  signRenewal,
} from "../../audit/renewal.ts";
import {
  formatRenewedFiles,
  isRenewedFile,
  maxRenewedFiles,
  type RenewedFile,
  renewedFile,
  renewedFilesRoot,
} from "../../audit/renewed-files.ts";
import { sameRoot } from "../../audit/removed-entries.ts";
import { findRenewals, readRenewals } from "../../audit/renewals.ts";
import type { RotationCause } from "../../audit/rotation.ts";
import { hashes } from "../../crypto/hash.ts";
import { noteVerifier, type NoteSigner } from "../../crypto/note-keys.ts";
import { logHash, type RenewalHash } from "../../crypto/suites/symmetric.ts";
import { toBase64 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { noneIfMissing, syncFolders } from "./files.ts";
import type { FileJournal } from "./journal-files.ts";
import { type GenerationSigners, signersOf } from "./journal-rotation.ts";
import { checkpointFile, headsFolder, writeAtomically } from "./log-folder.ts";
import { openLogReader } from "./log-reader.ts";
import { writeRemovedRoots } from "./removed-roots.ts";

export interface RenewingLog {
  readonly folder: string;
  readonly origin: string;
  readonly journal: Pick<FileJournal, "append" | "checkpoint" | "head" | "generation">;
  /** The keys that sign. INVARIANT: they don't rotate meanwhile, and retention removes nothing. */
  readonly signing: GenerationSigners;
}

export interface RenewalWish {
  readonly hash: RenewalHash;
  readonly cause: Omit<RotationCause, "atUnixMs">;
  readonly clock: Clock;
  /** Lets the calls of a running gateway go on. */
  readonly pause: () => Promise<void>;
  /** Ends it with the signal's reason: between two slices of its work, and before whatever it would write. */
  readonly signal?: AbortSignal;
}

/**
 * Wraps the log as it is now.
 * @throws the signal's reason; Refusal `bad_log` if the entries aren't those that the head vouches for; `journal_unavailable` if no head
 * or entry can be written; `bad_state` for an empty log, or one renewed too often
 */
export async function renewLog(log: RenewingLog, asked: RenewalWish): Promise<RenewalBody> {
  const { folder, journal } = log;
  const { wish, write } = untilAborted(folder, asked);
  const { files } = openLogReader(folder);
  await journal.checkpoint();
  const head = await newestHead(files, journal);
  const number = await nextNumber(folder);
  const prior = await priorOf(files, journal, wish.hash);
  await wish.pause();
  const from = await writeRemovedRoots(folder, { number, hash: wish.hash, size: head.size }, prior);
  const { root, isNamed } = await wrappedEntries(files, { head, number, from, prior }, wish);
  if (number > 1 && !(await isNamed(number - 1))) await nameUnfinished(log, number - 1, causeOf(wish));
  await write(renewedHeadPath(number), head.bytes);
  const list = await evidenceOf(folder, files, number, wish);
  await write(renewedFilesPath(number), formatRenewedFiles(list));
  const cause = causeOf(wish);
  const body = renewalBody({
    origin: log.origin,
    number,
    atUnixMs: cause.atUnixMs,
    hash: wish.hash,
    size: head.size,
    root,
    from,
    evidence: { count: list.length, root: renewedFilesRoot(hashes(wish.hash), list) },
  });
  const note = await signRenewal(body, renewalSigners(log.signing));
  await write(renewalPath(number), note);
  // What follows is short, and the next renewal's work if it fails.
  await syncFolders(folder, [renewalsFolder]);
  await journal.append(renewalDraft(body, noteDigest(note, hashes(wish.hash)), cause));
  await journal.checkpoint();
  return body;
}

function untilAborted(
  folder: string,
  wish: RenewalWish,
): { readonly wish: RenewalWish; readonly write: (path: string, bytes: Uint8Array) => Promise<void> } {
  const { signal } = wish;
  const pause = async (): Promise<void> => {
    await wish.pause();
    signal?.throwIfAborted();
  };
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    await writeAtomically(folder, path, bytes);
  };
  return { wish: { ...wish, pause }, write };
}

/** As late as can be: a large log takes its time, and a signer signs no past. */
function causeOf({ cause, clock }: RenewalWish): RotationCause {
  return { ...cause, atUnixMs: clock.nowUnixMs() };
}

interface WrappedHead {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
}

const tries = 100;

/** The head on disk, if it is the one that the journal knows to be its own. */
async function newestHead(files: LogFiles, journal: RenewingLog["journal"]): Promise<WrappedHead> {
  for (let i = 0; i < tries; i++) {
    const bytes = (await files(checkpointFile)) ?? new Uint8Array();
    const body = readCheckpointBody(readNote(bytes)?.text ?? "");
    const ours = journal.head();
    // A newer one may be written at any time.
    if (body === undefined || body.size !== ours?.size || toBase64(body.root) !== ours.root) continue;
    if (body.size === 0) throw new Refusal("bad_state", "The log is empty; there is nothing to renew.");
    return { bytes, size: body.size, root: body.root };
  }
  throw new Refusal("bad_log", "The head on disk isn't the log's; run \"latticegate audit verify\" on it.");
}

async function nextNumber(folder: string): Promise<number> {
  const names = await readdir(join(folder, renewalsFolder)).catch(noneIfMissing);
  const number = 1 + Math.max(0, ...names.filter((name) => /^[1-9][0-9]{0,3}$/.test(name)).map(Number));
  if (number <= maxRenewals) return number;
  throw new Refusal("bad_state", `A log is renewed ${maxRenewals} times at most; begin a new one.`);
}

/** The newest by that hash that the log's keys vouch for: it may know what stands for removed entries. */
async function priorOf(
  files: LogFiles,
  journal: RenewingLog["journal"],
  hash: RenewalHash,
): Promise<Renewal | undefined> {
  const logKey = [journal.generation()];
  const generations = walkGenerations(await findCrossings(files, logKey), logKey);
  const { renewals } = readRenewals(await findRenewals(files), { generations, hashes });
  return renewals.findLast((renewal) => renewal.hash === hash);
}

interface Wrapping {
  readonly head: WrappedHead;
  readonly number: number;
  readonly from: number;
  readonly prior: Renewal | undefined;
}

interface Wrapped {
  readonly root: Uint8Array;
  /** Whether an entry names that renewal, or may have before it was removed. */
  readonly isNamed: (number: number) => Promise<boolean>;
}

/** Their root by the new hash, once they are known to be what the head and the prior renewal vouch for. */
async function wrappedEntries(
  files: LogFiles,
  { head, number, from, prior }: Wrapping,
  { hash, pause }: RenewalWish,
): Promise<Wrapped> {
  const { size } = head;
  const named = new Set<number>();
  const needle = Buffer.from(`"event_type":"${renewalEvent}"`);
  const see = (bytes: Uint8Array): void => {
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(needle)) return;
    const reading = readEntry(bytes);
    const other = reading.kind === "entry" ? renewalNamed(reading.entry)?.number : undefined;
    if (other !== undefined) named.add(other);
  };
  const ours = { hash, size, number, from };
  const ofHead = { hash: logHash, size };
  const wanted = [ours, ofHead, ...(prior === undefined ? [] : [prior])];
  const { rootAt, removed } = await rootsOfEntries(files, wanted, { hashes, pause, see });
  const root = rootAt(ours);
  const isPriors = prior === undefined || removed === 0 || sameRoot(rootAt(prior), prior.root);
  if (root !== undefined && isPriors && sameRoot(rootAt(ofHead), head.root)) {
    const isNamed = async (other: number): Promise<boolean> =>
      named.has(other) || removed > (await sizeOf(files, other));
    return { root, isNamed };
  }
  throw new Refusal(
    "bad_log",
    "The log's entries aren't those that its head and renewals vouch for, so they aren't wrapped; run \"latticegate audit verify\" on it.",
  );
}

/** How many entries a renewal wraps: its own entry stands behind them. */
async function sizeOf(files: LogFiles, number: number): Promise<number> {
  const note = (await files(renewalPath(number))) ?? new Uint8Array();
  return readRenewalBody(readNote(note)?.text ?? "")?.size ?? Number.MAX_SAFE_INTEGER;
}

/** The entry of a renewal whose process died before it. */
async function nameUnfinished(
  { folder, journal }: RenewingLog,
  number: number,
  cause: RotationCause,
): Promise<void> {
  const note = (await openLogReader(folder).files(renewalPath(number))) ?? new Uint8Array();
  const body = readRenewalBody(readNote(note)?.text ?? "");
  if (body === undefined) {
    const path = renewalPath(number);
    throw new Refusal("bad_log", `${path} can't be read; run "latticegate audit verify" on the log.`);
  }
  await journal.append(renewalDraft(body, noteDigest(note, hashes(body.hash)), cause));
}

/** Every file that a verifier may need from before, in the order of the paths. */
async function evidenceOf(
  folder: string,
  files: LogFiles,
  number: number,
  { hash: id, pause }: RenewalWish,
): Promise<readonly RenewedFile[]> {
  const hash = hashes(id);
  const paths = ["first-key.txt"];
  for (const below of [crossingsFolder, headsFolder, renewalsFolder]) {
    const names = await readdir(join(folder, below)).catch(noneIfMissing);
    paths.push(...names.map((name) => `${below}/${name}`));
  }
  // What a renewal that died left behind is written anew.
  const own = new Set([renewalPath(number), renewedFilesPath(number)]);
  const list: RenewedFile[] = [];
  for (const path of paths.filter((each) => isRenewedFile(each) && !own.has(each)).toSorted()) {
    const bytes = await files(path);
    if (bytes !== undefined) list.push(renewedFile(hash, path, bytes));
    await pause();
  }
  if (list.length <= maxRenewedFiles) return list;
  throw new Refusal("bad_log", `The log has ${list.length} files beside its entries; that can't be.`);
}

/** A cosignature is of a tree of SHA-256, so a cosigner has nothing to sign here. */
function renewalSigners(signing: GenerationSigners): readonly NoteSigner[] {
  return signersOf(signing).filter(({ vkey }) => noteVerifier(vkey).role !== "cosignature");
}
