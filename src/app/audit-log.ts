/** A state folder's audit log: opened with its keys, with what the last run left open brought to its end. */
import { fingerprint } from "../crypto/keys.ts";
import { formatLogKey, noteSigner } from "../crypto/note-keys.ts";
import { logSuites } from "../crypto/suites/signatures.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { type FileJournal, openJournal } from "../host/store/journal-files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { statePaths } from "./state-folder.ts";

export interface AuditLog {
  readonly journal: FileJournal;
  readonly origin: string;
}

/** @throws Refusal `bad_log` if the log on disk isn't the one its last head speaks of */
export async function openAuditLog(
  state: string,
  keys: KeyFolder,
  options: { readonly trustDomain: string; readonly clock: Clock; readonly log: Log },
): Promise<AuditLog> {
  const paths = statePaths(state);
  const ed25519 = await keys.signing("log-ed25519", logSuites.classical);
  const mlDsa65 = await keys.signing("log-ml-dsa-65", logSuites.main);
  const mlDsa44 = await keys.signing("log-ml-dsa-44", logSuites.cosignature);
  const slhDsa = await keys.signing("log-slh-dsa", logSuites.daily);
  const origin = `${options.trustDomain}/log/${fingerprint(mlDsa65.publicKey).slice(0, 8)}`;
  const signers = [
    noteSigner("ed25519", origin, ed25519),
    noteSigner("ml-dsa-65", origin, mlDsa65),
    noteSigner("ml-dsa-44", origin, mlDsa44),
  ];
  const dailySigner = noteSigner("slh-dsa-sha2-128s", origin, slhDsa);
  await writePrivateFile(paths.logKey, formatLogKey([...signers, dailySigner]));
  const { clock, log } = options;
  const journal = await openJournal({ folder: paths.log, origin, signers, dailySigner, clock, log });
  if (journal.recovered.tornBytes > 0) log.warn("log.torn", { bytes: journal.recovered.tornBytes });
  await endOpenCalls(journal, clock, log);
  return { journal, origin };
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
