/** A state folder's audit log: opened with its keys, with what the last run left open brought to its end. */
import { randomUUIDv7 } from "node:crypto";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

import type { Subject } from "../audit/personal-facts.ts";
import { crossingsFolder } from "../audit/crossing.ts";
import type { RenewalBody } from "../audit/renewal.ts";
import { formatLogKey, type LogGeneration } from "../crypto/log-key.ts";
import type { Profile } from "../crypto/suites/profiles.ts";
import type { LogSuites } from "../crypto/suites/signatures.ts";
import type { RenewalHash } from "../crypto/suites/symmetric.ts";
import { findCall } from "../host/store/find-call.ts";
import { syncFolders, writePrivateFile } from "../host/store/files.ts";
import { type FileJournal, openJournal } from "../host/store/journal-files.ts";
import type { Durability } from "../host/store/journal-options.ts";
import { renewLog } from "../host/store/journal-renewal.ts";
import { type Pruned, pruneLog, type Pruning } from "../host/store/journal-retention.ts";
import type { GenerationSigners } from "../host/store/journal-rotation.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { openSubjects, type SubjectStore } from "../host/store/state-subjects.ts";
import type { Digests } from "../gate/ports.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import {
  eraseEnded,
  newestGenerations,
  type OpenLogKeys,
  openLogKeys,
  sameSuites,
  suiteIdsOf,
} from "./log-keys.ts";
import { observed, type OnWritten } from "./observed-journal.ts";
import { recordErasures } from "./subject-records.ts";
import { type LogNames, namesIn } from "./subject-names.ts";
import { liveSubjects, pseudonymous, subjectsSecret } from "./subjects.ts";
import { statePaths } from "./state-folder.ts";
import { takingTurns, type Turns } from "./turns.ts";

/** The slowest signature is made when the gateway is up and has answered its first calls. */
const dailyAfterMs = 10_000;

export interface AuditLog {
  /** Takes entries with names, and writes them with pseudonyms. */
  readonly journal: FileJournal;
  readonly digests: Digests;
  /** By whose key something of a caller is sealed; of somebody the log doesn't speak of, one that nobody keeps. */
  readonly subjectOf: (id: string) => Subject;
  readonly origin: string;
  /** How its entries name people. */
  readonly names: LogNames;
  /**
   * Takes the log to a new generation of keys of these suites, while it is written; the old keys are erased.
   * @throws Refusal as `FileJournal.rotate`; what a signer refuses
   */
  readonly rotate: (to: LogRotation) => Promise<LogGeneration>;
  /**
   * Wraps the log under another hash, while it is written; rotations wait.
   * @throws Refusal as `renewLog`; what a signer refuses
   */
  readonly renew: (how: LogRenewal) => Promise<RenewalBody>;
  /**
   * Removes old entries, while it is written; rotations and renewals wait.
   * @throws as `pruneLog`
   */
  readonly prune: (what: Omit<Pruning, "folder" | "journal" | "pause">) => Promise<Pruned>;
  /**
   * Begins no rotation, renewal or removal any more, ends a renewal or removal that is under way, and resolves once it
   * has ended; `journal.close` does it too.
   */
  readonly stop: () => Promise<void>;
}

interface LogRenewal {
  readonly hash: RenewalHash;
  /** Who did it: a SPIFFE ID. */
  readonly principal: string;
  /** What made it do so, such as a command. */
  readonly by: string;
}

export interface LogRotation {
  readonly suites: LogSuites;
  /** Who did it: a SPIFFE ID. */
  readonly principal: string;
  /** What made it do so, such as a command. */
  readonly by: string;
}

interface AuditLogOptions {
  readonly trustDomain: string;
  /** Whose log it is, a SPIFFE ID: the gateway's by default. */
  readonly owner?: string;
  /** Told when a command has destroyed keys, with the ids as far as they were seen here. */
  readonly onErased?: (ids: readonly string[]) => void;
  /** Told of each entry, those about the log itself, too. */
  readonly onWritten?: OnWritten;
  /** Of the keys that a new log begins with. */
  readonly suites: LogSuites;
  /** `process` if absent. */
  readonly durability?: Durability;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws Refusal `bad_log` if the log on disk isn't the one its last head speaks of */
export async function openAuditLog(
  state: string,
  keys: KeyFolder,
  options: AuditLogOptions,
): Promise<AuditLog> {
  const paths = statePaths(state);
  const { clock, log } = options;
  const { origin, current, make } = await openLogKeys(paths.log, keys, options);
  const { number: generation, signers, dailySigner } = current;
  const store = openSubjects(paths.database, await keys.secret(subjectsSecret), subjectPatienceMs);
  const files = await openJournal({
    folder: paths.log,
    origin,
    signers,
    ...(dailySigner && { dailySigner }),
    dailyAfterMs,
    generation,
    next: make,
    ...(options.durability && { durability: options.durability }),
    clock,
    log,
  }).catch((error: unknown) => {
    store.close();
    throw error;
  });
  const turns = takingTurns();
  const { journal, digests, subjectOf } = withSubjects(files, store, options, turns.stop);
  if (journal.recovered.tornBytes > 0) log.warn("log.torn", { bytes: journal.recovered.tornBytes });
  await settleKeys(state, keys, journal, log);
  await endOpenCalls(journal, clock, log);
  const writing = { journal, make, clock, turns };
  const rotate = rotation(writing, log, async (callId) => {
    await settleKeys(state, keys, journal, log);
    await showRotation(paths.log, callId, options.onWritten);
  });
  const renew = renewal({ ...writing, folder: paths.log, origin });
  const prune: AuditLog["prune"] = (what) =>
    turns.untilStopped("a removal of old entries", (over) => {
      const signal = AbortSignal.any(what.signal === undefined ? [over] : [over, what.signal]);
      return pruneLog({ ...what, folder: paths.log, journal, pause: () => nextTurn(), signal });
    });
  return {
    journal,
    digests,
    subjectOf,
    origin,
    names: namesIn(store),
    rotate,
    renew,
    prune,
    stop: turns.stop,
  };
}

/** All calls wait while one waits for its caller's key: a command that holds the database longer has that call refused. */
const subjectPatienceMs = 250;

/** INVARIANT: the only way into the log: nothing that names a caller or a user gets past it. */
function withSubjects(
  files: FileJournal,
  store: SubjectStore,
  options: AuditLogOptions,
  stopTurns: () => Promise<void>,
): Pick<AuditLog, "journal" | "digests" | "subjectOf"> {
  const subjects = liveSubjects(store, options);
  const { owner = gatewayIdOf(options.trustDomain), onWritten, clock, log } = options;
  const veiled = pseudonymous(files, subjects);
  const named = { ...veiled, ...observed(veiled, onWritten ? [onWritten] : []) };
  const stop = recordErasures({ journal: named, subjects, store, owner, clock, log });
  const close = async (): Promise<void> => {
    // INVARIANT: nothing is written into the folder once the lock is gone.
    await stopTurns();
    await stop();
    await files.close().finally(store.close);
  };
  const subjectOf = (id: string): Subject => {
    subjects.refresh();
    return subjects.knownOr(id);
  };
  return { journal: { ...files, append: named.append, owe: named.owe, close }, digests: named, subjectOf };
}

/** Rotates to the suites of a profile, unless the log's keys are of these suites already. @returns whether it did */
export async function followSuites(audit: AuditLog, to: LogRotation): Promise<boolean> {
  const ours = audit.journal.generation().keys.map(({ suiteId }) => suiteId);
  if (sameSuites(ours, suiteIdsOf(to.suites))) return false;
  await audit.rotate(to);
  return true;
}

/** Follows the newest profile; what fails is told, and tried again until it is done. */
export function followingLog(
  audit: AuditLog,
  principal: string,
  log: Log,
): {
  readonly follow: (profile: Pick<Profile, "name" | "log">) => void;
  readonly stop: () => Promise<void>;
} {
  let newest: Pick<Profile, "name" | "log"> | undefined;
  let following: Promise<void> | undefined;
  const over = new AbortController();
  const { signal } = over;
  const goOn = async (): Promise<void> => {
    while (newest !== undefined && !signal.aborted) {
      const { name, log: suites } = newest;
      try {
        await followSuites(audit, { suites, principal, by: `profile ${name}` });
        if (newest.name === name) newest = undefined;
      } catch (error) {
        if (signal.aborted) return;
        log.error("log.rotation_failed", { reason: error instanceof Error ? error.message : "unknown" });
        await pause(retryMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  };
  return {
    follow: (profile) => {
      newest = profile;
      following ??= goOn().finally(() => (following = undefined));
    },
    stop: async () => {
      over.abort();
      await following;
    },
  };
}

/** A signer may be away for a moment. */
const retryMs = 5000;

interface Writing {
  readonly journal: FileJournal;
  readonly make: OpenLogKeys["make"];
  readonly clock: Clock;
  readonly turns: Turns;
}

function rotation(
  { journal, make, clock, turns }: Writing,
  log: Log,
  settle: (callId: string) => Promise<void>,
): AuditLog["rotate"] {
  return ({ suites, principal, by }) => {
    const ahead = turns.underWay();
    if (ahead !== undefined) log.warn("log.rotation_waits", { reason: `${ahead} is under way`, by });
    return turns.inTurn(async () => {
      const next = await make(journal.generation().number + 1, suiteIdsOf(suites));
      const cause = { atUnixMs: clock.nowUnixMs(), callId: randomUUIDv7(), principal, by };
      await journal.rotate(next, cause);
      await settle(cause.callId);
      return journal.generation();
    });
  };
}

/** The files write the entry of a rotation themselves, under the keys that end with it. */
async function showRotation(folder: string, callId: string, show: OnWritten | undefined): Promise<void> {
  if (show === undefined) return;
  for (const { index, reading } of await findCall(folder, callId))
    if (reading.kind === "entry") show({ ...reading.entry, event: "log.rotate" }, index);
}

function renewal(log: Writing & { readonly folder: string; readonly origin: string }): AuditLog["renew"] {
  const { journal, make, clock, turns, folder, origin } = log;
  return ({ hash, principal, by }) =>
    turns.untilStopped("a renewal of the log", async (signal) => {
      // They are there: no rotation is under way, and the last one is settled.
      const { number, keys } = journal.generation();
      const kinds = keys.map(({ kind }) => kind);
      const signing: GenerationSigners = await make(number, kinds);
      const cause = { callId: randomUUIDv7(), principal, by };
      return await renewLog(
        { folder, origin, journal, signing },
        { hash, cause, clock, pause: () => nextTurn(), signal },
      );
    });
}

/** The public key file says which generation signs, and no other generation's keys stay. */
async function settleKeys(state: string, keys: KeyFolder, journal: FileJournal, log: Log): Promise<void> {
  const paths = statePaths(state);
  const current = journal.generation();
  await writePrivateFile(paths.logKey, formatLogKey(await newestGenerations(paths.log, current)));
  // What the old keys would be needed for has to survive a loss of power before they are gone.
  await syncFolders(paths.log, [crossingsFolder]);
  const erased = await eraseEnded(keys, current.number);
  if (erased.length > 0) log.info("log.keys_erased", { keys: erased.join(" "), generation: current.number });
}

/** Calls that were under way when the last run died: nobody will ever know how they ended, and that is recorded. */
async function endOpenCalls(journal: FileJournal, clock: Clock, log: Log): Promise<void> {
  const { openCalls } = journal.recovered;
  if (openCalls.length === 0) return;
  await Promise.all(
    openCalls.map(({ callId, principal, tool }) =>
      journal.append({
        event: "call.outcome",
        atUnixMs: clock.nowUnixMs(),
        callId,
        principal,
        tool,
        outcome: "error",
        facts: { reason: "gateway_stopped" },
      }),
    ),
  );
  log.warn("log.calls_interrupted", { calls: openCalls.length });
}
