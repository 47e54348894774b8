/** `latticegate expose`: an existing MCP server behind a post-quantum endpoint. The gateway's data plane with one upstream. */
import { resolveProfile } from "../crypto/suites.ts";
import { makeWorld } from "../gate/world.ts";
import { mcpPath } from "../host/net/mcp-http.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { RuleDocument } from "../policy/rules.ts";
import { openAuditLog } from "./audit-log.ts";
import { configSchema, type ServerConfig } from "./config.ts";
import { serve } from "./serve.ts";
import { openSidecarIdentity } from "./sidecar-identity.ts";
import { statePaths } from "./state-folder.ts";
import { connectServers } from "./upstreams.ts";

export interface ExposeOptions {
  /** What is exposed: a stdio command, or the URL of an HTTP server. */
  readonly server: { readonly command: readonly string[] } | { readonly url: string };
  readonly listen: string;
  /** SPIFFE IDs (patterns) that may call; by default the gateway only. */
  readonly allow: readonly string[];
  readonly state: string;
  readonly joinToken?: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Exposed {
  readonly url: string;
  readonly name: string;
  readonly spiffeId: string;
  readonly stop: () => Promise<void>;
}

export async function startExpose(options: ExposeOptions): Promise<Exposed> {
  const { clock, log } = options;
  const profile = resolveProfile("hybrid");
  const paths = statePaths(options.state);
  const identity = await openSidecarIdentity({ ...options, joinToken: options.joinToken, profile });
  const name = serverName(identity.spiffeId);
  const defaults = configSchema.parse({ servers: { [name]: options.server } });
  const audit = await openAuditLog(options.state, identity.keys, { trustDomain: identity.trustDomain, clock, log });
  const allow = options.allow.length > 0 ? options.allow : [identity.gateway.spiffeId];
  const world = makeWorld({
    trust: {
      domain: identity.trustDomain,
      identityAlgorithm: profile.identity.id,
      revokedSerials: new Set(),
    },
    rules: [allowRule(name, allow)],
    servers: [name],
  });
  const connected = connectServers(defaults.servers as Record<string, ServerConfig>, {
    folder: process.cwd(),
    stderrFolder: paths.servers,
    limits: defaults.limits,
    profile,
    clock,
    log,
  });
  const [serverRoot] = identity.serverRoots;
  if (serverRoot === undefined) throw new Refusal("bad_state", "The stored identity has no server root; join again.");
  const serving = await serve({
    listen: options.listen,
    profile,
    credentials: identity.credentials(),
    serverRoot,
    clientRoots: identity.clientRoots,
    world: () => world,
    ports: {
      journal: audit.journal,
      upstreams: connected.upstreams,
      clock,
      log,
      sessionKey: await identity.keys.secret("sessions"),
    },
    maxBodyBytes: defaults.limits.request,
  });
  identity.onRenewed(serving.renew);
  return {
    url: `https://${serving.address}${mcpPath}${name}`,
    name,
    spiffeId: identity.spiffeId,
    stop: async () => {
      identity.stop();
      await serving.drain(defaults.limits.drain);
      await connected.upstreams.close();
      await audit.journal.close();
    },
  };
}

/** `spiffe://domain/server/<name>` → `<name>` */
function serverName(spiffeId: string): string {
  const name = /\/server\/([a-z0-9][a-z0-9._-]{0,63})$/.exec(spiffeId)?.[1];
  if (name === undefined) {
    throw new Refusal(
      "bad_join_token",
      `This identity is ${spiffeId}; exposing needs one made with "latticegate ca token --for server/NAME".`,
    );
  }
  return name;
}

function allowRule(name: string, callers: readonly string[]): RuleDocument {
  const everything = [`${name}/*`];
  return {
    name: "exposed",
    callers: [...callers],
    tools: everything,
    resources: everything,
    prompts: everything,
    effect: "allow",
    because: "Named when the server was exposed.",
    mode: "enforce",
  };
}
