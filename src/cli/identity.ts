/** `latticegate identity export` */
import { openSidecarIdentity } from "../app/sidecar-identity.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import type { Command } from "./command.ts";
import { sidecarStateOption } from "./sidecar-options.ts";

export const identityExport = {
  options: sidecarStateOption,
  run: async (call) => {
    const identity = await openSidecarIdentity({
      state: sidecarState(call.text("state")),
      joinToken: undefined,
      clock: systemClock,
      log: systemLog({ level: "warn" }),
    });
    const [own] = identity.credentials();
    const pems = own === undefined ? [] : [own.privateKey, own.certificate, ...identity.serverRoots];
    call.out(pems.map((pem) => pem.trim()).join("\n"));
    await identity.stop();
    return 0;
  },
} as const satisfies Command;
