/** What the config's `gate` asks of servers, and what each of them lacks of it. */
import type { ServerGate } from "../gate/server-gate.ts";
import { isLoopbackHost } from "../host/net/loopback.ts";
import type { Config, ServerConfig } from "./config.ts";
import type { Gate, GateRequirement } from "./config/gate.ts";

/** By server; those that the gate asks nothing of are missing. */
export function serverGates({
  gate,
  servers,
}: Pick<Config, "gate" | "servers">): ReadonlyMap<string, ServerGate> {
  return new Map(
    Object.entries(servers).flatMap(([name, server]) => {
      const of = gateOf(gate, server);
      return of.lacks.length === 0 && of.signed === undefined ? [] : [[name, of] as const];
    }),
  );
}

/** Lines for the operator: servers that aren't connected, and those that needn't have what others must. */
export function gateNotes(config: Pick<Config, "gate" | "servers">): readonly string[] {
  const gates = serverGates(config);
  return Object.entries(config.servers).flatMap(([name, { exempt }]) => {
    const lacks = gates.get(name)?.lacks ?? [];
    return [
      ...(lacks.length > 0 ? [`"${name}" isn't connected: ${lacks.join("; ")}`] : []),
      ...(exempt ? [`"${name}" is exempt from ${exempt.from.join(", ")}: ${exempt.because}`] : []),
    ];
  });
}

function gateOf(gate: Gate, server: ServerConfig): ServerGate {
  const asked = (requirement: GateRequirement): boolean => server.exempt?.from.includes(requirement) !== true;
  const lacks = [
    asked("owner") && gate.owner && server.owner === undefined ? "nobody is named as its owner" : undefined,
    asked("link") ? lackOfLink(gate.link, server) : undefined,
    asked("tools") ? lackOfTools(gate.tools, server) : undefined,
  ].filter((lack) => lack !== undefined);
  if (gate.tools !== "signed" || !asked("tools") || "forward" in server) return { lacks };
  return { lacks, signed: server.tools.manifest === undefined ? "asked" : "kept" };
}

function lackOfLink(asked: Gate["link"], server: ServerConfig): string | undefined {
  if (asked === "any" || "command" in server) return undefined;
  if ("forward" in server) return "clients name where it leads, over plain http";
  if (asked === "hybrid-mtls") {
    const isProven =
      "peer" in server && server.peer !== undefined && server.link.authentication === "hybrid-mtls";
    return isProven ? undefined : "its link doesn't prove two identities at each end";
  }
  const address = "openapi" in server ? server.base_url : server.url;
  const url = address === undefined ? undefined : new URL(address);
  if (url?.protocol === "http:")
    return isLoopbackHost(url.hostname) ? undefined : "it is reached over plain http";
  return server.link.key_exchange === "hybrid-preferred" ? "its link may be without ML-KEM" : undefined;
}

function lackOfTools(asked: Gate["tools"], server: ServerConfig): string | undefined {
  if (asked === "any") return undefined;
  if ("forward" in server) return "what is behind it can't be pinned";
  const { pin, publishers } = server.tools;
  if (pin === "off") return "its tools aren't pinned";
  if (asked === "approved" && pin !== "approve" && publishers.length === 0)
    return "its tools count unapproved (tools.pin: approve, or publishers)";
  return asked === "signed" && publishers.length === 0
    ? "it has no publishers who could sign its tools"
    : undefined;
}
