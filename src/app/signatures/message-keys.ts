/** An end's own message keys: one of each algorithm, in its key folder from first use on. */
import { type KeySet, keySetOf, type MessageSigner, messageSigner } from "../../integrity/key-set.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import type { Config } from "../config.ts";
import { openConfigKeys } from "../signer/gateway-signer.ts";
import { openKeys } from "../state-folder.ts";

export interface MessageKeys {
  /** The weaker one first. */
  readonly signers: readonly [MessageSigner, MessageSigner];
  readonly keySet: KeySet;
}

export async function messageKeys(keys: Pick<KeyFolder, "signing">): Promise<MessageKeys> {
  const [weaker, stronger] = await Promise.all([
    keys.signing("message.ml-dsa-65", "ML-DSA-65"),
    keys.signing("message.ml-dsa-87", "ML-DSA-87"),
  ]);
  return {
    signers: [messageSigner(weaker), messageSigner(stronger)],
    keySet: keySetOf([weaker, stronger]),
  };
}

/** What people compare: of a sidecar by its state folder, of the gateway by its config. */
export async function ownFingerprint(
  end: { readonly state: string } | { readonly config: Config },
): Promise<string> {
  if ("state" in end) return (await messageKeys(await openKeys(end.state, undefined))).keySet.fingerprint;
  const { keys, close } = await openConfigKeys(end.config);
  try {
    return (await messageKeys(keys)).keySet.fingerprint;
  } finally {
    close();
  }
}
