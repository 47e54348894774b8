/** Grants as the gateway's operator sees them: all, without secrets. */
import { type GrantFacts, type GrantStore, openGrants } from "../host/store/state-grants.ts";
import type { Config } from "./config.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { statePaths } from "./state-folder.ts";

export async function listGrants(config: Config): Promise<readonly GrantFacts[]> {
  return await withStore(config, (store) => store.list());
}

/**
 * Takes a holder's grant away; the running gateway uses it no more from its next call on. Its authorization server
 * isn't told, which is the holder's to ask for. @returns whether there was one
 */
export async function removeGrant(config: Config, server: string, holder: string): Promise<boolean> {
  return await withStore(config, (store) => store.remove(server, holder));
}

async function withStore<T>(config: Config, use: (store: GrantStore) => T): Promise<T> {
  const { keys, close } = await openConfigKeys(config);
  try {
    const store = openGrants(statePaths(config.state).database, await keys.secret("grants"));
    try {
      return use(store);
    } finally {
      store.close();
    }
  } finally {
    close();
  }
}
