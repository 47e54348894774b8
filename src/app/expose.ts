/** `latticegate expose`: an existing MCP server behind a post-quantum endpoint. The gateway's data plane with one upstream. */
import type { Ports } from "../gate/ports.ts";
import { makeWorld, type World } from "../gate/world.ts";
import { clientSessions } from "../host/client-sessions.ts";
import { mcpPath } from "../wire/protected-resource.ts";
import { namedVirtualServers } from "../host/virtual/virtual-server.ts";
import type { DoorTerms } from "../host/net/web-tls.ts";
import { isOf, type ServerSide } from "../host/net/tls.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { peerNameOf } from "../identity/peer-name.ts";
import type { RuleDocument } from "../policy/rules.ts";
import { type AuditLog, followingLog, openAuditLog } from "./audit-log.ts";
import type { Bootstrap } from "./bootstrap.ts";
import { configSchema, type ServerAtUrl, type ServerConfig } from "./config.ts";
import type { KeyExchangeDial, LinkAuthentication } from "./config/link.ts";
import { defaultSignatures, type SignatureSettings } from "./config/signatures.ts";
import { checkServerLinks } from "./config/server-links.ts";
import type { ToolPinning } from "./config/tools.ts";
import { type FollowedRevocations, followRevocations } from "./follow-revocations.ts";
import { keepPathFacts } from "./path-facts.ts";
import { type CalledPeer, openCalledPeer } from "./peer/called-peer.ts";
import { type AskedPeers, peerSettings } from "./peer/peer-places.ts";
import { serve, type Serving } from "./serve.ts";
import { type ExposedDesk, openExposedDesk } from "./signatures/exposed-desk.ts";
import { hashesOf } from "./roots.ts";
import { openSidecarIdentity, type SidecarIdentity } from "./sidecar-identity.ts";
import { checkSandbox, openSandbox, type SandboxOptions } from "./egress/sandbox.ts";
import { statePaths } from "./state-folder.ts";
import { followTools, openServerTools, pinsOf, type ServerTools } from "./tools/server-tools.ts";
import { withManifest } from "./tools/own-manifest.ts";
import { takeUpWebTerms } from "./web-terms.ts";
import { type ConnectedServers, connectServers, type UpstreamOptions } from "./upstreams.ts";
import { type OnLogIncident, startWitness, whatToDo } from "./witnessing.ts";

export interface ExposeOptions {
  /** What is exposed: a stdio command, or the URL of an HTTP server. */
  readonly server:
    | {
        readonly command: readonly string[];
        /** Variables of this process's environment that the server may see. */
        readonly passEnv?: readonly string[];
        /** Its processes run in namespaces of their own; absent where they run like any other. */
        readonly sandbox?: SandboxOptions;
      }
    | {
        readonly url: string;
        readonly transport?: ServerAtUrl["transport"];
        /** Of the link to an https URL; `hybrid-required` by default. */
        readonly keyExchange?: KeyExchangeDial;
      };
  readonly listen: string;
  /** Longest TCP segment of its connections; the system's choice by default. */
  readonly segmentBytes?: number | undefined;
  /** SPIFFE IDs (patterns) that may call; by default the gateway only. */
  readonly allow: readonly string[];
  /** What links have to prove before calls are taken on them; `ml-dsa-mtls` by default. */
  readonly authentication?: LinkAuthentication;
  /** How peers reach it by name; absent where they don't. */
  readonly peers?: AskedPeers;
  readonly state: string;
  readonly joinToken?: string;
  readonly bootstrap?: Bootstrap;
  /** What to do when the gateway's log isn't the one seen before; who doesn't say doesn't witness it. */
  readonly onLogIncident?: OnLogIncident;
  /** What it does about message signatures; as by default if absent. */
  readonly signatures?: SignatureSettings;
  /** Patterns of the names of tools that only read. */
  readonly readOnly?: readonly string[];
  /** What the server's tools are held to; `first-use` by default. */
  readonly pinTools?: ToolPinning;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Exposed {
  readonly url: string;
  /** Under which peers reach it, where they do: `mcp-pqc://…`. */
  readonly peerName?: string;
  readonly name: string;
  readonly spiffeId: string;
  /** Of its message keys. */
  readonly fingerprint: string;
  readonly stop: () => Promise<void>;
}

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startExpose(options: ExposeOptions): Promise<Exposed> {
  const { server: exposing, log } = options;
  if ("command" in exposing && exposing.sandbox !== undefined) await checkSandbox(exposing.sandbox);
  await using opening = new AsyncDisposableStack();
  opening.defer(await keepPathFacts(options.state, log));
  const identity = await openSidecarIdentity({ ...options, joinToken: options.joinToken });
  opening.defer(identity.stop);
  const name = serverName(identity.spiffeId);
  const { servers, limits } = configSchema.parse({ servers: { [name]: described(options) } });
  checkServerLinks(servers, { isPostQuantumOnly: false, profile: identity.profile });
  const { audit, follow } = await openLog(options, identity, opening);
  const server = servers[name];
  if (server === undefined) throw new Error("the one server there is has a name");
  const judging = await openWorld(options, { name, identity, server, audit }, opening);
  const contain = await sandboxOf(options, { name, identity, audit }, opening);
  const connected = connectServers(servers, { ...connectingOf(options, identity), limits, contain });
  opening.defer(connected.upstreams.close);
  const called = await openPeers(options, { name, identity }, opening);
  const serving = await serve({
    listen: options.listen,
    ...(called && { introduced: called.introduced }),
    segmentBytes: options.segmentBytes,
    ...(options.authentication === "hybrid-mtls" && { demands: options.authentication }),
    side: sideOf(identity),
    world: judging.world,
    ports: await portsOf(options, { identity, audit, judging, connected }),
    maxBodyBytes: limits.request,
  });
  opening.defer(() => serving.drain(limits.drain));
  await called?.begin(serving.takeStream);
  const swap = (): void => {
    judging.refresh();
    serving.review();
  };
  identity.onRenewed(() => {
    goOver(identity, serving, connected);
    called?.renewed();
    follow(identity.profile);
    swap();
  });
  judging.onChange(swap);
  swap(); // What came while the doors were opened.
  const opened = opening.move();
  const [url, { spiffeId }] = [`https://${serving.address}${mcpPath}${name}`, identity];
  const { fingerprint } = judging.desk;
  return {
    url,
    ...(called && { peerName: peerNameOf({ peerId: called.peerId, server: name }) }),
    name,
    spiffeId,
    fingerprint,
    stop: () => opened.disposeAsync(),
  };
}

/** What the path of a call uses. */
async function portsOf(
  { state, clock, log }: ExposeOptions,
  parts: {
    readonly identity: SidecarIdentity;
    readonly audit: AuditLog;
    readonly judging: Judging;
    readonly connected: ConnectedServers;
  },
): Promise<Ports> {
  const { identity, audit, judging, connected } = parts;
  return {
    journal: audit.journal,
    signatures: judging.desk.signatures,
    digests: audit.digests,
    tools: judging.tools,
    upstreams: withManifest(connected.upstreams, statePaths(state).manifest),
    virtual: namedVirtualServers(new Map()),
    clock,
    log,
    sessionKey: await identity.keys.secret("sessions"),
    clientSessions: clientSessions(await identity.keys.secret("client-sessions"), clock.nowUnixMs()),
  };
}

/** Whom this server stands with, and who may come by their introduction. */
async function openPeers(
  { peers, allow, segmentBytes, clock, log }: ExposeOptions,
  { name, identity }: { readonly name: string; readonly identity: SidecarIdentity },
  opening: AsyncDisposableStack,
): Promise<CalledPeer | undefined> {
  if (peers === undefined) return undefined;
  const settings = { ...peerSettings(peers, identity.trustDomain), segmentBytes };
  const called = await openCalledPeer({
    settings,
    identity,
    servers: [name],
    allow: allowedCallers({ allow, identity }),
    clock,
    log,
  });
  opening.defer(called.stop);
  return called;
}

/** By default the gateway alone. */
function allowedCallers({
  allow,
  identity,
}: {
  readonly allow: readonly string[];
  readonly identity: SidecarIdentity;
}): readonly string[] {
  return allow.length > 0 ? allow : [identity.gateway.spiffeId];
}

function connectingOf(
  { state, clock, log }: ExposeOptions,
  identity: SidecarIdentity,
): Omit<UpstreamOptions, "limits" | "contain"> {
  const stderrFolder = statePaths(state).servers;
  return { folder: process.cwd(), stderrFolder, terms: doorTerms(identity), clock, log };
}

/** What puts the server's processes in its sandbox, if it is to have one. */
async function sandboxOf(
  { server, state, clock, log }: ExposeOptions,
  exposed: { readonly name: string; readonly identity: SidecarIdentity; readonly audit: AuditLog },
  opening: AsyncDisposableStack,
): Promise<UpstreamOptions["contain"]> {
  if (!("command" in server) || server.sandbox === undefined) return undefined;
  const { name, identity, audit } = exposed;
  const about = { server: name, spiffeId: identity.spiffeId, journal: audit.journal, state, clock, log };
  return await openSandbox({ ...about, ...server.sandbox, command: server.command }, opening);
}

async function openDesk(
  options: ExposeOptions,
  { identity, audit: { journal } }: { readonly identity: SidecarIdentity; readonly audit: AuditLog },
  opening: AsyncDisposableStack,
): Promise<ExposedDesk> {
  const { signatures = defaultSignatures, readOnly = [] } = options;
  const desk = await openExposedDesk({ ...options, signatures, readOnly, identity, journal });
  opening.defer(desk.stop);
  return desk;
}

interface Judging {
  readonly world: () => World;
  readonly tools: ServerTools;
  readonly desk: ExposedDesk;
  /** Takes up what there is now. */
  readonly refresh: () => void;
  /** Something was revoked, found or approved. */
  readonly onChange: (act: () => void) => void;
}

/** What calls are judged under, and all that changes it. */
async function openWorld(
  options: ExposeOptions,
  exposed: {
    readonly name: string;
    readonly identity: SidecarIdentity;
    readonly server: ServerConfig;
    readonly audit: AuditLog;
  },
  opening: AsyncDisposableStack,
): Promise<Judging> {
  const { clock, log, state } = options;
  const { name, identity, server, audit } = exposed;
  const { spiffeId } = identity;
  const revocations = await followRevocations({ identity, state, clock, log });
  opening.defer(revocations.stop);
  const witness = await openWitness(options, identity, opening);
  const keeping = { state, journal: audit.journal, spiffeId, clock, log };
  const desk = await openDesk(options, { identity, audit }, opening);
  const tools = openServerTools(
    new Map(pinsOf(name, server, { uri: spiffeId, folder: state })),
    keeping,
    opening,
  );
  const make = (): World =>
    worldOf({ name, options, identity, revocations, witness, desk, tools: tools.pinned() });
  let world = make();
  const refresh = (): void => void (world = make());
  tools.onChange(refresh);
  const changing = [revocations, witness, desk, followTools(tools, { log, opening })];
  return {
    world: () => world,
    tools,
    desk,
    refresh,
    onChange: (act) => changing.forEach(({ onChange }) => onChange(act)),
  };
}

/** What it sees of its gateway's log, and whether that keeps callers out. */
async function openWitness(
  options: ExposeOptions,
  identity: SidecarIdentity,
  opening: AsyncDisposableStack,
): Promise<{ readonly whyClosed: () => string | undefined; readonly onChange: (act: () => void) => void }> {
  if (options.onLogIncident === undefined) return { whyClosed: () => undefined, onChange: () => {} };
  const { incident, onChange, stop } = await startWitness({ ...options, identity });
  opening.defer(stop);
  const whyClosed = (): string | undefined => {
    const open = options.onLogIncident === "refuse" ? incident() : undefined;
    return open && whatToDo(open);
  };
  return { whyClosed, onChange };
}

/** An exposed server's own record, signed as its gateway's profile asks. */
async function openLog(
  { state, clock, log }: ExposeOptions,
  { trustDomain, keys, profile, spiffeId }: SidecarIdentity,
  opening: AsyncDisposableStack,
): Promise<{ readonly audit: AuditLog; readonly follow: ReturnType<typeof followingLog>["follow"] }> {
  const options = { trustDomain, owner: spiffeId, suites: profile.log, clock, log };
  const audit = await openAuditLog(state, keys, options);
  opening.defer(audit.journal.close);
  const { follow, stop } = followingLog(audit, spiffeId, log);
  opening.defer(stop);
  return { audit, follow };
}

/** New links are of what the identity is of now, and those that aren't end when nothing is under way on them. */
function goOver(identity: SidecarIdentity, serving: Serving, connected: ConnectedServers): void {
  serving.renew(sideOf(identity));
  takeUpWebTerms(doorTerms(identity), { connected });
  serving.retire((channel) => !isOf(identity.profile, channel));
}

function doorTerms(identity: SidecarIdentity): DoorTerms {
  return { ...identity.terms(), name: identity.profile.name };
}

function described({ server, pinTools: pin }: ExposeOptions): object {
  const tools = pin === undefined ? {} : { tools: { pin } };
  if ("command" in server) {
    const { command, passEnv } = server;
    return { command, ...(passEnv && { pass_env: passEnv }), ...tools };
  }
  const { keyExchange, ...rest } = server;
  return { ...rest, ...tools, ...(keyExchange !== undefined && { link: { key_exchange: keyExchange } }) };
}

function sideOf(identity: SidecarIdentity): ServerSide {
  const { clientRoots } = identity;
  return {
    profile: identity.profile.name,
    terms: identity.terms(),
    credentials: identity.credentials(),
    clientRoots,
  };
}

/** One server, those who may call it, and nobody who is known to be revoked. */
function worldOf(parts: {
  readonly name: string;
  readonly options: Pick<ExposeOptions, "allow">;
  readonly identity: SidecarIdentity;
  readonly revocations: Pick<FollowedRevocations, "serials">;
  readonly witness: { readonly whyClosed: () => string | undefined };
  readonly desk: Pick<ExposedDesk, "terms" | "signers">;
  readonly tools: World["tools"];
}): World {
  const { name, options, identity, revocations, witness, desk, tools } = parts;
  const allow = allowedCallers({ ...options, identity });
  const closed = witness.whyClosed();
  const revokedSerials = revocations.serials();
  const { groups, identities } = identity.terms();
  const issuers = hashesOf(identity.clientRoots);
  return makeWorld({
    trust: {
      domain: identity.trustDomain,
      identityAlgorithms: identities.map(({ id }) => id),
      groups: groups.map(({ id }) => id),
      revokedSerials,
      issuers,
    },
    rules: [closed === undefined ? allowRule(name, allow) : closedRule(name, closed)],
    servers: [name],
    signatures: { [name]: desk.terms },
    signers: desk.signers(),
    tools,
  });
}

/** `spiffe://domain/server/<name>` → `<name>` */
function serverName(spiffeId: string): string {
  const name = /\/server\/([a-z0-9][a-z0-9._-]{0,63})$/.exec(spiffeId)?.[1];
  if (name === undefined) {
    throw new Refusal(
      "bad_join_token",
      `This identity is ${spiffeId}; exposing needs one such as "latticegate ca token --for server/NAME" makes.`,
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

function closedRule(name: string, because: string): RuleDocument {
  return { ...allowRule(name, ["*"]), name: "log-incident", effect: "deny", because };
}
