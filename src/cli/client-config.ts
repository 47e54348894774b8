/** `latticegate client-config` */
import path from "node:path";

import { ensureLocalSidecar } from "../app/local-sidecar.ts";
import { fixedServers, loadConfig } from "../app/config.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { sidecarStateOption } from "./sidecar-options.ts";
import { thisCommand } from "./this-command.ts";

export const clientConfig = {
  options: {
    ...configOption,
    ...sidecarStateOption,
    for: { type: "string", value: "PATH", help: "Whose identity; agent/local by default." },
  },
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const state = path.resolve(call.text("state") ?? path.join(config.state, "sidecar"));
    const identity = { state, path: call.text("for") ?? "agent/local" };
    await ensureLocalSidecar(config, identity, { clock: systemClock, log: systemLog({ level: "warn" }) });
    const [command, ...args] = thisCommand();
    const names = [
      ...fixedServers(config.servers).map(([name]) => name),
      ...Object.keys(config.virtual_servers),
    ];
    const servers = names.map((name) => [
      name,
      { command, args: [...args, "connect", name, "--state", state] },
    ]);
    call.out(JSON.stringify({ mcpServers: Object.fromEntries(servers) }, null, 2));
    return 0;
  },
} as const satisfies Command;
