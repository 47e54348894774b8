/** From the config's virtual servers to the adapters that join others. */
import {
  virtualServer,
  type VirtualServer,
  type VirtualServerOptions,
} from "../host/virtual/virtual-server.ts";
import type { Config } from "./config.ts";
import { version } from "./version.ts";

export function joinServers(
  config: Pick<Config, "virtual_servers" | "limits">,
  joining: Pick<VirtualServerOptions, "handle" | "world" | "ports">,
): ReadonlyMap<string, VirtualServer> {
  return new Map(
    Object.entries(config.virtual_servers).map(([name, { servers: members, patience }]) => {
      const { session_idle: idleTimeoutMs, answer: answerBytes } = config.limits;
      return [
        name,
        virtualServer({
          ...joining,
          name,
          members,
          version,
          patienceMs: patience,
          idleTimeoutMs,
          answerBytes,
        }),
      ];
    }),
  );
}
