/** The one rule every gateway has by itself: the doctor may list, and make the calls the config calls harmless. */
import { spiffeId } from "../identity/spiffe-id.ts";
import type { RuleDocument } from "../policy/rules.ts";
import { type Config, fixedServers } from "./config.ts";

/** SPIFFE path of the operator's own checks. */
export const doctorPath = "operator/doctor";

/** SPIFFE path of who tries what must be refused; no rule is about it. */
export const assessPath = "operator/assess";

/** They join anew each time, and are gone in a moment. */
export const passingPaths = [doctorPath, assessPath] as const;

export function doctorRule(config: Pick<Config, "trust_domain" | "servers">): RuleDocument {
  return {
    name: "built-in-doctor",
    callers: [spiffeId(config.trust_domain, doctorPath)],
    // "server/" names no tool: without a probe the doctor may only list.
    tools: [
      "built-in/",
      ...fixedServers(config.servers).map(([name, server]) => `${name}/${server.probe?.tool ?? ""}`),
    ],
    effect: "allow",
    because: "The operator's own checks.",
    mode: "enforce",
  };
}
