/** After the start: a real handshake, a real list, one recorded call, the log verified. */
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Config, fixedServers } from "./config.ts";
import type { Gateway } from "./gateway.ts";
import { verifyLogFolder } from "./log-verification.ts";
import { probeServer } from "./mcp-probe.ts";
import { profileInForce } from "./profile-in-force.ts";
import { serverGates } from "./server-gate.ts";
import { openOperatorTunnel } from "./operator-tunnel.ts";
import { statePaths } from "./state-folder.ts";

/** @returns readable lines. @throws Refusal that says what doesn't work */
export async function selfCheck(config: Config, gateway: Gateway): Promise<readonly string[]> {
  const tunnel = await openOperatorTunnel(config, gateway.address, systemClock);
  const lines: string[] = [];
  const gates = serverGates(config);
  const servers = fixedServers(config.servers).filter(([name]) => (gates.get(name)?.lacks.length ?? 0) === 0);
  const width = Math.max(...servers.map(([name]) => name.length));
  try {
    for (const [name, server] of servers) {
      const result = await probeServer(tunnel.to(name), server.probe);
      const called = server.probe === undefined ? "" : `, ${server.probe.tool} called`;
      if (result.toolWorked === false) {
        throw new Refusal(
          "upstream_failed",
          `Self-check: ${name}: the probe ${server.probe?.tool ?? ""} answered with an error.`,
        );
      }
      lines.push(`Server    ${name.padEnd(width)}  ${result.tools} tools${called}`);
    }
    lines.unshift(
      `Link      ${tunnel.group() ?? "nothing"} negotiated, ${profileInForce(config, systemClock).profile.identity.id} on both ends, TLS 1.3`,
    );
  } finally {
    await tunnel.close();
  }
  await gateway.audit.journal.checkpoint();
  const paths = statePaths(config.state);
  const verdict = await verifyLogFolder({ folder: paths.log, key: paths.logKey });
  if (verdict.kind !== "intact") {
    throw new Refusal(
      "bad_log",
      `Self-check: the audit log doesn't verify: ${verdict.findings.map((finding) => finding.text).join("; ")}`,
    );
  }
  lines.push(`Log       ${verdict.size} entries, verified`);
  return lines;
}
