/** An identity for a client on the gateway's own machine, whose operator need not carry a token around. */
import { rm } from "node:fs/promises";

import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { makeJoinToken } from "./certificate-authority.ts";
import type { Config } from "./config.ts";
import { openSidecarIdentity } from "./sidecar-identity.ts";
import { statePaths } from "./state-folder.ts";

/** Leaves a usable identity in the sidecar's state folder: the one that is there, renewed, or a new one. */
export async function ensureLocalSidecar(
  config: Config,
  identity: { readonly state: string; readonly path: string },
  environment: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const { state } = identity;
  const open = async (): Promise<void> => {
    const joinToken = await makeJoinToken(config, identity, environment.clock);
    const opened = await openSidecarIdentity({ state, joinToken, profile: config.profile, ...environment });
    await opened.stop();
  };
  try {
    await open();
  } catch (error) {
    // The identity there is of an authority that is gone, revoked, or ended too long ago: begin anew.
    if (!(error instanceof Refusal) || error.code !== "bad_certificate") throw error;
    await rm(statePaths(state).identity, { force: true });
    await open();
  }
}
