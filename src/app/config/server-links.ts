/** Whether what `link.key_exchange` of a server asks for can be had: said with the config, not at the first call. */
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerConfig } from "../config.ts";
import type { Tolerating } from "./classical-links.ts";
import { onlyInTransition } from "./link.ts";

/** @throws Refusal `bad_config` */
export function checkServerLinks(
  servers: Readonly<Record<string, ServerConfig>>,
  tolerating: Omit<Tolerating, "servers">,
): void {
  for (const [name, server] of Object.entries(servers)) {
    const dial = server.link.key_exchange;
    if (dial === undefined) continue;
    const why =
      whyNoDial(server) ?? (dial === "hybrid-preferred" ? whyNotPreferred(server, tolerating) : undefined);
    if (why !== undefined) throw new Refusal("bad_config", `servers.${name}.link.key_exchange: ${why}.`);
  }
}

/** What is set and has no effect would be taken for a promise. */
function whyNoDial(server: ServerConfig): string | undefined {
  if ("command" in server) return "a server over stdio has no link of its own";
  if ("forward" in server)
    return "a server with forward is reached over plain http, which has no key exchange";
  const url = "openapi" in server ? server.base_url : server.url;
  return url === undefined || url.startsWith("https:")
    ? undefined
    : "a plain http URL has no key exchange; use https";
}

function whyNotPreferred(
  server: ServerConfig,
  { isPostQuantumOnly, profile }: Omit<Tolerating, "servers">,
): string | undefined {
  if ("peer" in server && server.peer !== undefined) {
    return "a server with a `peer` has ML-KEM; its link is hybrid-required";
  }
  if (isPostQuantumOnly) return "hybrid-preferred lets links be that p2p_connectivity rules out";
  return profile.classicalGroups.length === 0 ? onlyInTransition(profile) : undefined;
}
