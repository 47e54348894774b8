/** A gateway's state folder: where everything stands, and the authority made at the first start. */
import path from "node:path";

import { type KeyFolder, ensureUnlockFile, openKeyFolder, type Unlock } from "../host/store/key-folder.ts";
import { ensurePrivateFolder, readIfThere, writePrivateFile } from "../host/store/files.ts";
import { type Authority, createRoot, type Purpose } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";

/** Names inside a state folder; docs/guide/state.md says what each holds. */
export function statePaths(state: string) {
  return {
    keys: path.join(state, "keys"),
    unlock: path.join(state, "unlock.key"),
    serverRoot: path.join(state, "server-root.pem"),
    clientRoot: path.join(state, "client-root.pem"),
    trustDomain: path.join(state, "trust-domain"),
    database: path.join(state, "state.sqlite"),
    log: path.join(state, "log"),
    logKey: path.join(state, "log-key.txt"),
    servers: path.join(state, "servers"),
    run: path.join(state, "run.json"),
    identity: path.join(state, "identity.json"),
  } as const;
}

/** Opens the sealed keys of a state folder, which it makes if it isn't there. */
export async function openKeys(state: string, unlock: Unlock | undefined): Promise<KeyFolder> {
  const paths = statePaths(state);
  await ensurePrivateFolder(state);
  if (unlock === undefined) await ensureUnlockFile(paths.unlock);
  return await openKeyFolder(paths.keys, unlock ?? { file: paths.unlock });
}

/** The authority of this state folder; its roots are made once. */
export async function openAuthority(
  state: string,
  keys: KeyFolder,
  trustDomain: string,
  clock: Clock,
): Promise<Authority> {
  const paths = statePaths(state);
  const fixed = (await readIfThere(paths.trustDomain))?.trim();
  if (fixed !== undefined && fixed !== trustDomain) {
    throw new Refusal(
      "bad_state",
      `This state folder belongs to the trust domain "${fixed}", the config says "${trustDomain}". Use another state folder.`,
    );
  }
  if (fixed === undefined) await writePrivateFile(paths.trustDomain, `${trustDomain}\n`);
  const root = async (purpose: Purpose, file: string): Promise<Authority["roots"][Purpose]> => {
    const key = await keys.key(`${purpose}-root`, "ML-DSA-65");
    const stored = await readIfThere(file);
    const certificate = stored ?? createRoot(trustDomain, purpose, key, clock.nowUnixMs());
    if (stored === undefined) await writePrivateFile(file, certificate);
    return { key, certificate };
  };
  return {
    trustDomain,
    roots: { server: await root("server", paths.serverRoot), client: await root("client", paths.clientRoot) },
  };
}
