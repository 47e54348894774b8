/** A server that peers reach by name: where it stands, who may come, and over which streams they did. */
import type net from "node:net";
import type tls from "node:tls";

import { certificateHash } from "../../crypto/certificate.ts";
import { type Attendant, type AttendantOptions, attend, shown } from "../../host/peer/attendant.ts";
import { advertise } from "../../host/peer/local-network.ts";
import { kindTo, ownAddresses } from "../../host/peer/own-networks.ts";
import { type Greeter, greeter } from "../../host/peer/peer-handshake.ts";
import { openPeerPort } from "../../host/peer/peer-port.ts";
import { openRendezvousLink, type RendezvousPlace } from "../../host/peer/rendezvous-link.ts";
import { clientTlsOptions } from "../../host/net/tls.ts";
import { remoteOf } from "../../host/net/front-door.ts";
import { type Introduction, introductionLifetimeMs } from "../../identity/introduction.ts";
import { peerKeySuite } from "../../identity/peer-certification.ts";
import { peerIdOf } from "../../identity/peer-name.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { PeerPath } from "../../model/peer-path.ts";
import { matcher } from "../../policy/patterns.ts";
import type { IntroducedPeers } from "../serve.ts";
import type { SidecarIdentity } from "../sidecar-identity.ts";
import { onMoves } from "./moves.ts";

/** Where a peer stands, and is looked for. */
export interface PeerSettings {
  readonly rendezvous: readonly RendezvousPlace[];
  /** Whether peers on one network find each other by themselves. */
  readonly isLocal: boolean;
  /** Of the one port for everything; 0 takes a free one. */
  readonly port: number;
  readonly segmentBytes?: number | undefined;
}

/** Who it is, as far as links between peers need to know. */
export type PeerIdentity = Pick<
  SidecarIdentity,
  "terms" | "serverRoots" | "credentials" | "keys" | "trustDomain"
>;

export interface CalledPeerOptions {
  readonly settings: PeerSettings;
  readonly identity: PeerIdentity;
  readonly servers: readonly string[];
  /** Patterns of SPIFFE IDs that may come. */
  readonly allow: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export interface CalledPeer {
  readonly peerId: string;
  readonly introduced: IntroducedPeers;
  /** @param takeStream takes each connection somebody may shake hands on */
  readonly begin: (takeStream: (socket: net.Socket) => void) => Promise<void>;
  /** Shows its new certificate to its rendezvous. */
  readonly renewed: () => void;
  readonly rendezvous: () => readonly StandingWith[];
  readonly stop: () => Promise<void>;
}

/** A rendezvous, and where it sees this peer; undefined while there is no link to it. */
interface StandingWith {
  readonly at: RendezvousPlace;
  readonly seen: string | undefined;
}

/** The key that is a peer's name; it lives as long as the state folder does. */
async function peerKeyOf(keys: PeerIdentity["keys"]): ReturnType<PeerIdentity["keys"]["key"]> {
  return await keys.key("peer", peerKeySuite.id);
}

/** Who was introduced may come for that long: through a punched hole, or once more when the first way is lost. */
const welcomeMs = 2 * introductionLifetimeMs;
const maxWelcome = 4096;

export async function openCalledPeer(options: CalledPeerOptions): Promise<CalledPeer> {
  const { settings, identity, clock } = options;
  const key = await peerKeyOf(identity.keys);
  const peerId = peerIdOf(key.publicKey);
  const vouching = greeter(key);
  const streams = knownStreams();
  const guests = invitedGuests(options, streams);
  const ending: (() => void | Promise<void>)[] = [];
  let attendants: readonly Attendant[] = [];
  const again = (): void => attendants.forEach((each) => each.again());
  return {
    peerId,
    introduced: { nameOf: streams.nameOf, admit: guests.admit, greet: vouching.greet },
    begin: async (takeStream) => {
      const take: OnStream = (socket, path) => {
        streams.add(socket, path);
        takeStream(socket);
      };
      const port = await openPeerPort(settings, (socket) =>
        take(socket, { kind: kindTo(socket.remoteAddress ?? ""), remote: remoteOf(socket) }),
      );
      ending.push(port.close);
      const common = { peerId, port, onIntroduction: guests.invite, onStream: take };
      attendants = settings.rendezvous.map((place) => attend(standing(place, common, vouching, options)));
      ending.push(...attendants.map(({ stop }) => stop));
      if (settings.isLocal) ending.push(advertise({ peerId, port: port.port }, clock));
      ending.push(onMoves(clock, again));
    },
    renewed: again,
    rendezvous: () =>
      settings.rendezvous.map((at, i) => {
        const seen = attendants[i]?.link()?.seen;
        return { at, seen: seen && shown(seen) };
      }),
    stop: async () => {
      await Promise.all(ending.map(async (end) => end()));
    },
  };
}

type OnStream = AttendantOptions["onStream"];

/** How a peer stands with one rendezvous. */
function standing(
  place: RendezvousPlace,
  common: Pick<AttendantOptions, "peerId" | "port" | "onIntroduction" | "onStream">,
  vouching: Greeter,
  { identity, servers, allow, clock, log }: CalledPeerOptions,
): AttendantOptions {
  const { port } = common;
  return {
    ...common,
    open: (signal) => openRendezvousLink({ at: place, port, ...sideFor(identity, place.spiffeId), signal }),
    registration: async ({ certificate }) => ({
      ...(await vouching.certification(certificate)),
      servers: [...servers],
      allow: [...allow],
      places: ownAddresses().map((host) => ({ host, port: port.port })),
    }),
    clock,
    log,
  };
}

interface Guests {
  readonly invite: (introduction: Introduction) => void;
  readonly admit: IntroducedPeers["admit"];
}

/** Who was introduced lately, and who may come without it. */
function invitedGuests({ settings, allow, clock, log }: CalledPeerOptions, { pathOf }: KnownStreams): Guests {
  const isAllowed = matcher(allow);
  const welcome = new Map<string, { readonly untilUnixMs: number; readonly by: string }>();
  return {
    invite: ({ caller, certificate, rendezvous }) => {
      const [oldest] = welcome.size >= maxWelcome ? welcome.keys() : [];
      if (oldest !== undefined) welcome.delete(oldest);
      const who = `${caller} ${certificate}`;
      welcome.delete(who);
      welcome.set(who, { untilUnixMs: clock.nowUnixMs() + welcomeMs, by: rendezvous });
      log.info("peer.introduced", { caller, rendezvous });
    },
    admit: (link, channel) => {
      const certificate = link.getPeerX509Certificate();
      const path = pathOf(channel.remote);
      const caller = channel.peer.kind === "svid" ? channel.peer.spiffeId : "";
      const hash = certificate === undefined ? "" : certificateHash(certificate);
      const invited = welcome.get(`${caller} ${hash}`);
      const isInvited = invited !== undefined && invited.untilUnixMs > clock.nowUnixMs();
      const isNeighbour = settings.isLocal && path.kind === "local";
      if (isAllowed(caller) && (isInvited || isNeighbour))
        return { ...channel, path: { ...path, ...(isInvited && { rendezvous: invited.by }) } };
      throw new Refusal("link_denied", "Nobody introduced this caller.", {
        facts: { caller, path: path.kind },
      });
    },
  };
}

/** What a peer offers and shows on a link to `spiffeId`. */
export function sideFor(
  identity: PeerIdentity,
  spiffeId: string,
): { readonly tls: tls.ConnectionOptions; readonly terms: ReturnType<PeerIdentity["terms"]> } {
  const { serverRoots } = identity;
  const terms = identity.terms();
  const credentials = identity.credentials();
  return {
    terms,
    tls: clientTlsOptions({ profile: terms, serverRoots, peerSpiffeId: spiffeId, credentials }),
  };
}

interface KnownStreams {
  readonly add: (socket: net.Socket, path: PeerPath) => void;
  readonly nameOf: (socket: net.Socket) => string;
  readonly pathOf: (name: string) => PeerPath;
}

/** Streams through one relay differ in their local port alone. */
function knownStreams(): KnownStreams {
  const paths = new Map<string, PeerPath>();
  const named = (socket: net.Socket): string => `${remoteOf(socket)}#${socket.localPort ?? 0}`;
  return {
    nameOf: (socket) => (paths.has(named(socket)) ? named(socket) : remoteOf(socket)),
    add: (socket, path) => {
      const name = named(socket);
      paths.set(name, path);
      socket.once("close", () => paths.delete(name));
    },
    pathOf: (name) => paths.get(name) ?? { kind: "direct", remote: name },
  };
}
