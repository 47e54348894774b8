/** A listener for clients that can't present an ML-DSA certificate: a web certificate in front, access tokens behind. */
import { certificatesIn } from "../crypto/certificate.ts";
import { describedKey } from "../crypto/keys.ts";
import { handle } from "../gate/handle.ts";
import { whyOver } from "../gate/stages.ts";
import type { Ports } from "../gate/ports.ts";
import type { WebReach, World } from "../gate/world.ts";
import { frontDoor } from "../host/net/front-door.ts";
import { listen } from "../host/net/listen.ts";
import type { LinkNow } from "../host/net/links-now.ts";
import { type McpHttp, mcpHttp } from "../host/net/mcp-http.ts";
import type { Credentials } from "../host/net/tls.ts";
import { webFront } from "../host/net/web-front.ts";
import { type DoorTerms, openWebDoors, type WebDoors } from "../host/net/web-tls.ts";
import { accessTokens } from "../host/oauth/access-tokens.ts";
import { type Issuers, openIssuers } from "../host/oauth/issuers.ts";
import { openProofs, type Proofs } from "../host/oauth/proofs.ts";
import { Refusal } from "../kernel/refusal.ts";
import { compileScopes } from "../policy/token-scopes.ts";
import type { LinkTerms } from "../crypto/suites/in-force.ts";
import type { Config } from "./config.ts";
import { issuerSpecs } from "./config/issuers.ts";
import type { WebListener } from "./config/listen.ts";
import { readCredentials, watchCertificates } from "./web-certificates.ts";
import type { FlowWatch } from "./flow-watch.ts";
import type { LinkPolicy } from "./link-policy.ts";
import type { PeerWatch } from "./peer-watch.ts";

interface WebListenerOptions {
  readonly terms: DoorTerms;
  readonly issuers: Issuers;
  /** Identifiers of the issuers, by name. */
  readonly issuerUrls: ReadonlyMap<string, string>;
  readonly proofs: Proofs;
  readonly world: () => World;
  readonly ports: Ports;
  readonly maxBodyBytes: number;
  readonly segmentBytes: number | undefined;
  readonly peers: PeerWatch;
  /** What rules say of connections and links. */
  readonly links: LinkPolicy;
  /** Told what each exchange came to; absent where nobody asks. */
  readonly flows?: Pick<FlowWatch, "onExchange">;
}

interface OpenWebListener {
  /** `host:port` as bound. */
  readonly address: string;
  /** Ends calls whose tokens count no more: for when the world was swapped. */
  readonly review: () => void;
  /** Ends every call under way. */
  readonly endAll: McpHttp["endAll"];
  /** For new links; a group that isn't among these is shut at once. */
  readonly setTerms: (terms: DoorTerms) => void;
  /** Ends the links of groups that aren't among these. */
  readonly endLinksBeyond: (terms: GroupTerms) => void;
  readonly drain: (graceMs: number) => Promise<void>;
  readonly facts: () => WebListenerFacts;
}

type GroupTerms = Pick<LinkTerms, "groups" | "classicalGroups">;

/** What a listener takes and shows, and who is there. */
export interface WebListenerFacts {
  readonly url: string;
  /** `host:port` as bound. */
  readonly address: string;
  readonly keyExchange: WebListener["key_exchange"];
  /** In order of preference. */
  readonly groups: readonly string[];
  /** Algorithms of its certificates. */
  readonly certificates: readonly string[];
  readonly links: readonly LinkNow[];
}

export interface OpenWebListeners {
  /** `host:port` as bound, by the origin that clients know each by. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly review: () => void;
  readonly endAll: McpHttp["endAll"];
  /** For new links of each; a group that isn't among these is shut at once. */
  readonly setTerms: (terms: DoorTerms) => void;
  /** Ends the links of groups that aren't among these, with the calls on them. */
  readonly endLinksBeyond: (terms: GroupTerms) => void;
  readonly facts: () => readonly WebListenerFacts[];
  readonly issuersSeen: Issuers["seen"];
}

/** How long a connection may take to come with a good token, from its handshake on. */
const strangerLifeMs = 30_000;

/** How long one that did may be silent; clients are told, and open another. */
const silentMs = 120_000;

/** A call outlives its token by no more than this. */
const reviewMs = 500;

/** Tokens and proofs signed with ML-DSA-87 are 10 KB each. */
const maxHeaderBytes = 32 * 1024;

/** @throws Refusal `bad_config` if its certificates can't be used or its address can't be had */
async function openWebListener(listener: WebListener, options: WebListenerOptions): Promise<OpenWebListener> {
  const { ports } = options;
  const { log, clock } = ports;
  const strangers = new Map<string, NodeJS.Timeout>();
  const settled = (remote: string): void => {
    clearTimeout(strangers.get(remote));
    strangers.delete(remote);
  };
  const http = mcpHttp({
    maxBodyBytes: options.maxBodyBytes,
    clock,
    log,
    timeouts: { keepAliveTimeout: silentMs, maxHeaderSize: maxHeaderBytes },
    admission: admissionTo(listener, options, (remote) => {
      settled(remote);
      door.proven(remote);
    }),
    onExchange: options.flows?.onExchange,
    onCall: (received) => handle(received, options.world(), ports),
  });
  const web = openWebDoors({
    terms: options.terms,
    credentials: readCredentials(listener, clock.nowUnixMs()),
    allowsClassical: listener.key_exchange === "hybrid-preferred",
    asksCertificates: listener.client_certificates,
    log,
    onLink: (link, channel) => {
      strangers.set(
        channel.remote,
        setTimeout(() => link.destroy(), strangerLifeMs),
      );
      link.once("close", () => settled(channel.remote));
      http.serve(link, door.arrived(channel));
    },
  });
  const { peers, links } = options;
  const door = frontDoor({ doors: web.doors, log, suspect: peers.suspect, denies: links.connection });
  const address = await listen(door.server, listener.address, options.segmentBytes);
  const reviews = reviewing(http, options);
  const watch = watchCertificates(listener, web, ports);
  return {
    address,
    review: reviews.now,
    endAll: http.endAll,
    setTerms: web.setTerms,
    endLinksBeyond: (terms) => http.review(({ group }) => whyBeyond(group, terms)),
    drain: async (graceMs) => {
      watch.stop();
      door.server.close();
      await http.drain(graceMs);
      reviews.stop();
    },
    facts: () => ({ url: listener.url, address, ...shownBy(listener, web), links: http.links() }),
  };
}

function shownBy(
  { key_exchange: keyExchange }: WebListener,
  { doors, credentials }: WebDoors,
): Pick<WebListenerFacts, "keyExchange" | "groups" | "certificates"> {
  return {
    keyExchange,
    groups: doors().map(({ group }) => group.id),
    certificates: credentials().flatMap(algorithmOf),
  };
}

function algorithmOf({ certificate }: Credentials): readonly string[] {
  return certificatesIn(certificate)
    .slice(0, 1)
    .map(({ publicKey }) => describedKey(publicKey));
}

function groupsOf({ groups, classicalGroups }: GroupTerms): readonly string[] {
  return [...groups, ...classicalGroups].map(({ id }) => id);
}

function whyBeyond(group: string, terms: GroupTerms): Refusal | undefined {
  if (groupsOf(terms).includes(group)) return undefined;
  const message = "The profile in force doesn't have this link's key exchange any more; connect again.";
  return new Refusal("classical_link", message, { facts: { group } });
}

/** Ends calls whose tokens count no more. */
function reviewing(
  http: McpHttp,
  { world, ports, links }: WebListenerOptions,
): { readonly now: () => void; readonly stop: () => void } {
  const now = (): void =>
    http.reviewCalls(
      (presented, channel) =>
        whyOver(presented, world(), ports.clock.nowUnixMs()) ?? links.whyOver(channel, presented),
    );
  // Tokens end without anything having changed.
  const timer = setInterval(now, reviewMs).unref();
  return { now, stop: () => clearInterval(timer) };
}

/** What a listener lets its clients reach, as part of the world. */
export function webReach(listeners: readonly WebListener[]): Readonly<Record<string, WebReach>> {
  return Object.fromEntries(
    listeners.map(({ url, classical_servers: classicalServers, scopes }) => [
      url,
      { classicalServers, ...(scopes !== undefined && { scopes }) },
    ]),
  );
}

function admissionTo(
  listener: WebListener,
  { issuers, issuerUrls, proofs, world, ports, peers, links }: WebListenerOptions,
  onProven: (remote: string) => void,
): ReturnType<typeof webFront> {
  const needsBinding = listener.sender_constraint === "required";
  const terms = {
    origin: listener.url,
    issuers: listener.issuers,
    audiences: listener.audiences,
    takesPlainJwt: listener.plain_jwt,
    needsBinding,
    needsNonce: listener.dpop_nonce,
  };
  const scopes = listener.scopes === undefined ? [] : compileScopes(listener.scopes);
  return webFront({
    origin: listener.url,
    allowedOrigins: listener.origins,
    tokens: accessTokens(terms, { issuers, proofs, clock: ports.clock }),
    authorizationServers: listener.issuers.flatMap((name) => issuerUrls.get(name) ?? []),
    scopesFor: (server) => {
      const members = server === undefined ? undefined : (world().virtualServers.get(server) ?? [server]);
      const isFor = (scope: (typeof scopes)[number]): boolean =>
        members?.some((member) => scope.covers({ server: member })) ?? true;
      return scopes.filter(isFor).map(({ name }) => name);
    },
    hasCommonAudience: listener.audiences.includes(listener.url),
    needsBinding,
    asksCertificates: listener.client_certificates,
    ...(listener.dpop_nonce && { nonce: proofs.nonce }),
    onProven: ({ channel }) => onProven(channel.remote),
    linkOf: ({ channel }, caller) => {
      const judged = peers.caller(channel, caller);
      links.caller(judged, caller);
      return judged;
    },
  });
}

/** Where clients with access tokens come in, if anywhere. */
export async function openWebListeners(
  config: Config,
  {
    ports,
    world,
    peers,
    links,
    terms,
    flows,
  }: Pick<WebListenerOptions, "ports" | "world" | "peers" | "links" | "terms" | "flows">,
  opening: AsyncDisposableStack,
): Promise<OpenWebListeners> {
  const { webListeners, limits } = config;
  const addresses = new Map<string, string>();
  const listeners: OpenWebListener[] = [];
  const opened: OpenWebListeners = {
    addresses,
    review: () => listeners.forEach(({ review }) => review()),
    endAll: (why) => listeners.forEach(({ endAll }) => endAll(why)),
    setTerms: (terms) => listeners.forEach(({ setTerms }) => setTerms(terms)),
    endLinksBeyond: (terms) => listeners.forEach(({ endLinksBeyond }) => endLinksBeyond(terms)),
    facts: () => listeners.map(({ facts }) => facts()),
    issuersSeen: () => issuers?.seen() ?? new Map(),
  };
  let issuers: Issuers | undefined;
  if (webListeners.length === 0) return opened;

  const specs = issuerSpecs(config.issuers, config.folder);
  issuers = openIssuers(specs, ports.clock);
  const shared = {
    terms,
    issuers,
    issuerUrls: new Map([...specs].map(([name, { issuer }]) => [name, issuer])),
    proofs: openProofs(ports.clock),
    world,
    ports,
    maxBodyBytes: limits.request,
    segmentBytes: config.paths.segment,
    peers,
    links,
    ...(flows && { flows }),
  };
  for (const listener of webListeners) {
    const open = await openWebListener(listener, shared);
    const { address } = open;
    listeners.push(open);
    opening.defer(() => open.drain(limits.drain));
    ports.log.info("listener.open", { url: listener.url, address });
    addresses.set(listener.url, address);
  }
  return opened;
}
