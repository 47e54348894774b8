/** The one rule every gateway has by itself: its own checks may list, and make the calls the config calls harmless. */
import { spiffeId } from "../identity/spiffe-id.ts";
import type { RuleDocument } from "../policy/rules.ts";
import { type Config, fixedServers } from "./config.ts";

/** SPIFFE path of the operator's own checks. */
export const doctorPath = "operator/doctor";

/** SPIFFE path of who tries what must be refused; no rule is about it. */
export const assessPath = "operator/assess";

/** Of who tries that a signed call counts once, which needs a call that counts; whoever signs once has to go on. */
export const assessSigningPath = "operator/assess-signing";

/** They join anew each time, and are gone in a moment. */
export const passingPaths = [doctorPath, assessPath, assessSigningPath] as const;

export function doctorRule(config: Pick<Config, "trust_domain" | "servers">): RuleDocument {
  return {
    name: "built-in-doctor",
    callers: [doctorPath, assessSigningPath].map((path) => spiffeId(config.trust_domain, path)),
    // "server/" names no tool: without a probe they may only list.
    tools: [
      "built-in/",
      ...fixedServers(config.servers).map(([name, server]) => `${name}/${server.probe?.tool ?? ""}`),
    ],
    effect: "allow",
    because: "The operator's own checks.",
    mode: "enforce",
  };
}
