/** The data plane, put together: front door, HTTP, the path of a call. `up` and `expose` share it. */
import type net from "node:net";
import type { TLSSocket } from "node:tls";

import { handle } from "../gate/handle.ts";
import { answerIdentity } from "../gate/identity-requests.ts";
import type { Ports } from "../gate/ports.ts";
import type { World } from "../gate/world.ts";
import { enrolHttp, type Registrar } from "../host/net/enrol-http.ts";
import {
  type Door,
  type FrontDoor,
  frontDoor,
  type FrontDoorOptions,
  type NameOf,
} from "../host/net/front-door.ts";
import type { LinkNow } from "../host/net/links-now.ts";
import type { GrantsHttp } from "../host/net/grants-http.ts";
import type { LogHttp } from "../host/net/log-http.ts";
import { listen } from "../host/net/listen.ts";
import { type McpHttp, mcpHttp, type McpHttpOptions } from "../host/net/mcp-http.ts";
import { answerProof, type ClassicalCredentials, proofForNewcomer } from "../host/net/link-proof.ts";
import { type RevocationFeed, revocationFeed } from "../host/net/revocation-feed.ts";
import { type DoorsOptions, openDoors, type ServerSide } from "../host/net/tls.ts";
import type { RevokedCertificate } from "../host/store/certificate-records.ts";
import { whyEnded } from "../identity/admission.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Channel } from "../model/channel.ts";
import type { FlowWatch } from "./flow-watch.ts";
import type { LinkPolicy } from "./link-policy.ts";
import type { PeerWatch } from "./peer-watch.ts";

export interface ServeOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** Longest TCP segment of its connections; the system's choice if absent. */
  readonly segmentBytes?: number | undefined;
  readonly side: ServerSide;
  /** Calls are taken only on links that prove a classical identity too. */
  readonly demands?: Channel["demands"];
  /** Whether peers without ML-KEM are let in, to what the world opens to them. */
  readonly allowsClassical?: boolean;
  readonly world: () => World;
  readonly ports: Ports;
  readonly maxBodyBytes: number;
  /** Who gives out identities here; absent where nobody does. */
  readonly registrar?: Registrar;
  /** What callers were granted behind this gateway; absent where that can't be. */
  readonly grants?: GrantsHttp;
  /** Who witnesses the log of this end, of callers and servers; absent where nobody does. */
  readonly witnesses?: LogHttp;
  /** Every certificate that is revoked and hasn't ended, for exposed servers to ask; absent where nobody knows. */
  readonly revoked?: () => readonly RevokedCertificate[];
  readonly onRefused?: (refusal: Refusal, remote: string) => void;
  /** Servers whose certificate is older are told with the list to renew it. */
  readonly renewBefore?: () => number;
  /** What the peer of a link is asked with its next answer, if it should renew its identity. */
  readonly renewalWish?: McpHttpOptions["renewalWish"];
  /** Told what each exchange came to; absent where nobody asks. */
  readonly flows?: Pick<FlowWatch, "onExchange" | "onLink">;
  /** What each peer was seen to be capable of; absent where nobody remembers it. */
  readonly peers?: Pick<PeerWatch, "incoming" | "suspect">;
  /** What rules say of connections and links; absent where there are none. */
  readonly links?: LinkPolicy;
  /** Peers who were introduced; absent where none are. */
  readonly introduced?: IntroducedPeers;
}

/** Peers whose streams aren't accepted at the listener: they are punched through NATs, or relayed. */
export interface IntroducedPeers {
  /** What such a connection is called while it lasts. */
  readonly nameOf: NameOf;
  /** @returns the link's facts and its path. @throws Refusal `link_denied` for whom nobody introduced */
  readonly admit: (link: TLSSocket, channel: Channel) => Channel;
  /** Says what stands before HTTP/2 on a link. */
  readonly greet: (link: TLSSocket) => Promise<void>;
}

export interface Serving {
  /** `host:port` as bound. */
  readonly address: string;
  /** For new links; those there are go on. */
  readonly renew: (side: ServerSide) => void;
  /** Asks the peers of such links to come again on others: what is under way goes on. */
  readonly retire: McpHttp["retire"];
  /** Ends the links whose peers may be here no longer: for when the world was swapped. */
  readonly review: () => void;
  /** Ends every call under way. */
  readonly endAll: McpHttp["endAll"];
  /** Takes nothing new, lets calls under way finish for at most `graceMs`, then ends every link. */
  readonly drain: (graceMs: number) => Promise<void>;
  /** TLS groups it takes, in order of preference: for calls, and those on which only newcomers and latecomers are let in. */
  readonly groups: () => Readonly<Record<"calls" | "newcomersAlone", readonly string[]>>;
  readonly links: () => Readonly<Record<"calls" | "revocations", readonly LinkNow[]>>;
  /** Takes a connection on which an introduced peer will shake hands. */
  readonly takeStream: (socket: net.Socket) => void;
}

/** A link outlives its certificate by no more than this. */
const reviewMs = 500;

/** @throws Refusal `bad_config` if the address can't be had */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { ports, registrar } = options;
  const { log, clock } = ports;
  let { side } = options;
  const classical = (): ClassicalCredentials | undefined => side.credentials[0]?.classical;
  const http = openHttp(options, classical);
  const prove = (link: TLSSocket) => proofForNewcomer(link, offered(classical()));
  const enrol = registrar && enrolHttp(registrar, log, prove);
  const feed = openFeed(options);
  const reviewLinks = (): void => review(options, http, feed);
  const { doors, renew } = openDoors({
    side,
    trust: () => options.world().trust,
    log,
    clock,
    ...(options.demands && { demands: options.demands }),
    ...(options.allowsClassical === true && { allowsClassical: true }),
    onLink: (link, proven) => {
      door.proven(proven.remote);
      http.serve(link, admitted(door.arrived(proven), options));
    },
    ...(enrol && { onEnrol: enrol }),
    ...(options.onRefused && { onRefused: options.onRefused }),
    ...introducing(options, () => peerDoor, http),
    ...(feed && {
      onServer: (link, channel) => {
        door.proven(channel.remote);
        const arrived = door.arrived(channel);
        options.links?.link(arrived);
        feed.serve(link, arrived);
      },
    }),
  });
  const door = frontDoor({ doors, ...guardsOf(options) });
  const peerDoor = peerDoorOf(options, doors);
  const address = await listen(door.server, options.listen, options.segmentBytes);
  // Certificates end without anything having changed.
  const timer = setInterval(reviewLinks, reviewMs).unref();
  return {
    address,
    renew: (next) => {
      side = next;
      renew(next);
    },
    retire: http.retire,
    review: () => {
      reviewLinks();
      feed?.changed();
    },
    endAll: http.endAll,
    drain: async (graceMs) => {
      door.server.close();
      clearInterval(timer);
      feed?.close();
      await http.drain(graceMs);
    },
    groups: () => groupsOf(doors()),
    links: () => ({ calls: http.links(), revocations: feed?.links() ?? [] }),
    takeStream: (socket) => void peerDoor.server.emit("connection", socket),
  };
}

/** Whom a client that is refused may be, and what the operator says of connections. */
function guardsOf({
  peers,
  links,
  ports: { log },
}: ServeOptions): Pick<FrontDoorOptions, "suspect" | "denies" | "log"> {
  const { suspect } = peers ?? {};
  const denies = links?.connection;
  return { log, ...(suspect && { suspect }), ...(denies && { denies }) };
}

/** How links of introduced peers are taken. */
function introducing(
  options: ServeOptions,
  door: () => FrontDoor,
  http: McpHttp,
): Pick<DoorsOptions, "nameOf" | "onPeer"> {
  const { introduced } = options;
  if (introduced === undefined) return {};
  return {
    nameOf: introduced.nameOf,
    onPeer: (link, proven) => {
      door().proven(proven.remote);
      const channel = admitted(introduced.admit(link, door().arrived(proven)), options);
      void greeted(link, introduced, () => http.serve(link, channel));
    },
  };
}

/** Says first who answers here. */
async function greeted(link: TLSSocket, { greet }: IntroducedPeers, serveOn: () => void): Promise<void> {
  try {
    await greet(link);
    serveOn();
  } catch {
    link.destroy();
  }
}

function peerDoorOf(options: ServeOptions, doors: () => readonly Door[]): FrontDoor {
  const { introduced } = options;
  return frontDoor({
    doors: () => doors().map(forPeers),
    ...guardsOf(options),
    nameOf: introduced?.nameOf,
  });
}

/** Behind the door of introduced peers nothing else is served. */
function forPeers({ group, signatures, peers }: Door): Door {
  return { group, ...(signatures && { signatures }), ...(peers && { admitted: peers }) };
}

/** @throws Refusal `link_regressed`, `link_denied` */
function admitted(
  arrived: Channel,
  { peers, links, flows }: Pick<ServeOptions, "peers" | "links" | "flows">,
): Channel {
  const channel = peers?.incoming(arrived) ?? arrived;
  links?.link(channel);
  flows?.onLink?.(channel);
  return channel;
}

/** Ends the links whose peers may be here no longer. */
function review(
  { world, ports, links }: Pick<ServeOptions, "world" | "ports" | "links">,
  http: McpHttp,
  feed: RevocationFeed | undefined,
): void {
  const { trust } = world();
  const nowUnixMs = ports.clock.nowUnixMs();
  const denied = links?.whyEnded ?? (() => undefined);
  http.review((channel) => whyEnded(channel, trust, nowUnixMs) ?? denied(channel));
  // Servers are under roots of their own, which don't open calls.
  feed?.review((channel) => whyEnded(channel, { ...trust, issuers: "any" }, nowUnixMs) ?? denied(channel));
}

/** What servers ask for: who is revoked, and the log. */
function openFeed({ revoked, renewBefore, ports, witnesses }: ServeOptions): RevocationFeed | undefined {
  return revoked && revocationFeed(revoked, renewBefore ?? (() => 0), ports.log, witnesses);
}

function groupsOf(doors: readonly Door[]): ReturnType<Serving["groups"]> {
  const ids = (of: readonly Door[]): readonly string[] => of.map(({ group }) => group.id);
  return {
    calls: ids(doors.filter(({ admitted }) => admitted !== undefined)),
    newcomersAlone: ids(doors.filter(({ admitted }) => admitted === undefined)),
  };
}

/** What is asked on links whose peers are proven: calls, and what stands beside them. */
function openHttp(options: ServeOptions, classical: () => ClassicalCredentials | undefined): McpHttp {
  const { ports, world } = options;
  const { log, clock } = ports;
  return mcpHttp({
    maxBodyBytes: options.maxBodyBytes,
    clock,
    log,
    grants: options.grants,
    witnesses: options.witnesses,
    ...(options.renewalWish && { renewalWish: options.renewalWish }),
    onExchange: options.flows?.onExchange,
    onCall: (received) => handle(received, world(), ports),
    // INVARIANT: links come from openDoors alone, which opens TLS sockets.
    onProof: (link, asked) =>
      answerProof(link as TLSSocket, asked, {
        own: offered(classical()),
        trust: world().trust,
        nowUnixMs: clock.nowUnixMs(),
      }),
    onIdentity: (path, received) => answerIdentity(path, received, world(), ports),
  });
}

/** Where there is nothing to prove, there is nothing under that address (403). */
function offered(classical: ClassicalCredentials | undefined): ClassicalCredentials {
  if (classical !== undefined) return classical;
  throw new Refusal("no_such_server", "This end has no classical identity to prove.");
}
