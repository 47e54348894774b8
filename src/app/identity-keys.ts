/** The key files of a sidecar's identity: which one the next certificate is for, and which ones are erased after it. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import type { KeyPair } from "../crypto/keys.ts";
import { defaultProfile, resolveProfile } from "../crypto/suites/profiles.ts";
import type { SignatureSuiteId } from "../crypto/suites/signatures.ts";
import { ensurePrivateFolder, readJsonIfThere, syncFolders, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { whileLocked } from "../host/store/patient-lock.ts";
import { statePaths } from "./state-folder.ts";
import { keepIdentity, keyNames, readIdentity, type StoredIdentity } from "./stored-identity.ts";

/** Only one process at a time gets, renews or opens the identity in a state folder. @throws Refusal `bad_state` */
export async function whileIdentityLocked<T>(state: string, work: () => Promise<T>): Promise<T> {
  await ensurePrivateFolder(state);
  const taken = (pid: string): string =>
    `Process ${pid} has been busy with the identity in ${state} for a minute. Try again, or stop that process.`;
  return await whileLocked(statePaths(state).identityLock, taken, work);
}

type Base = "identity" | "identity-classical";

interface Wanted {
  readonly suite: SignatureSuiteId;
  /** The gateway's wish that the key is to satisfy, by its own clock, as it was asked. */
  readonly freshKeysSince: string | undefined;
}

/** Keys that no certificate was got for yet, by what they are to be. */
const pendingSchema = z.record(
  z.string(),
  z.strictObject({ name: z.string(), suite: z.string(), fresh_keys_since: z.string().optional() }),
);

/**
 * A key that no identity ever had; the same one until there is a certificate for it, however often that fails.
 * INVARIANT: called, as everything here, by whoever holds the lock of the identity.
 */
export async function pendingKey(
  base: Base,
  { suite, freshKeysSince }: Wanted,
  { keys, state }: { readonly keys: KeyFolder; readonly state: string },
): Promise<{ readonly name: string; readonly pair: KeyPair }> {
  const file = statePaths(state).pendingKeys;
  const parsed = pendingSchema.safeParse(await readJsonIfThere(file));
  const pending = parsed.success ? parsed.data : {};
  const stored = await readIdentity(state);
  const known = pending[base];
  const isUsable =
    known?.suite === suite &&
    known.fresh_keys_since === freshKeysSince &&
    (stored === undefined || !namedBy(stored).has(known.name));
  if (isUsable) return { name: known.name, pair: await keys.key(known.name, suite) };
  const name = await freeName(base, suite, keys);
  // Before the key is made: what is made under a name that nobody knows would never be used.
  const next = { ...pending, [base]: { name, suite, fresh_keys_since: freshKeysSince } };
  await writePrivateFile(file, JSON.stringify(next));
  return { name, pair: await keys.key(name, suite) };
}

/** Puts the identity in the place of the one before, and erases the keys it doesn't name. */
export async function keepAlone(
  identity: StoredIdentity,
  keys: KeyFolder,
  state: string,
): Promise<StoredIdentity> {
  const paths = statePaths(state);
  const folders = [path.basename(paths.keys)];
  // INVARIANT: a key survives a loss of power before what names it does, and that before any other key is gone.
  await syncFolders(state, folders);
  await keepIdentity(identity, state);
  await syncFolders(state, folders);
  const used = namedBy(identity);
  for (const { name } of await keys.list()) {
    if (/^identity(-classical)?(\.|$)/.test(name) && !used.has(name)) await keys.remove(name);
  }
  await rm(paths.pendingKeys, { force: true });
  return identity;
}

function namedBy(stored: StoredIdentity): ReadonlySet<string | undefined> {
  const { key, classicalKey } = keyNames(stored);
  return new Set([key, classicalKey, stored.previous?.key]);
}

/** A short one for the first identity of a folder. */
async function freeName(base: Base, suite: SignatureSuiteId, keys: KeyFolder): Promise<string> {
  const { identity, classical } = resolveProfile(defaultProfile);
  const isUsual = suite === identity.id || suite === classical.id;
  const isFirst = (await keys.list()).every(({ name }) => name !== base);
  if (isUsual && isFirst) return base;
  return `${base}.${suite.toLowerCase()}.${randomBytes(6).toString("hex")}`;
}
