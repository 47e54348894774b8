/** `policy reach`: what one caller could do by the rules of a config, and by what its gateway has pinned. */
import { trustDomainOf } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { LinkPosture } from "../../model/channel.ts";
import { possibleLinks } from "../../policy/check/possible-facts.ts";
import { type Reach, reachOf, type ReachWorld } from "../../policy/reach/reach.ts";
import type { ReachCaller } from "../../policy/reach/known-facts.ts";
import type { Config } from "../config.ts";
import { surroundingsIn } from "../config/surroundings.ts";
import { type CallerStanding, standingOf } from "./caller-standing.ts";
import { policiesInBundle } from "./bundle-operations.ts";
import { readPolicies } from "./case-file.ts";
import { described } from "./explain-call.ts";
import { configWithoutRules, knownOfConfig } from "./known-config.ts";

/** What narrows it, as `policy explain` takes it. */
export interface ReachOptions {
  readonly link?: string;
  readonly address?: string;
  readonly at?: string;
}

export interface ReachFound extends Reach {
  /** Servers of which no tool is pinned: their tools stand there as rules name them. */
  readonly withoutTools: readonly string[];
  /** Absent where no gateway was started yet. */
  readonly standing?: CallerStanding;
}

/** @throws Refusal `bad_config` for a name that no caller has here, and for options that say nothing */
export function reachInConfig(
  file: string,
  caller: string,
  { clock, ...options }: ReachOptions & { readonly clock: Clock },
): ReachFound {
  const config = configWithoutRules(file);
  const asked = callerNamed(caller, config);
  const { link: group, ...told } = options;
  const call = described({
    ...told,
    caller,
    call: "any/call",
    ...(group !== undefined && { link: { group } }),
  });
  const narrowed = {
    ...(options.address !== undefined && { address: call.address }),
    ...(options.at !== undefined && { atUnixMs: call.at }),
  };
  const documents = config.policyBundle === undefined ? readPolicies(file) : policiesInBundle(config);
  const world = worldOf(config, asked, group);
  const withoutTools = world.servers.filter(({ tools }) => tools.size === 0).map(({ name }) => name);
  const standing = standingOf(config, caller, clock);
  return {
    ...reachOf({ caller: asked, narrowed }, documents, world),
    withoutTools,
    ...(standing && { standing }),
  };
}

type Named = Omit<ReachCaller, "groups">;

/** @throws Refusal `bad_config` */
function callerNamed(id: string, { trust_domain: domain, issuers }: Config): Named {
  const own = trustDomainOf(id);
  if (own === domain) return { id, issuer: domain, isWorkload: true };
  if (own !== undefined)
    throw wrong(id, `it is of the trust domain ${own}, and only identities of ${domain} get in`);
  const [, issuer = "", kind, name = ""] = /^oauth:([^/]*)\/(client|user)\/(.+)$/s.exec(id) ?? [];
  if (kind === undefined) {
    const path = id.replace(/^(?:spiffe:\/\/)?\/*/, "");
    throw wrong(id, `write a SPIFFE ID such as spiffe://${domain}/${path}, or oauth:ISSUER/client/CLIENT`);
  }
  if (!Object.hasOwn(issuers, issuer)) {
    const names = Object.keys(issuers);
    const there = names.length === 0 ? "none is configured" : `there are ${names.join(", ")}`;
    throw wrong(id, `there is no issuer "${issuer}"; ${there}`);
  }
  if (kind === "user")
    throw wrong(id, `${name} asks through clients and never alone: name one, oauth:${issuer}/client/CLIENT`);
  return { id, issuer, isWorkload: false };
}

function wrong(id: string, why: string): Refusal {
  return new Refusal("bad_config", `No caller here is named "${id}": ${why}.`);
}

function worldOf(config: Config, caller: Named, group: string | undefined): ReachWorld {
  const { tools } = knownOfConfig(config);
  const { delegation } = config;
  return {
    surroundings: surroundingsIn(config),
    servers: Object.entries(config.servers).map(([name, server]) => ({
      name,
      tools: tools.get(name) ?? new Map(),
      readOnly: "read_only" in server ? server.read_only : [],
    })),
    linksTo: linksOf(config, caller, group),
    // A client's token may be for a user, whatever is delegated here.
    actsForOthers: !caller.isWorkload || delegation.max_depth > 0,
    lends: caller.isWorkload && delegation.max_depth > 0,
  };
}

/** The links a listener takes from such a caller; those without ML-KEM lead to the servers that are open to them. */
function linksOf(config: Config, caller: Named, group: string | undefined): ReachWorld["linksTo"] {
  const { classicalServers, webListeners, virtual_servers: virtual } = config;
  const own = webListeners.filter(({ issuers }) => issuers.includes(caller.issuer));
  if (!caller.isWorkload && own.length === 0) return () => [];
  const open = new Set(
    caller.isWorkload
      ? classicalServers
      : own.flatMap((each) => (each.key_exchange === "hybrid-preferred" ? each.classical_servers : [])),
  );
  const proven = possibleLinks.filter(
    (link) =>
      (link.certificate !== undefined) === caller.isWorkload && (group === undefined || link.group === group),
  );
  const hybrid = proven.filter(({ isPostQuantum }) => isPostQuantum);
  const isOpen = (server: string): boolean =>
    open.has(server) ||
    Object.entries(virtual).some(([name, { servers }]) => open.has(name) && servers.includes(server));
  return (server): readonly LinkPosture[] => (isOpen(server) ? proven : hybrid);
}
