/** A gateway's state folder: where everything stands, and the authority made at the first start. */
import path from "node:path";

import { type KeyFolder, ensureUnlockFile, openKeyFolder } from "../host/store/key-folder.ts";
import { ensurePrivateFolder, readIfThere, writePrivateFile } from "../host/store/files.ts";
import type { SecretSource } from "../host/store/secret-source.ts";
import type { Signer } from "../host/signer/signer-client.ts";
import { openRoots, type RootStore } from "../host/store/state-roots.ts";
import { Refusal } from "../kernel/refusal.ts";
import { ensureRoots, type RootMaking } from "./roots.ts";
import { keyPurpose } from "./signer/purposes.ts";

const names = {
  keys: "keys",
  unlock: "unlock.key",
  signerSecret: "signer.key",
  serverRoot: "server-root.pem",
  clientRoot: "client-root.pem",
  classicalServerRoot: "server-root-classical.pem",
  classicalClientRoot: "client-root-classical.pem",
  trustDomain: "trust-domain",
  database: "state.sqlite",
  log: "log",
  logKey: "log-key.txt",
  auditIndex: "audit-index.sqlite",
  servers: "servers",
  run: "run.json",
  identity: "identity.json",
  identityLock: "identity.lock",
  pendingKeys: "identity-next.json",
  assertionKeys: "assertion-keys.json",
  messageKeys: "message-keys.json",
  sessions: "sessions",
  revoked: "revoked.json",
  paths: "paths.json",
  witness: "witness",
  witnesses: "witnesses.json",
  manifest: "manifest.json",
  captured: "captured",
  kill: "kill",
  outlets: "outlets.sqlite",
  deadLetters: "dead-letters",
  traffic: "traffic.sqlite",
} as const;

export type StatePaths = Readonly<Record<keyof typeof names, string>>;

/** Where everything stands inside a state folder; docs/guide/state.md says what each holds. */
export function statePaths(state: string): StatePaths {
  const paths = Object.entries(names).map(([key, name]) => [key, path.join(state, name)]);
  return Object.fromEntries(paths) as StatePaths;
}

/**
 * Opens the sealed keys of a state folder, which it makes if it isn't there.
 * @param signer holds the root and log keys, if there is one
 * @throws Refusal `bad_state` if those keys aren't where the config says
 */
export async function openKeys(
  state: string,
  unlock: SecretSource | undefined,
  signer?: Signer,
): Promise<KeyFolder> {
  const paths = statePaths(state);
  await ensurePrivateFolder(state);
  if (unlock === undefined) await ensureUnlockFile(paths.unlock);
  const keys = await openKeyFolder(paths.keys, unlock ?? { file: paths.unlock });
  if (signer === undefined) {
    if ((await readIfThere(paths.signerSecret)) === undefined) return keys;
    throw new Refusal(
      "bad_state",
      `The root and log keys of ${state} are with a signer; name its socket under "signer" in the config.`,
    );
  }
  const left = (await keys.list()).filter(({ name }) => keyPurpose(name) !== undefined);
  if (left.length > 0) {
    throw new Refusal(
      "bad_state",
      `${paths.keys} holds keys that are a signer's (${left.map(({ name }) => name).join(", ")}); run "latticegate signer init".`,
    );
  }
  const isSigners = (name: string): boolean => keyPurpose(name) !== undefined;
  return {
    ...keys,
    signing: (name, suiteId) => (isSigners(name) ? signer : keys).signing(name, suiteId),
    // A signer erases by its own rules.
    remove: async (name) => (isSigners(name) ? undefined : await keys.remove(name)),
  };
}

/** The signed manifest of one of the gateway's own servers. */
export function manifestOf(state: string, server: string): string {
  return path.join(state, `manifest-${server}.json`);
}

/** Lends the roots of an authority that stands already to `work`, and closes them after it. */
export function withRoots<T>(state: string, work: (store: RootStore) => T): T {
  const store = openRoots(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

/** The authority's roots in this state folder; they are made once. Whoever opens them closes them. */
export async function openAuthorityRoots(
  state: string,
  keys: KeyFolder,
  making: RootMaking,
): Promise<RootStore> {
  const paths = statePaths(state);
  const { trustDomain } = making;
  const fixed = (await readIfThere(paths.trustDomain))?.trim();
  if (fixed !== undefined && fixed !== trustDomain) {
    throw new Refusal(
      "bad_state",
      `This state folder belongs to the trust domain "${fixed}", the config says "${trustDomain}". Use another state folder.`,
    );
  }
  if (fixed === undefined) await writePrivateFile(paths.trustDomain, `${trustDomain}\n`);
  const store = openRoots(paths.database);
  try {
    await ensureRoots(paths, keys, store, making);
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}
