/** An identity for a client on the gateway's own machine, whose operator need not carry a token around. */
import { rm } from "node:fs/promises";

import { setWitnessAside } from "../host/store/witness-folder.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { makeJoinToken } from "./certificate-authority.ts";
import type { Config } from "./config.ts";
import { trustedAnchors } from "./root-operations.ts";
import { openSidecarIdentity } from "./sidecar-identity.ts";
import { isHeldUnder } from "./stored-identity.ts";
import { statePaths } from "./state-folder.ts";

/** Leaves a usable identity in the sidecar's state folder: the one that is there, renewed, or a new one. */
export async function ensureLocalSidecar(
  config: Config,
  identity: { readonly state: string; readonly path: string },
  environment: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const { state } = identity;
  const file = statePaths(state).identity;
  const open = async (joinToken: string | undefined): Promise<void> => {
    const opened = await openSidecarIdentity({ state, joinToken, ...environment });
    await opened.stop();
  };
  const join = async (): Promise<void> => open(await makeJoinToken(config, identity, environment.clock));
  const roots = await trustedAnchors(config);
  if (!(await isHeldUnder(state, roots))) {
    await rm(file, { force: true });
    await setWitnessAside(statePaths(state).witness, environment.clock.nowUnixMs());
    await join();
    return;
  }
  try {
    await open(undefined);
  } catch (error) {
    // The identity there is of an authority that is gone, revoked, or ended too long ago: begin anew.
    if (!(error instanceof Refusal) || error.code !== "bad_certificate") throw error;
    await rm(file, { force: true });
    await join();
  }
}
