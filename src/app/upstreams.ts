/** From the config's servers to the adapters that reach them. */
import path from "node:path";

import type { LinkTerms } from "../crypto/suites/in-force.ts";
import { forwardUpstream } from "../host/net/forward-upstream.ts";
import { type Negotiated, negotiatedOn } from "../host/net/negotiated.ts";
import type { CallingEnd } from "../host/calling/calling-end.ts";
import { exchange, type ExchangeLimits } from "../host/net/http-exchange.ts";
import { httpUpstream } from "../host/net/http-upstream.ts";
import { plainLink } from "../host/net/link-facts.ts";
import type { LinkOptions } from "../host/net/proven-links.ts";
import { type RenewablePool, renewablePool } from "../host/net/renewable-pool.ts";
import { openSseLink, type SseLinkSpec } from "../host/net/sse-link.ts";
import type { ProofOffer } from "../host/net/link-proof.ts";
import { clientTlsOptions, type Credentials } from "../host/net/tls.ts";
import type { UpstreamCredential } from "../host/net/upstream-credential.ts";
import { endLinksBeyond, webConnections, type WebLinks } from "../host/net/web-links.ts";
import type { DoorTerms } from "../host/net/web-tls.ts";
import { namedUpstreams, type NamedUpstreams, type Upstream } from "../host/net/upstreams.ts";
import type { UserGrants } from "../host/oauth/user-grants.ts";
import { type ChildSpec, startChild } from "../host/stdio/child.ts";
import type { LinkSpec } from "../host/link/link.ts";
import { linkedUpstream, type LinkedUpstreamOptions } from "../host/link/linked-upstream.ts";
import { bridgedUpstream } from "../host/bridge/bridged-upstream.ts";
import { legacyBehind } from "../host/bridge/legacy-server/legacy-behind.ts";
import { modernBehind } from "../host/bridge/modern-server/modern-behind.ts";
import { notedLink } from "../host/bridge/noted-link.ts";
import { readPeerName } from "../identity/peer-name.ts";
import type { PeerPath } from "../model/peer-path.ts";
import type { PeerIdentity, PeerSettings } from "./peer/called-peer.ts";
import { peerUrl } from "./peer/peer-link.ts";
import { type PeerWay, wayTo } from "./peer/peer-way.ts";
import { version } from "./version.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Assertions } from "./caller-assertions.ts";
import { apiUpstreamOf } from "./openapi/api-upstream-of.ts";
import { secretFrom } from "./secret-source.ts";
import type { PeerCalling } from "./signatures/peer-calling.ts";
import type { ConfigDocument, ServerAtUrl, ServerConfig } from "./config.ts";
import {
  authorizedServer,
  type AuthOptions,
  type GrantsOptions,
  type SeenServers,
  webLink,
  webPeer,
} from "./upstream-auth.ts";

export interface UpstreamOptions {
  /** Relative paths count from here. */
  readonly folder: string;
  readonly stderrFolder: string;
  readonly limits: ConfigDocument["limits"];
  /** What links to servers that aren't ours may negotiate at first. */
  readonly terms: DoorTerms;
  /** Absent where no server behind `expose` can be configured. */
  readonly client?: ClientSide;
  /** Where callers' grants are kept; absent where there are none. */
  readonly grants?: GrantsOptions;
  /** How callers are vouched for; absent where nobody is. */
  readonly assertions?: Assertions;
  /** Servers that join others. */
  readonly virtual?: ReadonlyMap<string, Upstream>;
  /** Seals what clients carry of calls that a bridge has parked; 32 bytes. Absent where nothing is bridged. */
  readonly stateKey?: Uint8Array;
  /** Signs calls to servers behind `expose` for callers that don't; absent where nobody does. */
  readonly calling?: PeerCalling;
  /** How servers that are named as peers are found; absent where none can be. */
  readonly peers?: PeerFinding;
  /** Told of each link to a server; absent where nobody remembers them. */
  readonly seen?: SeenServers;
  /** Signs manifests of servers' own tools; absent where nobody does. */
  readonly signDeclarations?: (name: string, declarations: readonly object[]) => Promise<string>;
  /** Puts a server's process into a sandbox; absent where it runs like any other. */
  readonly contain?: ((child: ChildSpec) => ChildSpec) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What we show to servers behind `expose`, and whom we take for one. */
export interface ClientSide {
  readonly terms: LinkTerms;
  /** Those of each algorithm, the best first. */
  readonly credentials: readonly Credentials[];
  readonly serverRoots: readonly string[];
  readonly revokedSerials: ProofOffer["revokedSerials"];
}

/** How peers are met; whom is shown to them is the client side's. */
export interface PeerFinding {
  readonly settings: PeerSettings;
  readonly keys: PeerIdentity["keys"];
  readonly trustDomain: string;
}

export interface ConnectedServers {
  readonly upstreams: NamedUpstreams;
  /** The servers for which each caller needs a grant of its own. */
  readonly grants: ReadonlyMap<string, UserGrants>;
  /** For new links to servers behind `expose`; the old ones finish what is under way, unless they are cut. */
  readonly renew: (client: ClientSide, old?: "finish" | "cut") => void;
  /** Ends the links to servers that were revoked. */
  readonly review: () => void;
  /** What new links to servers that aren't ours negotiate from now on; the old ones finish what is under way. */
  readonly setWebTerms: (terms: DoorTerms) => void;
  /** Ends those of groups that aren't among these. */
  readonly endWebLinksBeyond: (terms: Pick<LinkTerms, "groups" | "classicalGroups">) => void;
  /** What the newest TLS link to each server negotiated, by its name; those that were reached. */
  readonly negotiated: ReadonlyMap<string, NotedLink>;
  /** How the servers that are named as peers are reached now, by their names. */
  readonly paths: () => ReadonlyMap<string, PeerPath>;
}

export interface NotedLink extends Negotiated {
  readonly atUnixMs: number;
}

/** Connections to a server behind `expose`, and what is its own of each link. */
interface PooledPeer {
  readonly name: string;
  readonly pool: RenewablePool;
  readonly server: ServerAtPeer;
  readonly own: Pick<LinkOptions, "onLink" | "connect" | "http" | "pings">;
  readonly upstream: Upstream;
  /** Of a server that is named as a peer. */
  readonly path?: PeerWay["path"] | undefined;
  readonly renewed?: PeerWay["renewed"] | undefined;
}

type Noted = Map<string, NotedLink>;
type OnLink = NonNullable<LinkOptions["onLink"]>;

type Connecting = UpstreamOptions & Pick<AuthOptions, "webTerms" | "webLinks">;

interface Connections {
  readonly dispatcher: RenewablePool["dispatcher"];
  readonly close: () => Promise<void>;
  readonly credential?: UpstreamCredential | undefined;
  readonly patience?: { readonly ms: number; readonly log: Log };
  readonly calling?: CallingEnd | undefined;
}

export type ServerAtPeer = ServerAtUrl & { readonly peer: string };
type ApiServer = Extract<ServerConfig, { openapi: unknown }>;
type ForwardServer = Extract<ServerConfig, { forward: unknown }>;
type StdioServer = Extract<ServerConfig, { command: unknown }>;

/** An exposed server that goes over to other algorithms says goodbye on its links. */
const peerPatienceMs = 2000;

/** What every program needs to run at all; anything else is named by the operator. */
const basicEnvironment = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"] as const;

export function connectServers(
  servers: Readonly<Record<string, ServerConfig>>,
  given: UpstreamOptions,
): ConnectedServers {
  const links: WebLinks = new Map();
  let { terms } = given;
  const options = { ...given, webTerms: () => terms, webLinks: links };
  const grants = new Map<string, UserGrants>();
  const noted: Noted = new Map();
  const pools: PooledPeer[] = [];
  let { client } = given;
  const adapter = (name: string, server: Exclude<ServerConfig, ForwardServer | ApiServer>): Upstream => {
    if ("command" in server) return stdioServer(name, server, options);
    if (server.auth !== undefined) {
      const authorized = authorizedServer(name, server, server.auth, {
        ...options,
        answerTimeoutMs: options.limits.answer_timeout,
        onLink: notedUnder(name, noted, options.clock),
      });
      if (authorized.grants !== undefined) grants.set(name, authorized.grants);
      const { connections, credential } = authorized;
      return overHttp(name, server, { ...connections, credential }, options);
    }
    const onLink = notedUnder(name, noted, options.clock);
    if (server.peer === undefined) return webServer(name, server, onLink, options);
    const pooled = peerServer(name, { ...server, peer: server.peer }, onLink, {
      ...options,
      client: () => client,
    });
    pools.push(pooled);
    return pooled.upstream;
  };
  const adapters = Object.entries(servers).map(([name, server]): [string, Upstream] => {
    if ("forward" in server) return [name, forwardUpstream(exchangeLimits(options))];
    if ("openapi" in server) return [name, made(name, server, { options, noted, grants })];
    return [name, inBothEras(name, server, adapter(name, server), options)];
  });
  return {
    grants,
    upstreams: namedUpstreams(new Map([...adapters, ...(options.virtual ?? [])]), (name) =>
      regressionOf(name, servers[name], options),
    ),
    renew: (next, old) => {
      client = next;
      for (const { pool, server, own, renewed } of pools) {
        renewed?.();
        pool.renew({ ...peerLink(server, next, options), ...own }, old);
      }
    },
    paths: () => pathsOf(pools),
    review: () => {
      for (const { pool } of pools) pool.review();
    },
    setWebTerms: (next) => (terms = next),
    endWebLinksBeyond: (next) => endLinksBeyond(links, next),
    negotiated: noted,
  };
}

/** A server behind `expose`: at its address, or by its name as a peer. */
function peerServer(
  name: string,
  given: ServerAtPeer,
  onLink: OnLink,
  { client, ...options }: Omit<Connecting, "client"> & { readonly client: () => ClientSide | undefined },
): PooledPeer {
  const peer = readPeerName(given.url);
  const server = { ...given, ...(peer && { url: peerUrl(peer).href }) };
  const way = peer && wayTo(peer, server.peer, { ...options, client, mayBeRelayed: given.relayed });
  const own = { onLink, ...way?.link };
  const pool = peerPool(name, server, own, { ...options, ...shownNow(client) });
  way?.onBetter(() => {
    const now = client();
    if (now !== undefined) pool.renew({ ...peerLink(server, now, options), ...own });
  });
  const calling = options.calling?.({
    name,
    server,
    send: (request) => exchange(pool.dispatcher(), request, exchangeLimits(options)),
  });
  const close = async (): Promise<void> => {
    await pool.close();
    await way?.stop();
  };
  const patience = { ms: peerPatienceMs, log: options.log };
  const upstream = overHttp(name, server, { ...pool, close, patience, calling }, options);
  return { name, pool, server, own, upstream, path: way?.path, renewed: way?.renewed };
}

function shownNow(client: () => ClientSide | undefined): Pick<UpstreamOptions, "client"> {
  const now = client();
  return now === undefined ? {} : { client: now };
}

/** One made of an OpenAPI document. */
function made(
  name: string,
  server: ApiServer,
  {
    options,
    noted,
    grants,
  }: { readonly options: Connecting; readonly noted: Noted; readonly grants: Map<string, UserGrants> },
): Upstream {
  const onLink = notedUnder(name, noted, options.clock);
  const { upstream, grants: own } = apiUpstreamOf(name, server, { ...options, onLink });
  if (own !== undefined) grants.set(name, own);
  return upstream;
}

function pathsOf(pools: readonly PooledPeer[]): ReadonlyMap<string, PeerPath> {
  const found = pools.map(({ name, path }) => [name, path?.()] as const);
  return new Map(found.flatMap(([name, path]) => (path === undefined ? [] : [[name, path] as const])));
}

/** A resumed session says nothing of the server's key: what was seen of it before stands. */
function notedUnder(name: string, noted: Noted, clock: Clock): OnLink {
  return (link) => {
    const now = negotiatedOn(link);
    const serverKey = now.serverKey ?? noted.get(name)?.serverKey;
    noted.set(name, { ...now, serverKey, atUnixMs: clock.nowUnixMs() });
  };
}

function regressionOf(
  name: string,
  server: ServerConfig | undefined,
  { seen }: UpstreamOptions,
): string | undefined {
  if (server === undefined || !("url" in server) || !server.url.startsWith("https:")) return undefined;
  return seen?.regression(server.peer ?? webPeer(name, new URL(server.url)));
}

function stdioServer(name: string, server: StdioServer, options: UpstreamOptions): Upstream {
  const { limits, log, contain = (child) => child } = options;
  const [program = "", ...args] = server.command;
  const child: ChildSpec = {
    name,
    command: [program, ...args],
    cwd: path.resolve(options.folder, server.cwd ?? "."),
    env: environmentOf(name, server, options.folder),
    stderrFolder: options.stderrFolder,
    maxLineBytes: limits.answer,
    log,
  };
  return linked({ name, open: (events) => startChild(contain(child), events) }, options);
}

/** As it is, or for clients of both eras. */
function inBothEras(
  name: string,
  { bridge: speaks }: Exclude<ServerConfig, ForwardServer | ApiServer>,
  upstream: Upstream,
  options: UpstreamOptions,
): Upstream {
  const { limits, clock, log, stateKey } = options;
  if (speaks === "off" || stateKey === undefined) return upstream;
  const noted = notedLink(upstream);
  const behind = {
    name,
    upstream: noted.upstream,
    version,
    maxMessageBytes: limits.answer,
    clock,
    log,
  };
  const toModern = linked({ name, open: modernBehind(behind) }, options);
  const toLegacy = linked({ name, open: legacyBehind({ ...behind, stateKey }) }, options, { isModern: true });
  return bridgedUpstream({
    ...behind,
    speaks,
    translated: { legacy: noted.over(toModern), modern: noted.over(toLegacy) },
  });
}

function linked(
  link: LinkSpec,
  { limits, clock, log }: UpstreamOptions,
  era: Pick<LinkedUpstreamOptions, "isModern"> = {},
): Upstream {
  return linkedUpstream({
    ...era,
    link,
    clock,
    log,
    answerTimeoutMs: limits.answer_timeout,
    idleTimeoutMs: limits.session_idle,
    streamOpenMs: limits.stream_open === "off" ? undefined : limits.stream_open,
  });
}

/** A server that knows nothing of us. */
function webServer(name: string, server: ServerAtUrl, onLink: OnLink, options: Connecting): Upstream {
  const link = webLink(name, server, "web", options);
  const connections = webConnections(new URL(server.url), { ...link, onLink });
  return server.transport === "http+sse"
    ? overHttpSse(name, server, connections, options)
    : overHttp(name, server, connections, options);
}

function peerPool(
  name: string,
  server: ServerAtPeer,
  own: PooledPeer["own"],
  options: UpstreamOptions,
): RenewablePool {
  const { client } = options;
  const url = new URL(server.url);
  if (client === undefined || url.protocol !== "https:") {
    throw new Refusal("bad_config", `servers.${name}: a server with a \`peer\` is reached over https.`);
  }
  const link = { ...peerLink(server, client, options), ...own };
  const isRevoked = (serial: string): boolean => client.revokedSerials().has(serial);
  return renewablePool(url.origin, link, { isRevoked, patienceMs: peerPatienceMs });
}

/** Both ends' classical identities are proven where both have one, and must be where the config says so. */
function peerLink(
  { peer, link }: ServerAtPeer,
  { terms, credentials, serverRoots, revokedSerials }: ClientSide,
  { clock, seen }: UpstreamOptions,
): LinkOptions {
  const isDemanded = link.authentication === "hybrid-mtls";
  const own = credentials[0]?.classical;
  return {
    terms,
    tls: clientTlsOptions({ profile: terms, peerSpiffeId: peer, credentials, serverRoots }),
    proof: own && { own, isDemanded, revokedSerials, clock },
    seen: seen?.onLink(peer, "svid"),
  };
}

function overHttp(
  name: string,
  server: ServerAtUrl,
  connections: Connections,
  options: UpstreamOptions,
): Upstream {
  return httpUpstream({
    url: new URL(server.url),
    limits: exchangeLimits(options),
    headers: credentialHeaders(name, server, options),
    link: plainLink(server.url),
    ...connections,
  });
}

function overHttpSse(
  name: string,
  server: ServerAtUrl,
  connections: Connections,
  options: UpstreamOptions,
): Upstream {
  const { limits, log } = options;
  let link = plainLink(server.url);
  const spec: SseLinkSpec = {
    onLink: (newest) => (link = newest),
    name,
    url: new URL(server.url),
    headers: credentialHeaders(name, server, options),
    dispatcher: connections.dispatcher,
    answerTimeoutMs: limits.answer_timeout,
    maxEventBytes: limits.answer,
    log,
  };
  const upstream = linked({ name, open: (events) => openSseLink(spec, events) }, options);
  return {
    forward: async (call) => {
      const answer = await upstream.forward(call);
      return { ...answer, ...(link && { link }) };
    },
    close: () => upstream.close().then(connections.close),
  };
}

function credentialHeaders(name: string, server: ServerAtUrl, options: UpstreamOptions): readonly string[] {
  return Object.entries(server.headers).flatMap(([header, source]) => [
    header,
    secretFrom(source, `servers.${name}.headers.${header}`, options.folder),
  ]);
}

function exchangeLimits({ limits }: UpstreamOptions): ExchangeLimits {
  return { answerTimeoutMs: limits.answer_timeout, answerBytes: limits.answer };
}

function environmentOf(
  server: string,
  { pass_env, env }: StdioServer,
  folder: string,
): Record<string, string> {
  const passed = [...basicEnvironment, ...pass_env].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const own = Object.entries(env).map(([name, value]) => [
    name,
    typeof value === "string" ? value : secretFrom(value, `servers.${server}.env.${name}`, folder),
  ]);
  return Object.fromEntries([...passed, ...own]);
}
