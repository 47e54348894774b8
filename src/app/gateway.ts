/** `latticegate up`: the gateway from its config to a running process, and back. */
import { randomUUIDv7 } from "node:crypto";

import { generateKeyPair } from "../crypto/keys.ts";
import type { Journal } from "../gate/ports.ts";
import { makeWorld, type World } from "../gate/world.ts";
import type { Credentials } from "../host/net/tls.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { openState, type StateStore } from "../host/store/state-sqlite.ts";
import { type Authority, issueSvid, type Purpose } from "../identity/authority.ts";
import { spiffeId } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { type RecentCalls, recentCalls } from "../control/recent-calls.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import { credentialsOf, renewing } from "./credentials.ts";
import { doctorRule } from "./doctor-rule.ts";
import { openPage } from "./page.ts";
import { recordIssue, registrar } from "./registrar.ts";
import { serve } from "./serve.ts";
import { openAuthority, openKeys, statePaths } from "./state-folder.ts";
import { connectServers } from "./upstreams.ts";
import { version } from "./version.ts";

export interface Gateway {
  readonly address: string;
  /** Link to the page with this start's token; undefined if there is none. */
  readonly dashboard: string | undefined;
  readonly audit: AuditLog;
  /** Drains, closes the log with a last head, and ends the servers it started. */
  readonly stop: () => Promise<void>;
}

interface Environment {
  readonly clock: Clock;
  readonly log: Log;
}

/** How soon a change another process made to the state (a revocation) is in force. */
const stateWatchMs = 500;

export async function startGateway(config: Config, environment: Environment): Promise<Gateway> {
  const { clock, log } = environment;
  const paths = statePaths(config.state);
  const keys = await openKeys(config.state, config.unlock);
  const authority = await openAuthority(config.state, keys, config.trust_domain, clock);
  const state = openState(paths.database);
  const audit = await openAuditLog(config.state, keys, { trustDomain: config.trust_domain, clock, log });
  const recent = recentCalls();
  const journal = observed(audit.journal, recent);
  const gatewayId = spiffeId(config.trust_domain, "gateway");
  const world = watchedWorld(config, state);
  await announce(journal, "gateway.start", { principal: gatewayId, world: world.current().digest, clock });

  const own = { authority, state, journal, clock, spiffeId: gatewayId, suite: config.profile.identity };
  const server = await ownCredentials({ ...own, purpose: "server" });
  const client = await ownCredentials({ ...own, purpose: "client" });
  const connected = connectServers(config.servers, {
    folder: config.folder,
    stderrFolder: paths.servers,
    limits: config.limits,
    profile: config.profile,
    client: { credentials: client.credentials, serverRoots: [authority.roots.server.certificate] },
    clock,
    log,
  });
  const ports = { journal, upstreams: connected.upstreams, clock, log, sessionKey: await keys.secret("sessions") };
  const trust = (): World["trust"] => world.current().trust;
  const serving = await serve({
    listen: config.listen,
    profile: config.profile,
    credentials: server.credentials,
    serverRoot: authority.roots.server.certificate,
    clientRoots: [authority.roots.client.certificate],
    world: world.current,
    ports,
    maxBodyBytes: config.limits.request,
    registrar: registrar({ ...own, gatewayId, trust }),
  });
  const renewal = renewing(server.notAfterUnixMs, environment, async () => {
    const nextServer = await ownCredentials({ ...own, purpose: "server" });
    const nextClient = await ownCredentials({ ...own, purpose: "client" });
    serving.renew(nextServer.credentials);
    connected.renew(nextClient.credentials);
    return nextServer.notAfterUnixMs;
  });
  const page = await openPage(config, { audit, recent, counts: connected.upstreams.counts, address: serving.address, clock, log });
  await writePrivateFile(
    paths.run,
    JSON.stringify({
      pid: process.pid,
      version,
      listen: serving.address,
      gateway: gatewayId,
      startedAtUnixMs: clock.nowUnixMs(),
      ...(page && { dashboard: page.link }),
    }),
  );
  return {
    address: serving.address,
    dashboard: page?.link,
    audit,
    stop: async () => {
      renewal.stop();
      world.stop();
      page?.close();
      await serving.drain(config.limits.drain);
      await connected.upstreams.close();
      await announce(journal, "gateway.stop", { principal: gatewayId, world: world.current().digest, clock });
      await audit.journal.close();
      state.close();
    },
  };
}

interface OwnIdentity {
  readonly authority: Authority;
  readonly state: StateStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly spiffeId: string;
  readonly suite: Config["profile"]["identity"];
  readonly purpose: Purpose;
}

/** A fresh key and certificate of the gateway's own; TLS keys never touch the disk. */
async function ownCredentials(
  own: OwnIdentity,
): Promise<{ readonly credentials: Credentials; readonly notAfterUnixMs: number }> {
  const key = generateKeyPair(own.suite);
  const svid = issueSvid(own.authority, { ...own, publicKey: key.publicKey }, own.clock.nowUnixMs());
  await recordIssue(svid, own, "own", own);
  return { credentials: credentialsOf(key, svid.certificate), notAfterUnixMs: svid.notAfterUnixMs };
}

/** The world, swapped whole when the state database was changed by a command. */
function watchedWorld(config: Config, state: StateStore): { readonly current: () => World; readonly stop: () => void } {
  const make = (): World =>
    makeWorld({
      trust: {
        domain: config.trust_domain,
        identityAlgorithm: config.profile.identity.id,
        revokedSerials: state.revokedSerials(),
      },
      rules: [...config.policies, doctorRule(config)],
      servers: Object.keys(config.servers),
    });
  let world = make();
  let seen = state.version();
  const timer = setInterval(() => {
    const now = state.version();
    if (now === seen) return;
    seen = now;
    world = make();
  }, stateWatchMs).unref();
  return { current: () => world, stop: () => clearInterval(timer) };
}

function observed(journal: Journal, recent: RecentCalls): Journal {
  return {
    append: async (draft) => {
      const receipt = await journal.append(draft);
      recent.see(draft);
      return receipt;
    },
    owe: journal.owe,
  };
}

async function announce(
  journal: Journal,
  event: "gateway.start" | "gateway.stop",
  what: { readonly principal: string; readonly world: string; readonly clock: Clock },
): Promise<void> {
  await journal.append({
    event,
    atUnixMs: what.clock.nowUnixMs(),
    callId: randomUUIDv7(),
    principal: what.principal,
    tool: null,
    outcome: "allowed",
    facts: { version, world: what.world },
  });
}

