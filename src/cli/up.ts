/** `latticegate up` */
import { captureNotes } from "../app/capture/open-capture.ts";
import { type Config, loadConfig } from "../app/config.ts";
import { startGateway } from "../app/gateway.ts";
import { gateNotes } from "../app/server-gate.ts";
import { selfCheck } from "../app/self-check.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { peerLine } from "./peer-options.ts";
import { onKillSignal, untilStopped } from "./signals.ts";

/** Said wherever one asks how the gateway runs. */
export const observing =
  "Policy    OBSERVED ONLY: no rule is enforced, every caller may call everything; end with a start without --observe";

export const up = {
  options: {
    ...configOption,
    "self-check": {
      type: "boolean",
      help: "After the start, make one real call and verify the log; end if that fails.",
    },
    observe: {
      type: "boolean",
      help: "Enforce no rule: record what each would have done, and keep what calls asked (see `policy suggest`).",
    },
    verbose: { type: "boolean", help: "Log verdicts and life cycle, not only what needs attention." },
  },
  run: async (call) => {
    const loaded = loadConfig(configFile(call));
    const config: Config = call.flag("observe") ? { ...loaded, observes: true } : loaded;
    const log = systemLog({ level: call.flag("verbose") ? "info" : "warn" });
    for (const part of config.notYet) log.warn("config.not_yet", { at: part.at, because: part.because });
    for (const note of gateNotes(config)) log.warn("server.gate", { note });
    for (const [event, note] of captureNotes(config)) log.warn(event, { note });
    const stopped = untilStopped();
    const gateway = await startGateway(config, { clock: systemClock, log, onKill: onKillSignal });
    try {
      const lines = call.flag("self-check") ? await selfCheck(config, gateway) : [];
      for (const line of lines) call.out(line);
      call.out(`Latticegate is up at ${gateway.address}`);
      if (config.observes === true) call.out(observing);
      for (const [url, address] of gateway.webAddresses) call.out(`Web       ${url} at ${address}`);
      if (gateway.peerId !== undefined) call.out(peerLine(gateway.peerId));
      if (gateway.dashboard !== undefined)
        call.out(`Page      ${gateway.dashboard}  (works once; "latticegate login" prints another)`);
      await stopped;
      call.out("Stopping: calls under way may finish.");
    } finally {
      await gateway.stop();
    }
    return 0;
  },
} as const satisfies Command;
