/** What `latticegate audit witness` does: one look at a log, an incident accepted, witnesses compared. */
import path from "node:path";

import { readCheckpointBody, readNote } from "../audit/checkpoint.ts";
import { readHead } from "../audit/head.ts";
import type { IncidentKind } from "../audit/witness.ts";
import { type LogKey, readLogKey } from "../crypto/log-key.ts";
import { type OpenIncident, type WitnessFolder, witnessFolder } from "../host/store/witness-folder.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Bootstrap } from "./bootstrap.ts";
import { readKeyFile } from "./log-verification.ts";
import { openSidecarIdentity } from "./sidecar-identity.ts";
import { statePaths } from "./state-folder.ts";
import { reportOf, type RoundOutcome, witnessRound, witnessSigner } from "./witness-round.ts";
import { folderLog, type LogSource, withGatewayLog } from "./witness-source.ts";

export interface WitnessedBy {
  /** A sidecar's state folder. */
  readonly state: string;
  readonly joinToken?: string;
  readonly bootstrap?: Bootstrap;
  /** Instead of its gateway's: a log's folder, or a copy. */
  readonly log?: string;
  /** File with a public key of the log, of any generation, to begin with instead of what the log says. */
  readonly key?: string;
  readonly clock: Clock;
  readonly logger: Log;
}

/** Asks once, keeps what was seen and cosigns it; an incident is reported to the gateway. */
export async function witnessOnce(options: WitnessedBy): Promise<RoundOutcome> {
  const { clock } = options;
  const store = witnessFolder(statePaths(options.state).witness);
  return await withLog(options, async (source, signer) => {
    const outcome = await witnessRound({ store, source, clock, ...(signer && { signer }) });
    // Who lies about its log may not want to hear it; the evidence is here all the same.
    if (outcome.kind === "incident") await source.report?.(reportOf(outcome.incident)).catch(() => undefined);
    return outcome;
  });
}

/** Lends the log that is named: the gateway's, or a folder's. */
export async function withLog<T>(
  { state, joinToken, bootstrap, log, key, clock, logger }: WitnessedBy,
  work: (source: LogSource, signer?: Awaited<ReturnType<typeof witnessSigner>>) => Promise<T>,
): Promise<T> {
  const pinned = key === undefined ? {} : { keys: () => readKeyFile(key) };
  if (log !== undefined) {
    const beside = path.join(path.dirname(path.resolve(log)), "log-key.txt");
    return await work({ ...folderLog(log, beside), ...pinned });
  }
  const identity = await openSidecarIdentity({ state, joinToken, bootstrap, clock, log: logger });
  try {
    const signer = await witnessSigner(identity.keys, identity.trustDomain);
    const { signal } = new AbortController();
    return await withGatewayLog(identity, { signal }, (source) => work({ ...source, ...pinned }, signer));
  } finally {
    await identity.stop();
  }
}

/**
 * Takes what an incident showed for the log's history from now on; the evidence stays.
 * @returns what was accepted, undefined if nothing was open
 */
export async function acceptIncident(
  options: Pick<WitnessedBy, "state" | "clock" | "logger">,
): Promise<{ readonly incident: OpenIncident; readonly isGatewayTold: boolean } | undefined> {
  const store = witnessFolder(statePaths(options.state).witness);
  const incident = await store.alone(async () => {
    const open = await store.open();
    if (open !== undefined) await take(open, store);
    return open;
  });
  if (incident === undefined) return undefined;
  const told = { ...reportOf(incident), kind: "accepted" };
  const telling = withLog(options, async ({ report }) => report?.(told));
  return { incident, isGatewayTold: await telling.then(() => true, isFault) };
}

/** The gateway may be away; that keeps nobody from accepting. */
function isFault(error: unknown): false {
  if (error instanceof Refusal || (error instanceof Error && "code" in error)) return false;
  throw error;
}

/** Whether nothing is left to tell a log by once such an incident is accepted. */
export function forgetsKeys(what: IncidentKind): boolean {
  return what === "other-log" || what === "keys";
}

async function take(open: OpenIncident, store: WitnessFolder): Promise<void> {
  if (forgetsKeys(open.what)) await store.forget();
  else if (open.what !== "frozen") {
    // INVARIANT: the history that was looked at, and no third one.
    await store.pin(keysThatHold(open));
    await store.take(open.shown);
  }
  await store.close();
}

/** The newest that were known; or those of the head that was shown, if it is older than all of them. */
function keysThatHold({ keys, shown, shownSignedBy }: OpenIncident): LogKey {
  const newest = readLogKey(keys);
  return readHead(shown, newest).kind === "signed" || shownSignedBy === ""
    ? newest
    : readLogKey(shownSignedBy);
}

/** What a note says, for people. */
export function headLine(checkpoint: Uint8Array): string {
  const note = readNote(checkpoint);
  const body = note === undefined ? undefined : readCheckpointBody(note.text);
  return body === undefined ? "nothing" : `${body.size} entries of ${body.origin}`;
}
