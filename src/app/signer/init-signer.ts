/** `latticegate signer init`: a signer's folder, and a gateway's root and log keys moved into it. */
import { randomBytes } from "node:crypto";
import { chown, open, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";

import { findCrossings, readDueHead, walkGenerations } from "../../audit/generations.ts";
import type { HeadSeen } from "../../audit/head-rules.ts";
import { parseCertificate } from "../../crypto/certificate.ts";
import type { PublicKey } from "../../crypto/keys.ts";
import { readLogKey } from "../../crypto/log-key.ts";
import { type SignatureSuiteId, signatureSuiteIds } from "../../crypto/suites/signatures.ts";
import { subjectOf } from "../../crypto/to-be-signed.ts";
import { ensurePrivateFolder, readIfThere, writePrivateFile } from "../../host/store/files.ts";
import { type KeyFolder, listKeys, openKeyFolder } from "../../host/store/key-folder.ts";
import { checkpointFile, lockFile } from "../../host/store/log-folder.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import type { SecretSource } from "../../host/store/secret-source.ts";
import { openRoots, type RootRecord } from "../../host/store/state-roots.ts";
import { takeWriterLock } from "../../host/store/writer-lock.ts";
import { toBase64url } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { runningGateway } from "../certificate-authority.ts";
import type { Config } from "../config.ts";
import { readRoot, rootKeyName } from "../roots.ts";
import { type StatePaths, statePaths } from "../state-folder.ts";
import { readMemory, type RootSeen, writeMemory } from "./memory.ts";
import { keyPurpose } from "./purposes.ts";
import { openSignerKeys, signerPaths } from "./signer-folder.ts";

interface MovedKey {
  readonly name: string;
  readonly suiteId: SignatureSuiteId;
  readonly publicKey: PublicKey;
}

/**
 * Each step leaves the keys in at least one of the two folders, and once `signer.key` is written the gateway starts
 * with a signer only; broken off anywhere, it is simply run again.
 * @returns the names of the keys that were moved
 * @throws Refusal `bad_state` while either of the two runs, or if one folder isn't what the other needs
 */
export async function initSigner(
  config: Config,
  signer: { readonly state: string; readonly unlock: SecretSource | undefined },
): Promise<readonly string[]> {
  const running = await runningGateway(config.state);
  if (running !== undefined)
    throw new Refusal("bad_state", `Stop the gateway first (process ${running.pid}).`);
  await ensurePrivateFolder(signer.state);
  await using held = new AsyncDisposableStack();
  const paths = signerPaths(signer.state);
  held.defer(takeWriterLock(paths.lock, (pid) => `Stop the signer first (process ${pid}).`));
  const theirs = statePaths(config.state);
  if ((await stat(theirs.log).catch(() => undefined)) !== undefined) {
    held.defer(takeWriterLock(path.join(theirs.log, lockFile)));
  }
  await fixTrustDomain(config, paths.trustDomain);
  const keys = await openSignerKeys(signer.state, signer.unlock);
  const moved = await copyKeys(config, keys);
  if (moved.length > 0) await carryMemory(config, moved, paths.memory);
  await shareSecret(theirs.signerSecret, paths.secret);
  // From here on the gateway asks for its signer.
  for (const { name } of moved) await rm(path.join(theirs.keys, `${name}.json`));
  await syncFolder(theirs.keys);
  const left = await signerKeysIn(theirs.keys);
  if (left.length > 0) {
    throw new Refusal("bad_state", `${theirs.keys} still holds ${left.map(({ name }) => name).join(", ")}.`);
  }
  await giveToOwner(signer.state, await filesIn(signer.state));
  await giveToOwner(config.state, [theirs.signerSecret]);
  return moved.map(({ name }) => name);
}

/** Keys in a folder that are a signer's when there is one. */
export async function signerKeysIn(
  folder: string,
): Promise<readonly { readonly name: string; readonly kind: string }[]> {
  return (await listKeys(folder)).filter(({ name }) => keyPurpose(name) !== undefined);
}

async function fixTrustDomain(config: Config, file: string): Promise<void> {
  for (const fixed of [file, statePaths(config.state).trustDomain]) {
    const domain = (await readIfThere(fixed))?.trim();
    if (domain !== undefined && domain !== config.trust_domain) {
      throw new Refusal(
        "bad_state",
        `${fixed} says "${domain}", the config says "${config.trust_domain}"; a signer is for one trust domain.`,
      );
    }
  }
  await writePrivateFile(file, `${config.trust_domain}\n`);
}

async function copyKeys(config: Config, into: KeyFolder): Promise<readonly MovedKey[]> {
  const theirs = statePaths(config.state);
  const found = await signerKeysIn(theirs.keys);
  if (found.length === 0) return [];
  const from = await openKeyFolder(theirs.keys, config.unlock ?? { file: theirs.unlock });
  const moved: MovedKey[] = [];
  for (const { name, kind } of found) {
    const suiteId = signatureSuiteIds.find((id) => id === kind);
    if (suiteId === undefined) throw new Refusal("bad_state", `${name} in ${theirs.keys} is a ${kind}.`);
    const pair = await from.key(name, suiteId);
    await into.adopt(name, pair);
    // Read again from the disk: what is about to be deleted has to open there.
    const { publicKey } = await into.key(name, suiteId);
    if (!publicKey.equals(pair.publicKey)) throw new Refusal("bad_state", `${name} doesn't open as it was.`);
    moved.push({ name, suiteId, publicKey });
  }
  return moved;
}

/** Roots that were made are not made again, and the log doesn't begin anew. */
async function carryMemory(config: Config, moved: readonly MovedKey[], file: string): Promise<void> {
  const theirs = statePaths(config.state);
  const known = await readMemory(file);
  const certificates = (await certificatesIn(config.state)).flatMap((pem) => parseCertificate(pem) ?? []);
  const roots = new Map<string, RootSeen>([...known.roots, ...(await generationsIn(theirs.database))]);
  for (const { name, publicKey } of moved) {
    const root = certificates.find((certificate) => certificate.publicKey.equals(publicKey));
    if (root === undefined || roots.has(name)) continue;
    roots.set(name, { subject: subjectOf(root), notAfterUnixMs: root.validToDate.getTime(), isUsed: true });
  }
  const head = await newestHead(theirs);
  await writeMemory(file, head === undefined ? { ...known, roots } : { head, roots });
}

/** Of the gateway's log; undefined if there is none. */
async function newestHead(theirs: StatePaths): Promise<HeadSeen | undefined> {
  const { files } = openLogReader(theirs.log);
  const checkpoint = await files(checkpointFile);
  if (checkpoint === undefined) return undefined;
  const logKey = readLogKey((await readIfThere(theirs.logKey)) ?? "");
  const generations = walkGenerations(await findCrossings(files, logKey), logKey);
  const reading = readDueHead(checkpoint, generations);
  const [fault] = generations.faults;
  if (reading.kind !== "signed" || fault !== undefined) {
    throw new Refusal(
      "bad_log",
      `The last head of ${theirs.log} doesn't hold${fault === undefined ? "" : ` (${fault.text})`}; see "latticegate audit verify".`,
    );
  }
  const generation = generations.known.at(-1)?.number ?? 1;
  const crossing = generations.crossings.get(generation)?.head;
  // The crossing is written first: who died before the head was published has signed it all the same.
  const { origin, size, root } =
    crossing !== undefined && crossing.size > reading.head.size ? crossing : reading.head;
  return {
    origin,
    size,
    root,
    generation,
    crossing: crossing && { size: crossing.size, root: crossing.root },
  };
}

/**
 * Files hold the generations that are trusted; the database has those that ended too, and those an outside authority
 * was to sign. Each of them is used up: a fresh root under a key that may be known would bring it back.
 */
async function generationsIn(database: string): Promise<ReadonlyMap<string, RootSeen>> {
  if ((await stat(database).catch(() => undefined)) === undefined) return new Map();
  const store = openRoots(database);
  try {
    return new Map(store.roots().map((root) => [rootKeyName(root), seenOf(root)]));
  } finally {
    store.close();
  }
}

/** A generation that ended issues no more, and neither does one that was never signed. */
function seenOf({ certificate, ended, createdUnixMs }: RootRecord): RootSeen {
  if (certificate === null) {
    return { subject: new Uint8Array(0), notAfterUnixMs: createdUnixMs, isUsed: true };
  }
  const root = readRoot(certificate);
  const notAfterUnixMs = ended?.atUnixMs ?? root.validToDate.getTime();
  return { subject: subjectOf(root), notAfterUnixMs, isUsed: true };
}

/** PEM of all that lies in the gateway's folder beside its keys. */
async function certificatesIn(state: string): Promise<readonly string[]> {
  const files = (await readdir(state)).filter((name) => name.endsWith(".pem"));
  const texts = await Promise.all(files.map((name) => readFile(path.join(state, name), "utf8")));
  return texts.flatMap(
    (text) => text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [],
  );
}

async function shareSecret(theirs: string, ours: string): Promise<void> {
  const known = await readIfThere(ours);
  const secret = known ?? `${toBase64url(randomBytes(32))}\n`;
  if (known === undefined) await writePrivateFile(ours, secret);
  await ensurePrivateFolder(path.dirname(theirs));
  await writePrivateFile(theirs, secret);
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder).catch(() => undefined);
  await handle?.sync();
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.map((name) => path.join(folder, name));
}

/** Root moves keys between two users; each file then belongs to whom its folder belongs to. */
async function giveToOwner(folder: string, files: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  for (const file of files) await chown(file, uid, gid);
}
