/** Keys with which something is published: tools' manifests, policies, or models; each has its own, in the folder of sealed keys. */
import type { SigningKey } from "../crypto/keys.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { manifestSuiteIds, publisherKeysOf } from "../integrity/tools/publisher-keys.ts";
import type { Config } from "./config.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";

export type Published = "manifest" | "policy" | "model" | "compliance";

/** One of each required algorithm; they are made at the first time. */
export async function publisherSigners(keys: KeyFolder, what: Published): Promise<readonly SigningKey[]> {
  return await Promise.all(manifestSuiteIds.map((id) => keys.signing(keyName(what, id), id)));
}

/**
 * New keys for what is published from now on; what was signed counts until it ends.
 * @returns the fingerprint that gateways are to name under `publishers`, beside the one before
 */
export async function rotatePublisherKeys(config: Config, what: Published): Promise<string> {
  const { keys, close } = await openConfigKeys(config);
  try {
    for (const id of manifestSuiteIds) await keys.remove(keyName(what, id));
    return publisherKeysOf(await publisherSigners(keys, what)).fingerprint;
  } finally {
    close();
  }
}

function keyName(what: Published, id: (typeof manifestSuiteIds)[number]): string {
  return `${what}.${id.toLowerCase()}`;
}
