/** The objects of OCSF 1.5 that several classes of events have. */
import type { Summary } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

export function productOf({ origin, version }: Teller): object {
  return { name: "Latticegate", vendor_name: "Latticegate", version, uid: origin };
}

export function findingInfo(
  { atUnixMs }: Told,
  what: {
    readonly uid: string;
    readonly title: string;
    readonly tags: readonly string[];
    readonly types: readonly string[];
  },
): object {
  const { uid, title, tags, types } = what;
  const techniques = tags.flatMap((tag) => (tag.startsWith("ATLAS:") ? [tag.slice("ATLAS:".length)] : []));
  return {
    uid,
    title,
    created_time: atUnixMs,
    ...(types.length > 0 && { types }),
    ...(techniques.length > 0 && {
      attacks: techniques.map((technique) => ({ technique: { uid: technique } })),
    }),
    ...(tags.length > 0 && { tags: tags.map(keyValue) }),
  };
}

function keyValue(tag: string): object {
  const cut = tag.indexOf(":");
  return { name: tag.slice(0, cut), value: tag.slice(cut + 1) };
}

export function addressOf(remote: string | undefined): object {
  const ip = /^\[?([0-9a-f.:]+?)\]?(?::\d+)?$/i.exec(remote ?? "")?.[1];
  return ip === undefined ? {} : { ip };
}

export function actorOf({ principal }: Told): object {
  return { actor: { user: { name: principal, uid: principal } } };
}

export function apiOf(told: Told, { agentic, server }: Summary): object {
  const { status } = told.facts;
  return {
    operation: agentic.mcp_method ?? told.event,
    request: { uid: told.callId },
    ...(server !== undefined && { service: { name: server } }),
    ...(status !== undefined && { response: { code: Number(status) } }),
  };
}

export function resourcesOf(told: Told, { agentic }: Summary): object {
  const name = told.tool ?? agentic.mcp_name;
  if (name === undefined) return {};
  return { resources: [{ name, type: told.tool === null ? "mcp resource" : "mcp tool" }] };
}

/** The profile `security_control`: what the gateway did. */
export function controlOf({ outcome, facts }: Told): object {
  const isHeld = outcome === "deferred" || facts["rule.effect"] === "hold";
  const policy = facts["rule"] === undefined ? {} : { policy: { name: facts["rule"] } };
  if (outcome === "denied")
    return {
      action_id: 2,
      action: "Denied",
      disposition_id: isHeld ? 99 : 2,
      disposition: isHeld ? "Held" : "Blocked",
      ...policy,
    };
  if (outcome === "allowed")
    return { action_id: 1, action: "Allowed", disposition_id: 1, disposition: "Allowed", ...policy };
  return { action_id: 0, action: "Unknown", disposition_id: 0, disposition: "Unknown", ...policy };
}
