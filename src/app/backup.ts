/** `latticegate ca backup | restore`: everything that makes the authority, as one sealed file and back. */
import { randomBytes } from "node:crypto";
import { cp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";

import {
  type Backup,
  type BackupFile,
  maxBackupBytes,
  openBackup,
  sealBackup,
} from "../crypto/backup-file.ts";
import { ensurePrivateFolder, readIfThere, writePrivateFile } from "../host/store/files.ts";
import { readSecretSource, type SecretSource } from "../host/store/secret-source.ts";
import { openApprovals } from "../host/store/state-approvals.ts";
import { openPeople } from "../host/store/state-people.ts";
import { copyState, openRoots, type RootEvent } from "../host/store/state-roots.ts";
import { utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { runningGateway } from "./certificate-authority.ts";
import type { Config } from "./config.ts";
import { listLogKeys } from "./log-key-list.ts";
import { readKeyFile, verifyLogFolder } from "./log-verification.ts";
import { repeatErasures } from "./subject-records.ts";
import { statePaths } from "./state-folder.ts";

export interface BackupReport {
  readonly files: number;
  readonly bytes: number;
  /** Whether the secret that unlocks the keys is in it; else it must be kept beside it. */
  readonly hasUnlock: boolean;
  /** Whether the root and log keys are in it; else a signer has them, whose folder is backed up beside it. */
  readonly hasAuthorityKeys: boolean;
}

export interface RestoreReport {
  readonly madeUnixMs: number;
  readonly files: number;
  readonly log: "new" | "continued";
  /** Where what the backup has of its log is kept: the public key, the head, and the entries if they are in it. */
  readonly oldLog: string;
  /** Where what was there before went; undefined if there was nothing. */
  readonly replaced: string | undefined;
}

export interface RestoreOptions {
  readonly file: string;
  readonly passphrase: SecretSource;
  readonly clock: Clock;
  /** The log/ folder of the gateway that is no more, to be continued; without it a new log begins. */
  readonly log?: string;
  /** Moves aside what is in the state folder. */
  readonly isReplacing: boolean;
}

const topFiles = [
  "server-root.pem",
  "client-root.pem",
  "server-root-classical.pem",
  "client-root-classical.pem",
  "trust-domain",
  "log-key.txt",
  "unlock.key",
  "signer.key",
] as const;
/** The log's head when the backup was made: a log that is continued may not be older. */
const seenHead = "log-checkpoint";
/** INVARIANT: the names under which `openAuditLog` has its keys, and of no others. */
const isLogKey = (file: string): boolean => file.startsWith("keys/log-");

/** @param hasLog whether the log's entries go in as well */
export async function writeBackup(
  config: Config,
  options: {
    readonly file: string;
    readonly passphrase: SecretSource;
    readonly hasLog: boolean;
    readonly clock: Clock;
    /** One that isn't kept leaves no entry. */
    readonly isUnnoted?: boolean;
  },
): Promise<BackupReport> {
  const paths = statePaths(config.state);
  const trustDomain = (await readIfThere(paths.trustDomain))?.trim();
  if (trustDomain === undefined) {
    throw new Refusal(
      "bad_state",
      `There is no authority in ${config.state} yet; run "latticegate up" once.`,
    );
  }
  await mustNotExist(options.file);
  const passphrase = await readSecretSource(options.passphrase, "The backup's passphrase can't be read");
  // The database first: a key is never changed or removed, so those read later are all it speaks of.
  const database = await databaseCopy(paths.database);
  const keys = await filesIn(paths.keys, "keys", (name) => name.endsWith(".json"));
  const top = await Promise.all(topFiles.map((name) => fileIfThere(config.state, name)));
  const head = await fileIfThere(paths.log, "checkpoint", seenHead);
  const log = options.hasLog ? await filesIn(paths.log, "log", (name) => name !== "lock") : [];
  const files = [database, ...top.flat(), ...head, ...keys, ...log];
  const madeUnixMs = options.clock.nowUnixMs();
  const sealed = await sealBackup({ madeUnixMs, trustDomain, files }, passphrase);
  await writePrivateFile(options.file, sealed);
  if (options.isUnnoted !== true) noteBackup(paths.database, options.clock);
  const hasUnlock = config.unlock === undefined && files.some((file) => file.path === "unlock.key");
  const hasAuthorityKeys = config.signer === undefined;
  return { files: files.length, bytes: sealed.length, hasUnlock, hasAuthorityKeys };
}

/** Into a folder beside the state folder first, so that it is there whole or not at all. */
export async function restoreBackup(config: Config, options: RestoreOptions): Promise<RestoreReport> {
  if ((await runningGateway(config.state)) !== undefined) {
    throw new Refusal("bad_state", `A gateway runs on ${config.state}; stop it first.`);
  }
  const isEmpty = await isEmptyFolder(config.state);
  if (!isEmpty && !options.isReplacing) {
    throw new Refusal(
      "bad_state",
      `${config.state} isn't empty. Restore into an empty folder, or move what is there aside with --danger-replace.`,
    );
  }
  const passphrase = await readSecretSource(options.passphrase, "The backup's passphrase can't be read");
  const backup = await openBackup(await readBounded(options.file), passphrase);
  if (backup.trustDomain !== config.trust_domain) {
    throw new Refusal(
      "bad_state",
      `The backup is of the trust domain "${backup.trustDomain}", the config says "${config.trust_domain}".`,
    );
  }
  const staging = `${config.state}.restoring-${randomBytes(6).toString("hex")}`;
  try {
    const hasSigner = config.signer !== undefined;
    const oldLog = await unpack(backup, staging, { ...options, hasSigner });
    const replaced = isEmpty ? undefined : `${config.state}.replaced-${stamp(options.clock)}`;
    if (replaced === undefined) await rm(config.state, { recursive: true, force: true });
    else await rename(config.state, replaced);
    await rename(staging, config.state);
    const { madeUnixMs, files } = backup;
    const log = options.log === undefined ? "new" : "continued";
    return { madeUnixMs, files: files.length, log, oldLog: path.join(config.state, oldLog), replaced };
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

/** @returns the folder with what the backup has of its own log, relative */
async function unpack(
  backup: Backup,
  folder: string,
  options: RestoreOptions & { readonly hasSigner: boolean },
): Promise<string> {
  const continues = options.log !== undefined;
  const oldLog = `log.until-${new Date(backup.madeUnixMs).toISOString().replaceAll(":", "").slice(0, 17)}Z`;
  await ensurePrivateFolder(folder);
  for (const file of backup.files) {
    // Two logs under one key would be two histories, each proven: the keys end with the log they signed.
    if (isLogKey(file.path) && !continues) continue;
    const target = targetOf(file.path, { oldLog, continues });
    if (target === undefined)
      throw new Refusal("bad_state", `The backup has a file that belongs nowhere: ${file.path}.`);
    const at = path.join(folder, target);
    await ensurePrivateFolder(path.dirname(at));
    await writePrivateFile(at, file.bytes);
  }
  if (options.log !== undefined) await takeLogAlong(options.log, folder, path.join(folder, oldLog));
  if (options.log !== undefined && !options.hasSigner) await mustHaveKeys(options.log, folder);
  if (continues) await repeatErasures(folder);
  endApprovals(statePaths(folder).database, options.clock);
  endPasskeys(statePaths(folder).database);
  noteRestore(statePaths(folder).database, backup, options);
  return oldLog;
}

/** Where a file of the backup goes; undefined for one that has no place. */
function targetOf(
  file: string,
  log: { readonly oldLog: string; readonly continues: boolean },
): string | undefined {
  if (file.startsWith("log/")) return `${log.oldLog}/${file.slice("log/".length)}`;
  if (file === seenHead) return `${log.oldLog}/checkpoint.seen`;
  if (file === "log-key.txt") return log.continues ? file : `${log.oldLog}/${file}`;
  if (file === "state.sqlite" || topFiles.some((name) => name === file)) return file;
  return /^keys\/[^/]+\.json$/.test(file) ? file : undefined;
}

/** @throws Refusal `bad_log` if it isn't whole, and of the keys in the backup */
async function takeLogAlong(from: string, folder: string, oldLog: string): Promise<void> {
  const paths = statePaths(folder);
  const seen = path.join(oldLog, "checkpoint.seen");
  const verdict = await verifyLogFolder({ folder: from, key: paths.logKey, seen });
  if (verdict.kind === "broken") {
    const [first] = verdict.findings;
    throw new Refusal(
      "bad_log",
      `${from} can't be continued: it isn't the whole log of this authority, or older than the backup (${first?.text ?? "unknown"}).`,
    );
  }
  await cp(from, paths.log, { recursive: true, filter: (source) => path.basename(source) !== "lock" });
}

/** Ended keys are erased, so an older backup has none to go on with. A signer has its keys where it had them. */
async function mustHaveKeys(from: string, folder: string): Promise<void> {
  const paths = statePaths(folder);
  const { generations } = await listLogKeys({ folder: paths.log, key: paths.logKey });
  const held = (await readKeyFile(paths.logKey)).at(-1)?.number;
  const signs = generations.at(-1)?.number;
  if (signs === held) return;
  throw new Refusal(
    "bad_log",
    `${from} can't be continued: its keys have rotated to generation ${signs} after the backup, whose keys are of generation ${held}. Begin a new log, without --log.`,
  );
}

/** What was approved when the backup was made may have been used since: once is once. */
function endApprovals(database: string, clock: Clock): void {
  const approvals = openApprovals(database);
  approvals.expireAll(clock.nowUnixMs());
  approvals.close();
}

/** One that was removed since, because its device was lost, may not come back; people add theirs again within a minute. */
function endPasskeys(database: string): void {
  const people = openPeople(database);
  people.removePasskeys();
  people.close();
}

/** In what the next start of the gateway writes into its log. */
function noteRestore(database: string, backup: Backup, { clock, log }: RestoreOptions): void {
  const made = new Date(backup.madeUnixMs).toISOString();
  const facts = { backup: made, log: log === undefined ? "new" : "continued" };
  note(database, { atUnixMs: clock.nowUnixMs(), what: "restore", facts });
}

function noteBackup(database: string, clock: Clock): void {
  note(database, { atUnixMs: clock.nowUnixMs(), what: "backup", facts: {} });
}

function note(database: string, event: RootEvent): void {
  const store = openRoots(database);
  try {
    store.change((_roots, change) => change.tell(event));
  } finally {
    store.close();
  }
}

async function databaseCopy(database: string): Promise<BackupFile> {
  const copy = `${database}.copy-${randomBytes(6).toString("hex")}`;
  try {
    copyState(database, copy);
    return { path: "state.sqlite", bytes: await readFile(copy) };
  } finally {
    await rm(copy, { force: true });
  }
}

async function filesIn(
  folder: string,
  as: string,
  isWanted: (name: string) => boolean,
): Promise<readonly BackupFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: BackupFile[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.startsWith(".") || !isWanted(entry.name)) continue;
    const file = path.join(entry.parentPath, entry.name);
    const content = await readFile(file);
    bytes += content.length;
    if (bytes > maxBackupBytes) break; // Sealing says what to do about it.
    files.push({ path: [as, ...path.relative(folder, file).split(path.sep)].join("/"), bytes: content });
  }
  return files;
}

async function fileIfThere(folder: string, name: string, as = name): Promise<readonly BackupFile[]> {
  const text = await readIfThere(path.join(folder, name));
  return text === undefined ? [] : [{ path: as, bytes: utf8(text) }];
}

async function readBounded(file: string): Promise<Uint8Array> {
  const size = await stat(file).then(
    (found) => found.size,
    (cause: unknown) => {
      throw new Refusal("bad_config", `${file} can't be read.`, { cause });
    },
  );
  if (size > maxBackupBytes) throw new Refusal("bad_state", `${file} is larger than any backup.`);
  return await readFile(file);
}

async function mustNotExist(file: string): Promise<void> {
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw new Refusal("bad_config", `${file} is there already; name another file.`);
}

async function isEmptyFolder(folder: string): Promise<boolean> {
  return await readdir(folder).then(
    (names) => names.length === 0,
    () => true,
  );
}

function stamp(clock: Clock): string {
  return new Date(clock.nowUnixMs()).toISOString().replace(/[-:]|\.\d+/g, "");
}
