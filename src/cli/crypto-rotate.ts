/** `latticegate crypto rotate WHAT`: new keys for what has keys of its own, by name. */
import { loadConfig } from "../app/config.ts";
import { rotateLog } from "../app/log-rotation.ts";
import { rotateTlsKeys } from "../app/profile-operations.ts";
import { rotatePublisherKeys } from "../app/publisher-signers.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { caRotate, forOption } from "./ca-roots.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import type { Rotatable } from "./rotatable.ts";

/** How each rotates. */
const rotating: Readonly<Record<Rotatable, (call: CommandCall) => Promise<number>>> = {
  log: async (call) => {
    const by = `crypto rotate log (uid ${process.getuid?.() ?? "unknown"})`;
    const { generation, byGateway } = await rotateLog(loadConfig(configFile(call)), by, systemClock);
    call.out(
      `log ${generation}  signs from now on${byGateway ? ", in the gateway that runs" : ""}; the keys before it are erased`,
    );
    call.out(
      "Whoever verifies with an older log-key.txt goes on: the log leads from key to key. Give out the new one all the same.",
    );
    return 0;
  },
  ca: caRotate.run,
  tls: async (call) => {
    await rotateTlsKeys(loadConfig(configFile(call)), systemClock);
    call.out(
      "asked for; the gateway has fresh keys at once, sidecars with their next call, idle ones within half an hour",
    );
    return 0;
  },
  manifest: async (call) => {
    const fingerprint = await rotatePublisherKeys(loadConfig(configFile(call)), "manifest");
    call.out(`manifests are signed with ${fingerprint} from now on`);
    call.out(
      "First let gateways take up what it signs: add it to their tools.publishers. Then sign each server's tools again, and take the one before out when its manifests have ended.",
    );
    return 0;
  },
  model: async (call) => {
    const fingerprint = await rotatePublisherKeys(loadConfig(configFile(call)), "model");
    call.out(`models are signed with ${fingerprint} from now on`);
    call.out("Add it to the detect.model.publishers of gateways, and sign their model anew.");
    return 0;
  },
  policy: async (call) => {
    const fingerprint = await rotatePublisherKeys(loadConfig(configFile(call)), "policy");
    call.out(`bundles of policies are signed with ${fingerprint} from now on`);
    call.out(
      "First let gateways take up what it signs: add it to their policies.bundle.publishers. Then make the bundle anew, and take the one before out when they have taken it up.",
    );
    return 0;
  },
};

export const cryptoRotate = {
  options: {
    ...configOption,
    for: { ...forOption.for, help: "Of ca: which root; both by default." },
  },
  run: async (call) => {
    const [what, ...more] = call.positionals;
    if (what === undefined || !Object.hasOwn(rotating, what) || more.length > 0) {
      throw new Refusal("bad_config", `Say what to rotate: ${Object.keys(rotating).join(", ")}.`);
    }
    if (what !== "ca" && call.text("for") !== undefined) {
      throw new Refusal("bad_config", "--for is for roots: crypto rotate ca --for server.");
    }
    return await rotating[what as Rotatable](call);
  },
} as const satisfies Command;
