/** The gateway's data plane: the servers behind it, the doors in front, and its own certificates. */

import type { InForce } from "../crypto/suites/in-force.ts";
import type { CallWatch } from "../detect/session-watch.ts";
import { isOf } from "../host/net/tls.ts";
import type { DoorTerms } from "../host/net/web-tls.ts";
import type { Profile } from "../crypto/suites/profiles.ts";
import { handle } from "../gate/handle.ts";
import type { Digests, Ports, Receipts } from "../gate/ports.ts";
import { taskRegister } from "../gate/task-register.ts";
import { clientSessions } from "../host/client-sessions.ts";
import type { NamedUpstreams } from "../host/net/upstreams.ts";
import { openGrants, type GrantStore } from "../host/store/state-grants.ts";
import { namedVirtualServers } from "../host/virtual/virtual-server.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { PastCalls } from "../policy/history/past-calls.ts";
import { approvalsKey } from "./approvals/approval-operations.ts";
import { type ApprovalDesk, openApprovalDesk } from "./approvals/approval-desk.ts";
import type { AuditLog } from "./audit-log.ts";
import { openCapture } from "./capture/open-capture.ts";
import { callerAssertions, publishAssertionKeys } from "./caller-assertions.ts";
import type { Config } from "./config.ts";
import type { LiveParts } from "./crypto/live-facts.ts";
import { renewing } from "./credentials.ts";
import { renewalsDue } from "./renewals-due.ts";
import type { FollowedCalls } from "./metrics/followed-calls.ts";
import { measuredPorts } from "./metrics/measured-ports.ts";
import type { IdentityRecords } from "./identity-records.ts";
import { type OwnIdentity, ownStanding, type Standing } from "./own-identity.ts";
import { type LinkPolicy, linkPolicy } from "./link-policy.ts";
import { watchPeers } from "./peer-watch.ts";
import { watchRoots } from "./root-watch.ts";
import { enforceChanges } from "./enforced-changes.ts";
import type { PlaybookDesk } from "./respond/playbook-desk.ts";
import type { ResponseDesk } from "./respond/response-desk.ts";
import { loadAuthority } from "./roots.ts";
import { serve, type ServeOptions, type Serving } from "./serve.ts";
import { publishMessageKeys } from "./signatures/doctor-signatures.ts";
import { type MessageKeys, messageKeys } from "./signatures/message-keys.ts";
import { peerCalling } from "./signatures/peer-calling.ts";
import { type SignatureDesk, signatureDesk } from "./signatures/signature-desk.ts";
import { statePaths } from "./state-folder.ts";
import type { GrantsOptions } from "./upstream-auth.ts";
import { manifestSigning } from "./openapi/live-manifest.ts";
import { type ConnectedServers, connectServers, type UpstreamOptions } from "./upstreams.ts";
import type { CalledPeer } from "./peer/called-peer.ts";
import { identityDesks } from "./identity-desks.ts";
import { findingOf, openGatewayPeer } from "./peer/gateway-peer.ts";
import { joinServers } from "./virtual-servers.ts";
import { sessionsFlow } from "./session-memories.ts";
import type { WatchedWorld } from "./watched-world.ts";
import { openWebListeners, type OpenWebListeners } from "./web-listener.ts";
import type { ServerTools } from "./tools/server-tools.ts";
import { type Watched, watchFlows } from "./flow-watch.ts";
import { takeUpWebTerms } from "./web-terms.ts";
import { type WorkloadEnrolment, workloadEnrolment } from "./workload-enrolment.ts";

export interface Environment {
  readonly clock: Clock;
  readonly log: Log;
  /** Has `act` called whenever somebody outside wants all calls stopped; absent where nobody can say that. */
  readonly onKill?: (act: () => void) => void;
}

/** What there is before anybody is let in. */
export interface Base {
  readonly environment: Environment;
  readonly world: WatchedWorld;
  /** What rules ask of calls before. */
  readonly history: PastCalls;
  /** What the models say of calls. */
  readonly callWatch: CallWatch;
  /** What is done about findings. */
  readonly responses: ResponseDesk;
  /** Who does it by itself. */
  readonly playbooks: PlaybookDesk;
  readonly records: IdentityRecords;
  readonly gatewayId: string;
  readonly own: OwnIdentity;
  /** Of calls, for clients that ask for them. */
  readonly receipts: Receipts;
  /** Keys made before that should be replaced; 0 if nobody ever asked for that. */
  readonly freshKeysSince: () => number;
  /** Has the audit log signed as that profile asks. */
  readonly followLog: (profile: Profile) => void;
  readonly digests: Digests;
  readonly subjectOf: AuditLog["subjectOf"];
  readonly tools: ServerTools;
  /** Times calls; absent where nobody measures them. */
  readonly calls?: FollowedCalls;
  /** Has `forget` told who was erased from the audit log, as far as they were seen. */
  readonly onErasure: (forget: (ids: readonly string[]) => void) => void;
}

export interface DataPlane {
  /** Of the listener for sidecars. */
  readonly address: string;
  /** Of those for clients with access tokens, by the origin they are known by. */
  readonly webAddresses: ReadonlyMap<string, string>;
  readonly counts: NamedUpstreams["counts"];
  /** Under which peers call its servers; absent where they can't. */
  readonly peerId?: string;
  /** How the servers that are named as peers are reached now. */
  readonly paths: ConnectedServers["paths"];
  /** Has `act` told whenever the gateway shows other certificates, or takes other groups. */
  readonly onStanding: (act: (next: Standing) => void) => void;
  /** What can be asked of its cryptography. */
  readonly live: LiveParts;
  readonly approvals: ApprovalDesk;
}

/** The servers behind, the doors in front, and certificates that renew themselves. */
export async function openDataPlane(
  config: Config,
  base: Base,
  opening: AsyncDisposableStack,
): Promise<DataPlane> {
  const { own, world, environment } = base;
  const roots = own.roots.roots();
  const standing = await ownStanding(own, await loadAuthority(own.trustDomain, own.keys, roots), roots);
  let shown = standing;
  const toldOf: ((next: Standing) => void)[] = [];
  const due = renewalsDue(base, roots, () => shown);
  // As the doors have it: what a peer shows is judged by what it was asked for.
  const judges = openLinkJudges(config, base, () => shown.inForce, opening);
  const delegations = (): Standing["delegations"] => shown.delegations;
  const behind = await openServers(config, { ...base, standing, ...judges, delegations }, opening);
  const { connected, ports } = behind;
  const watch = watchRoots(own, { standing, records: roots }, (next, why) => {
    shown = next;
    for (const tell of toldOf) tell(next);
    serving.renew(next.server);
    called?.renewed();
    connected.renew(next.client, why === "compromised" ? "cut" : "finish");
    if (why === "renewed") return;
    due.now();
    takeUpWebTerms(doorTerms(next), { web, connected });
    base.followLog(next.inForce.profile);
    serving.retire((channel) => !isOf(next.inForce.profile, channel));
    serving.review(); // Exposed servers are told.
  });
  opening.defer(watch.stop);
  const called = await openGatewayPeer(config, { ...own, client: () => shown.client }, opening);
  const serving: Serving = await serve({
    ...listening(config),
    ...(called && { introduced: called.introduced }),
    side: standing.server,
    renewalWish: due.wish,
    renewBefore: due.beforeUnixMs,
    world: world.current,
    ports,
    ...judges,
    ...identityDesks({ ...base, watch, ...behind, state: config.state }),
  });
  opening.defer(() => serving.drain(config.limits.drain));
  await called?.begin(serving.takeStream);
  const web = await openWebListeners(
    config,
    { ports, world: world.current, ...judges, terms: doorTerms(shown) },
    opening,
  );
  base.followLog(standing.inForce.profile);
  const renewal = renewing(standing.notAfterUnixMs, environment, watch.renew);
  opening.defer(renewal.stop);
  const parts = { watch, renewal, reviewed: [serving, web, connected], doors: [serving, web] };
  enforceChanges(base, { ...parts, ...judges, ...behind });
  return planeOf(
    { ...behind, serving, web, called, onStanding: (act) => void toldOf.push(act) },
    () => shown,
  );
}

/** What the config says of the gateway's own listener. */
function listening({
  listen,
  paths,
  linkAuthentication: demands,
  classicalServers,
  limits,
}: Config): Pick<ServeOptions, "listen" | "segmentBytes" | "demands" | "allowsClassical" | "maxBodyBytes"> {
  return {
    listen,
    segmentBytes: paths.segment,
    ...(demands === "hybrid-mtls" && { demands }),
    allowsClassical: classicalServers !== undefined,
    maxBodyBytes: limits.request,
  };
}

/** What each link is judged by: what its peer was seen with, what rules say of it, what passes on it. */
function openLinkJudges(
  config: Config,
  { own, world, environment }: Base,
  profile: () => InForce,
  opening: AsyncDisposableStack,
): Watched & { readonly links: LinkPolicy } {
  const peers = watchPeers(config.crypto, { ...own, profile });
  opening.defer(peers.stop);
  const links = linkPolicy({ world: world.current, journal: own.journal, ...environment });
  opening.defer(links.stop);
  const flows = watchFlows(config, { journal: own.journal, ...environment });
  opening.defer(flows.stop);
  return { peers, links, flows };
}

function doorTerms({ inForce, server }: Standing): DoorTerms {
  return { ...server.terms, name: inForce.profile.name };
}

function planeOf(
  {
    serving,
    web,
    connected,
    workloads,
    approvals,
    called,
    onStanding,
  }: Behind & {
    readonly onStanding: DataPlane["onStanding"];
    readonly serving: Serving;
    readonly web: OpenWebListeners;
    readonly called: CalledPeer | undefined;
  },
  standing: () => Standing,
): DataPlane {
  return {
    onStanding,
    address: serving.address,
    ...(called && { peerId: called.peerId }),
    paths: connected.paths,
    webAddresses: web.addresses,
    counts: connected.upstreams.counts,
    live: {
      serving,
      standing,
      web: web.facts,
      negotiated: connected.negotiated,
      issuersSeen: () => [web.issuersSeen(), workloads.issuersSeen()],
    },
    approvals,
  };
}

export interface Behind {
  readonly workloads: WorkloadEnrolment;
  readonly connected: ConnectedServers;
  readonly store: GrantStore;
  readonly signatures: SignatureDesk;
  readonly approvals: ApprovalDesk;
  readonly ports: Ports;
}

/** The servers behind, and all that the path of a call needs. */
async function openServers(
  config: Config,
  parts: Base & Required<Pick<Ports, "delegations">> & Watched & { readonly standing: Standing },
  opening: AsyncDisposableStack,
): Promise<Behind> {
  const { own, world, environment, gatewayId, standing, peers, delegations, digests, tools } = parts;
  const { keys } = own;
  const virtual = joinServers(config, {
    handle: (received) => handle(received, world.current(), ports),
    world: world.current,
    ports: environment,
  });
  const grants = await openCallersGrants(config, keys, opening);
  const { messages, signatures, approvals } = await openDesks(parts, config, opening);
  const connected = connectServers(config.servers, {
    virtual,
    assertions: callerAssertions({ issuer: gatewayId, keys, ...environment }),
    grants,
    ...connecting(config),
    terms: doorTerms(standing),
    client: standing.client,
    ...findingOf(config, keys),
    seen: peers.outgoing,
    stateKey: await keys.secret("request-states"),
    signDeclarations: manifestSigning(config, keys, environment.clock),
    calling: peerCalling({
      gatewayId,
      keys: messages,
      settings: config.signatures,
      pins: own.state.pins,
      onPins: () => signatures.refresh(),
      maxEventBytes: config.limits.answer,
      ...environment,
    }),
    ...environment,
  });
  opening.defer(connected.upstreams.close);
  tools.askThrough(connected.upstreams);
  const ports: Ports = {
    ...openCapture(config, parts, opening),
    signatures,
    ...measuredPorts({ journal: own.journal, ...parts }, connected.upstreams),
    receipts: parts.receipts,
    digests,
    tools,
    history: parts.history,
    approvals,
    responses: parts.playbooks,
    virtual: namedVirtualServers(virtual),
    sessionKey: await keys.secret("sessions"),
    tasks: taskRegister(),
    flow: sessionsFlow(own),
    watch: parts.callWatch,
    clientSessions: clientSessions(await keys.secret("client-sessions"), environment.clock.nowUnixMs()),
    delegations,
    ...environment,
  };
  const workloads = workloadEnrolment(config, environment.clock);
  return { connected, store: grants.store, signatures, approvals, ports, workloads };
}

/** What a connection to servers takes from the config as it is. */
function connecting({
  folder,
  state,
  limits,
}: Config): Pick<UpstreamOptions, "folder" | "stderrFolder" | "limits"> {
  return { folder, stderrFolder: statePaths(state).servers, limits };
}

/** What callers were granted at servers' authorization servers. */
async function openCallersGrants(
  { state, trust_domain: domain }: Config,
  keys: OwnIdentity["keys"],
  opening: AsyncDisposableStack,
): Promise<GrantsOptions> {
  const store = openGrants(statePaths(state).database, await keys.secret("grants"));
  opening.defer(store.close);
  return { store, clientName: `Latticegate (${domain})` };
}

/** Where people are asked about held calls. */
async function openApprovals(
  { own, environment, gatewayId }: Base,
  { state, approvals: settings }: Config,
  opening: AsyncDisposableStack,
): Promise<ApprovalDesk> {
  const key = await own.keys.secret(approvalsKey);
  const { journal } = own;
  return await openApprovalDesk(
    { state, settings, key, journal, spiffeId: gatewayId, ...environment },
    opening,
  );
}

/** What the path of a call asks beside servers: about signatures, and people about held calls. */
async function openDesks(
  base: Base,
  config: Config,
  opening: AsyncDisposableStack,
): Promise<Pick<Behind, "signatures" | "approvals"> & { readonly messages: MessageKeys }> {
  const messages = await messageKeys(base.own.keys);
  await publishMessageKeys(config.state, messages);
  await publishAssertionKeys(statePaths(config.state).assertionKeys, config.servers, base.own.keys);
  const signatures = openSignatures(base, { config, keys: messages }, opening);
  return { messages, signatures, approvals: await openApprovals(base, config, opening) };
}

/** The gateway's own message keys, and what it knows of others'. */
function openSignatures(
  { own, environment, gatewayId }: Base,
  { config, keys }: { readonly config: Config; readonly keys: MessageKeys },
  opening: AsyncDisposableStack,
): SignatureDesk {
  environment.log.info("signatures.keys", { fingerprint: keys.keySet.fingerprint });
  const desk = signatureDesk({
    id: gatewayId,
    keys,
    algorithm: () => own.inForce().profile.identity.id,
    pins: own.state.pins,
    policy: config.signatures.pins,
    journal: own.journal,
    ...environment,
  });
  opening.defer(desk.stop);
  return desk;
}
