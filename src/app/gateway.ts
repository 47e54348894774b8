/** `latticegate up`: the gateway from its config to a running process, and back. */
import { rm } from "node:fs/promises";
import { randomUUIDv7 } from "node:crypto";

import { handle } from "../gate/handle.ts";
import type { Journal, Ports } from "../gate/ports.ts";
import { makeWorld, type VersionFloor, type World } from "../gate/world.ts";
import { clientSessions } from "../host/client-sessions.ts";
import { grantsHttp } from "../host/net/grants-http.ts";
import type { NamedUpstreams } from "../host/net/upstreams.ts";
import { namedVirtualServers } from "../host/virtual/virtual-server.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { openIssuers } from "../host/oauth/issuers.ts";
import { openProofs } from "../host/oauth/proofs.ts";
import { openGrants } from "../host/store/state-grants.ts";
import { openState, type StateStore } from "../host/store/state-sqlite.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { type RecentCalls, recentCalls } from "../control/recent-calls.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import { callerAssertions, publishAssertionKeys } from "./caller-assertions.ts";
import { openClassicalAuthority } from "./classical-authority.ts";
import type { Config } from "./config.ts";
import { issuerSpecs } from "./config/issuers.ts";
import { renewing } from "./credentials.ts";
import { doctorRule } from "./doctor-rule.ts";
import { grantsDesk } from "./grants.ts";
import { openPage } from "./page.ts";
import { identityRecords, type IdentityRecords } from "./identity-records.ts";
import { type OwnIdentity, ownStanding, recordEvents, watchRoots } from "./own-identity.ts";
import { registrar } from "./registrar.ts";
import { issuersOf, loadAuthority } from "./roots.ts";
import { serve, type Serving } from "./serve.ts";
import { signerOf } from "./signer/gateway-signer.ts";
import { openAuthorityRoots, openKeys, statePaths } from "./state-folder.ts";
import { connectServers } from "./upstreams.ts";
import { joinServers } from "./virtual-servers.ts";
import { version } from "./version.ts";
import { openWebListener, webReach } from "./web-listener.ts";
import { workloadEnrolment } from "./workload-enrolment.ts";

export interface Gateway {
  readonly address: string;
  /** Where clients with access tokens come in, by the origin they know it by. */
  readonly webAddresses: ReadonlyMap<string, string>;
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

/** How soon a change another process made to the state (a revocation) is in force; to look costs a few microseconds. */
const stateWatchMs = 100;

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startGateway(config: Config, environment: Environment): Promise<Gateway> {
  await using opening = new AsyncDisposableStack();
  const base = await openBase(config, environment, opening);
  const { audit, recent, gatewayId } = base;
  const connected = await startDataPlane(config, base, opening);
  const { serving, webAddresses, counts } = connected;
  const page = await openPage(config, { audit, recent, counts, address: serving.address, ...environment });
  if (page !== undefined) opening.defer(page.close);
  const startedAtUnixMs = environment.clock.nowUnixMs();
  const run = { pid: process.pid, version, listen: serving.address, gateway: gatewayId, startedAtUnixMs };
  await writePrivateFile(
    statePaths(config.state).run,
    JSON.stringify({ ...run, ...(page && { dashboard: page.link }) }),
  );
  const opened = opening.move();
  return {
    address: serving.address,
    webAddresses,
    dashboard: page?.link,
    audit,
    stop: () => opened.disposeAsync(),
  };
}

interface Base {
  readonly environment: Environment;
  readonly audit: AuditLog;
  readonly recent: RecentCalls;
  readonly world: WatchedWorld;
  readonly records: IdentityRecords;
  readonly gatewayId: string;
  readonly own: OwnIdentity;
}

/** Keys, authority, state and log: what there is before anybody is let in. */
async function openBase(
  config: Config,
  environment: Environment,
  opening: AsyncDisposableStack,
): Promise<Base> {
  const { clock, log } = environment;
  const signer = await signerOf(config, { log });
  // Closed last: the log's last head is still to be signed.
  if (signer !== undefined) opening.defer(signer.close);
  const keys = await openKeys(config.state, config.unlock, signer);
  const suite = config.profile.identity;
  const making = { trustDomain: config.trust_domain, suite: suite.id, clock };
  const roots = await openAuthorityRoots(config.state, keys, making);
  opening.defer(roots.close);
  const classicalAuthority = await openClassicalAuthority(
    { state: config.state, keys },
    { trustDomain: config.trust_domain, profile: config.profile },
    clock,
  );
  const state = openState(statePaths(config.state).database);
  opening.defer(state.close);
  const audit = await openAuditLog(config.state, keys, { trustDomain: config.trust_domain, clock, log });
  opening.defer(audit.journal.close);
  // Ours while we hold the log; it names the page's link, which ends with us.
  opening.defer(() => rm(statePaths(config.state).run, { force: true }));
  const recent = recentCalls();
  const journal = observed(audit.journal, recent);
  const gatewayId = gatewayIdOf(config.trust_domain);
  const world = watchedWorld(config, { ...state, issuers: () => issuersOf(roots.roots()) }, log);
  opening.defer(world.stop);
  const what = { principal: gatewayId, world: world.current().digest, clock };
  await announce(journal, "gateway.start", what);
  opening.defer(() => announce(journal, "gateway.stop", what));
  const trustDomain = config.trust_domain;
  const classical = { authority: classicalAuthority, suite: config.profile.classical };
  const where = { trustDomain, spiffeId: gatewayId, suite, classical };
  const revokedSerials = () => world.current().trust.revokedSerials;
  const own = { keys, roots, state, journal, clock, log, revokedSerials, ...where };
  await recordEvents(own);
  const records = identityRecords({ state, journal, gatewayId, clock, log });
  opening.defer(records.stop);
  return { environment, audit, recent, world, records, gatewayId, own };
}

/** The servers behind, the doors in front, and certificates that renew themselves. */
async function startDataPlane(
  config: Config,
  base: Base,
  opening: AsyncDisposableStack,
): Promise<
  Pick<Gateway, "webAddresses"> & {
    readonly serving: Serving;
    readonly counts: NamedUpstreams["counts"];
  }
> {
  const { own, world, records, environment, gatewayId } = base;
  const { journal } = own;
  const { profile, limits } = config;
  const roots = own.roots.roots();
  const standing = await ownStanding(own, await loadAuthority(own.trustDomain, own.keys, roots));
  const virtual = joinServers(config, {
    handle: (received) => handle(received, world.current(), ports),
    world: world.current,
    ports: environment,
  });
  const store = openGrants(statePaths(config.state).database, await own.keys.secret("grants"));
  opening.defer(store.close);
  await publishAssertionKeys(statePaths(config.state).assertionKeys, config.servers, own.keys);
  const connected = connectServers(config.servers, {
    virtual,
    assertions: callerAssertions({ issuer: gatewayId, keys: own.keys, ...environment }),
    grants: { store, clientName: `Latticegate (${config.trust_domain})` },
    folder: config.folder,
    stderrFolder: statePaths(config.state).servers,
    limits,
    profile,
    client: standing.client,
    ...environment,
  });
  const { upstreams } = connected;
  opening.defer(upstreams.close);
  const sessionKey = await own.keys.secret("sessions");
  const ports = {
    journal,
    upstreams,
    virtual: namedVirtualServers(virtual),
    sessionKey,
    ...(await openStanding(own)),
    ...environment,
  };
  const watch = watchRoots(own, { standing, records: roots }, (next, old) => {
    serving.renew(next.server);
    connected.renew(next.client, old);
  });
  opening.defer(watch.stop);
  const serving: Serving = await serve({
    listen: config.listen,
    ...(config.linkAuthentication === "hybrid-mtls" && { demands: config.linkAuthentication }),
    profile,
    side: standing.server,
    world: world.current,
    ports,
    maxBodyBytes: limits.request,
    grants: grantsHttp(
      grantsDesk({ grants: connected.grants, store, world: world.current, journal, ...environment }),
      environment.log,
    ),
    registrar: registrar({
      ...own,
      authority: () => watch.authority(),
      classicalAuthority: own.classical.authority,
      classicalSuite: own.classical.suite,
      gatewayId,
      trust: () => world.current().trust,
      workloads: workloadEnrolment(config, environment.clock),
      onRefused: records.refused,
    }),
    revoked: () => own.state.revokedCertificates(environment.clock.nowUnixMs()),
    onRefused: (refusal, remote) => records.refused("link", refusal, remote),
  });
  opening.defer(() => serving.drain(limits.drain));
  const webAddresses = await openWebListeners(config, { ports, world: world.current }, opening);
  const renewal = renewing(standing.notAfterUnixMs, environment, watch.renew);
  opening.defer(renewal.stop);
  const enforce = (): void => {
    watch.refresh();
    serving.review();
    connected.review();
    // The gateway's identity can't be taken from it, only what may have been stolen of it.
    if (watch.isRevoked(world.current().trust)) renewal.now();
    void records.revoked();
  };
  world.onChange(enforce);
  enforce(); // What was changed while no gateway ran, or while this one started.
  return { serving, webAddresses, counts: upstreams.counts };
}

/** Where clients with access tokens come in, if anywhere. */
async function openWebListeners(
  config: Config,
  { ports, world }: { readonly ports: Ports; readonly world: () => World },
  opening: AsyncDisposableStack,
): Promise<ReadonlyMap<string, string>> {
  const { webListeners, profile, limits } = config;
  const addresses = new Map<string, string>();
  if (webListeners.length === 0) return addresses;
  const specs = issuerSpecs(config.issuers, config.folder);
  const shared = {
    profile,
    issuers: openIssuers(specs, ports.clock),
    issuerUrls: new Map([...specs].map(([name, { issuer }]) => [name, issuer])),
    proofs: openProofs(ports.clock),
    world,
    ports,
    maxBodyBytes: limits.request,
  };
  for (const listener of webListeners) {
    const { address, drain } = await openWebListener(listener, shared);
    opening.defer(() => drain(limits.drain));
    ports.log.info("listener.open", { url: listener.url, address });
    addresses.set(listener.url, address);
  }
  return addresses;
}

/** For whom callers act, and in which sessions. */
async function openStanding({
  keys,
  suite,
  clock,
}: OwnIdentity): Promise<Required<Pick<Ports, "clientSessions" | "delegations">>> {
  return {
    clientSessions: clientSessions(await keys.secret("client-sessions"), clock.nowUnixMs()),
    // Named after its algorithm: another profile's is another key.
    delegations: await keys.signing(`delegation-${suite.id.toLowerCase()}`, suite.id),
  };
}

function hybridLinks({ servers }: Config): readonly string[] {
  return Object.entries(servers).flatMap(([name, { link }]) =>
    link.authentication === "hybrid-mtls" ? [name] : [],
  );
}

function versionFloor({ protocol, servers }: Config): VersionFloor {
  const ofServers = Object.entries(servers).flatMap(([name, { minimum_protocol: own }]) =>
    own === undefined ? [] : [[name, own] as const],
  );
  return {
    ...(protocol.minimum !== undefined && { minimum: protocol.minimum }),
    ofServers: new Map(ofServers),
  };
}

interface WatchedWorld {
  readonly current: () => World;
  /** Called after each swap. */
  readonly onChange: (told: () => void) => void;
  readonly stop: () => void;
}

interface WatchedState extends Pick<StateStore, "revokedSerials" | "version"> {
  readonly issuers: () => ReadonlySet<string>;
}

/** The world, swapped whole when the state database was changed by a command. */
function watchedWorld(config: Config, state: WatchedState, log: Log): WatchedWorld {
  const make = (): World =>
    makeWorld({
      trust: {
        domain: config.trust_domain,
        identityAlgorithm: config.profile.identity.id,
        revokedSerials: state.revokedSerials(),
        issuers: state.issuers(),
      },
      rules: [...config.policies, doctorRule(config)],
      servers: Object.keys(config.servers),
      virtualServers: new Map(
        Object.entries(config.virtual_servers).map(([name, { servers }]) => [name, servers]),
      ),
      claims: config.caller_claims,
      webListeners: webReach(config.webListeners),
      versions: versionFloor(config),
      hybridLinks: hybridLinks(config),
      delegation: {
        maxDepth: config.delegation.max_depth,
        maxLifetimeMs: config.delegation.max_lifetime,
      },
      forward: Object.fromEntries(
        Object.entries(config.servers).flatMap(([name, server]) =>
          "forward" in server ? [[name, server.forward]] : [],
        ),
      ),
    });
  let seen = state.version();
  let told = (): void => {};
  let world = make();
  const timer = setInterval(() => {
    try {
      const now = state.version();
      if (now === seen) return;
      world = make();
      seen = now;
      told();
    } catch (error) {
      // Tried again at the next tick; until then the calls are judged under the world there is.
      log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }, stateWatchMs).unref();
  return {
    current: () => world,
    onChange: (next) => (told = next),
    stop: () => clearInterval(timer),
  };
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
