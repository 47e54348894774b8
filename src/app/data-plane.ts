/** The gateway's data plane: the servers behind it, the doors in front, and its own certificates. */
import { handle } from "../gate/handle.ts";
import type { Ports } from "../gate/ports.ts";
import { clientSessions } from "../host/client-sessions.ts";
import { grantsHttp } from "../host/net/grants-http.ts";
import type { NamedUpstreams } from "../host/net/upstreams.ts";
import { openGrants, type GrantStore } from "../host/store/state-grants.ts";
import { namedVirtualServers } from "../host/virtual/virtual-server.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { callerAssertions, publishAssertionKeys } from "./caller-assertions.ts";
import type { Config } from "./config.ts";
import { renewing } from "./credentials.ts";
import { grantsDesk } from "./grants.ts";
import type { IdentityRecords } from "./identity-records.ts";
import { type OwnIdentity, ownStanding, type RootWatch, type Standing, watchRoots } from "./own-identity.ts";
import { registrar } from "./registrar.ts";
import { loadAuthority } from "./roots.ts";
import { serve, type ServeOptions, type Serving } from "./serve.ts";
import { statePaths } from "./state-folder.ts";
import { type ConnectedServers, connectServers } from "./upstreams.ts";
import { joinServers } from "./virtual-servers.ts";
import type { WatchedWorld } from "./watched-world.ts";
import { openWebListeners } from "./web-listener.ts";
import { workloadEnrolment } from "./workload-enrolment.ts";

export interface Environment {
  readonly clock: Clock;
  readonly log: Log;
}

/** What there is before anybody is let in. */
export interface Base {
  readonly environment: Environment;
  readonly world: WatchedWorld;
  readonly records: IdentityRecords;
  readonly gatewayId: string;
  readonly own: OwnIdentity;
}

export interface DataPlane {
  /** Of the listener for sidecars. */
  readonly address: string;
  /** Of those for clients with access tokens, by the origin they are known by. */
  readonly webAddresses: ReadonlyMap<string, string>;
  readonly counts: NamedUpstreams["counts"];
}

/** The servers behind, the doors in front, and certificates that renew themselves. */
export async function openDataPlane(
  config: Config,
  base: Base,
  opening: AsyncDisposableStack,
): Promise<DataPlane> {
  const { own, world, environment } = base;
  const roots = own.roots.roots();
  const standing = await ownStanding(own, await loadAuthority(own.trustDomain, own.keys, roots));
  const behind = await openServers(config, { ...base, standing }, opening);
  const { connected, ports } = behind;
  const watch = watchRoots(own, { standing, records: roots }, (next, old) => {
    serving.renew(next.server);
    connected.renew(next.client, old);
  });
  opening.defer(watch.stop);
  const serving: Serving = await serve({
    listen: config.listen,
    ...(config.linkAuthentication === "hybrid-mtls" && { demands: config.linkAuthentication }),
    profile: config.profile,
    side: standing.server,
    world: world.current,
    ports,
    maxBodyBytes: config.limits.request,
    ...identityDesks(config, { ...base, watch, ...behind }),
  });
  opening.defer(() => serving.drain(config.limits.drain));
  const web = await openWebListeners(config, { ports, world: world.current }, opening);
  const renewal = renewing(standing.notAfterUnixMs, environment, watch.renew);
  opening.defer(renewal.stop);
  const enforce = (): void => {
    watch.refresh();
    serving.review();
    web.review();
    connected.review();
    // The gateway's identity can't be taken from it, only what may have been stolen of it.
    if (watch.isRevoked(world.current().trust)) renewal.now();
    void base.records.revoked();
  };
  world.onChange(enforce);
  enforce(); // What was changed while no gateway ran, or while this one started.
  return { address: serving.address, webAddresses: web.addresses, counts: connected.upstreams.counts };
}

interface Behind {
  readonly connected: ConnectedServers;
  readonly store: GrantStore;
  readonly ports: Ports;
}

/** The servers behind, and all that the path of a call needs. */
async function openServers(
  config: Config,
  { own, world, environment, gatewayId, standing }: Base & { readonly standing: Standing },
  opening: AsyncDisposableStack,
): Promise<Behind> {
  const { keys, journal } = own;
  const virtual = joinServers(config, {
    handle: (received) => handle(received, world.current(), ports),
    world: world.current,
    ports: environment,
  });
  const store = openGrants(statePaths(config.state).database, await keys.secret("grants"));
  opening.defer(store.close);
  await publishAssertionKeys(statePaths(config.state).assertionKeys, config.servers, keys);
  const connected = connectServers(config.servers, {
    virtual,
    assertions: callerAssertions({ issuer: gatewayId, keys, ...environment }),
    grants: { store, clientName: `Latticegate (${config.trust_domain})` },
    folder: config.folder,
    stderrFolder: statePaths(config.state).servers,
    limits: config.limits,
    profile: config.profile,
    client: standing.client,
    ...environment,
  });
  opening.defer(connected.upstreams.close);
  const ports: Ports = {
    journal,
    upstreams: connected.upstreams,
    virtual: namedVirtualServers(virtual),
    sessionKey: await keys.secret("sessions"),
    ...(await openRepresentation(own)),
    ...environment,
  };
  return { connected, store, ports };
}

/** Where identities and grants are asked for, and what is told of those who were refused one. */
function identityDesks(
  config: Config,
  parts: Base & Behind & { readonly watch: RootWatch },
): Pick<ServeOptions, "grants" | "registrar" | "revoked" | "onRefused"> {
  const { own, world, records, environment, gatewayId, connected, store, watch } = parts;
  const { journal, classical } = own;
  const { revokedSerials } = own.state;
  const desk = {
    grants: connected.grants,
    store,
    world: world.current,
    revokedSerials,
    journal,
    ...environment,
  };
  return {
    grants: grantsHttp(grantsDesk(desk), environment.log),
    registrar: registrar({
      ...own,
      authority: watch.authority,
      classicalAuthority: classical.authority,
      classicalSuite: classical.suite,
      gatewayId,
      trust: () => world.current().trust,
      workloads: workloadEnrolment(config, environment.clock),
      onRefused: records.refused,
    }),
    revoked: () => own.state.revokedCertificates(environment.clock.nowUnixMs()),
    onRefused: (refusal, remote) => records.refused("link", refusal, remote),
  };
}

/** For whom callers act, and in which sessions. */
async function openRepresentation({
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
