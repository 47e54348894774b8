/** A signer's state folder: where everything stands in it. */
import path from "node:path";

import { type KeyFolder, ensureUnlockFile, openKeyFolder } from "../../host/store/key-folder.ts";
import { ensurePrivateFolder } from "../../host/store/files.ts";
import type { SecretSource } from "../../host/store/secret-source.ts";

const names = {
  keys: "keys",
  unlock: "unlock.key",
  /** Shared with the gateway. */
  secret: "gateway.key",
  trustDomain: "trust-domain",
  memory: "memory.json",
  lock: "lock",
} as const;

export type SignerPaths = Readonly<Record<keyof typeof names, string>>;

/** Where everything stands inside it; docs/guide/signer.md says what each holds. */
export function signerPaths(state: string): SignerPaths {
  const paths = Object.entries(names).map(([key, name]) => [key, path.join(state, name)]);
  return Object.fromEntries(paths) as SignerPaths;
}

/** Opens the sealed keys of a signer's folder, which is made if it isn't there. */
export async function openSignerKeys(state: string, unlock: SecretSource | undefined): Promise<KeyFolder> {
  const paths = signerPaths(state);
  await ensurePrivateFolder(state);
  if (unlock === undefined) await ensureUnlockFile(paths.unlock);
  return await openKeyFolder(paths.keys, unlock ?? { file: paths.unlock });
}
