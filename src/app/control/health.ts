/** Whether the gateway is healthy: a tool call works, or on servers without a harmless tool at least a list. */
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { type Config, fixedServers } from "../config.ts";
import { probeServer } from "../mcp-probe.ts";
import { openOperatorTunnel, type OperatorTunnel } from "../operator-tunnel.ts";
import { serverGates } from "../server-gate.ts";

/** A probe is a call like any other: it is recorded, and costs a server something. */
const goodForMs = 10_000;

export interface Health {
  readonly isHealthy: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

/** @param address where the gateway listens; its own door is used, as by everybody */
export function health(
  config: Config,
  { address, clock, log, isStopped }: { address: string; clock: Clock; log: Log; isStopped: () => boolean },
): Health {
  let tunnel: Promise<OperatorTunnel> | undefined;
  let last: { readonly atMs: number; readonly found: Promise<boolean> } | undefined;
  const close = async (): Promise<void> => {
    const open = tunnel;
    tunnel = undefined;
    await (await open?.catch(() => undefined))?.close();
  };
  const look = async (): Promise<boolean> => {
    try {
      const gates = serverGates(config);
      const servers = fixedServers(config.servers).filter(
        ([name]) => (gates.get(name)?.lacks.length ?? 0) === 0,
      );
      const harmless = servers.filter(([, server]) => server.probe !== undefined);
      const asked = harmless.length > 0 ? harmless : servers.slice(0, 1);
      const { to } = await (tunnel ??= openOperatorTunnel(config, address, clock));
      const results = await Promise.all(asked.map(([name, server]) => probeServer(to(name), server.probe)));
      return results.every(({ toolWorked }) => toolWorked !== false);
    } catch (error) {
      log.warn("health.failed", { why: error instanceof Error ? error.message : "unknown" });
      await close();
      return false;
    }
  };
  return {
    isHealthy: async () => {
      if (isStopped()) return false;
      const nowMs = performance.now();
      if (last === undefined || nowMs - last.atMs > goodForMs) last = { atMs: nowMs, found: look() };
      return await last.found;
    },
    close,
  };
}
