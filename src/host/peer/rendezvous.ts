/**
 * The rendezvous: peers register with it, and who calls one of them is introduced if the rules and the peer itself say
 * yes. Who isn't, is told the same as of a peer that doesn't exist.
 */
import type tls from "node:tls";

import { certificateHash } from "../../crypto/certificate.ts";
import type { SigningKey } from "../../crypto/keys.ts";
import { introduce } from "../../identity/introduction.ts";
import { certifiedPeer } from "../../identity/peer-certification.ts";
import { attempts } from "../../kernel/attempts.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import { matcher } from "../../policy/patterns.ts";
import type { DecideMeeting } from "../../policy/segments.ts";
import { lineReader } from "../../wire/lines.ts";
import {
  asWord,
  type Mapping,
  maxRendezvousLineBytes,
  type PeerWord,
  type Place,
  readPeerWord,
  type RendezvousWord,
} from "../../wire/rendezvous.ts";
import { reachablePlaces } from "./reachable-places.ts";
import { endIfSilent } from "./silent-link.ts";
import type { Splices } from "./splices.ts";

export interface RendezvousOptions {
  /** SPIFFE ID of this end. */
  readonly spiffeId: string;
  /** That of the certificate it shows now. */
  readonly signing: () => SigningKey;
  readonly decide: () => DecideMeeting;
  readonly splices: Splices;
  /** Port on which peers learn what their NAT shows to others. */
  readonly probePort: () => number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A peer as the rendezvous knows it. */
export interface RegisteredPeer {
  readonly peerId: string;
  readonly spiffeId: string;
  readonly servers: readonly string[];
  readonly seen: Place;
  readonly mapping: Mapping;
  readonly sinceUnixMs: number;
}

export interface Rendezvous {
  /** A link of somebody whose identity is proven. */
  readonly serve: (link: tls.TLSSocket, channel: Channel) => void;
  /** Ends each link for which there is a reason. */
  readonly review: (why: (channel: Channel) => unknown) => void;
  readonly peers: () => readonly RegisteredPeer[];
  readonly close: () => void;
}

interface Registered extends RegisteredPeer {
  readonly places: readonly Place[];
  readonly isAllowed: (caller: string) => boolean;
  readonly hasServer: (server: string) => boolean;
  readonly say: (word: RendezvousWord) => void;
  readonly link: tls.TLSSocket;
}

/** One who asks. */
interface Guest {
  readonly link: tls.TLSSocket;
  readonly spiffeId: string;
  readonly seen: Place;
  readonly say: (word: RendezvousWord) => void;
}

const maxLinks = 8192;
const maxPeersEach = 64;
/** A link that says nothing for longer than three pings is of a peer that is gone. */
const silenceMs = 70_000;
/** Calls to peers, of one identity and of all. */
const dialPace = [
  { burst: 60, perMinute: 120 },
  { burst: 1000, perMinute: 12_000 },
] as const;
const wordPace = { burst: 240, perMinute: 480 };
/** What a peer that reads too slowly may leave unread. */
const maxUnsentBytes = 256 * 1024;

export function openRendezvous(options: RendezvousOptions): Rendezvous {
  const { clock, log } = options;
  const links = new Map<tls.TLSSocket, Channel>();
  const peers = new Map<string, Registered>();
  const takeDial = attempts(...dialPace);
  const takeWord = attempts(wordPace);
  const hear = async (guest: Guest, word: PeerWord): Promise<void> => {
    takeWord(guest.spiffeId, clock.nowUnixMs());
    if (word.say === "ping") guest.say({ say: "pong" });
    else if (word.say === "register") register(guest, word, { peers, options });
    else {
      takeDial(guest.spiffeId, clock.nowUnixMs());
      await dial(guest, word, { peers, options });
    }
  };
  return {
    serve: (link, channel) => {
      if (links.size >= maxLinks || channel.peer.kind !== "svid") {
        link.destroy();
        return;
      }
      links.set(link, channel);
      const say = (word: RendezvousWord): void => {
        if (link.writableLength > maxUnsentBytes) link.destroy();
        else link.write(asWord(word));
      };
      const seen = { host: plainHost(link.remoteAddress), port: link.remotePort ?? 1 };
      const guest = { link, spiffeId: channel.peer.spiffeId, seen, say };
      const reader = lineReader(maxRendezvousLineBytes);
      endIfSilent(link, silenceMs);
      link.on("data", (chunk: Buffer) => {
        const turn = async (): Promise<void> => {
          for (const line of reader.push(chunk)) await answered(guest, line, hear);
        };
        turn().catch((error: unknown) => {
          log.warn("rendezvous.refused", { caller: guest.spiffeId, reason: String(error) });
          link.destroy();
        });
      });
      link.once("close", () => {
        links.delete(link);
        for (const [id, peer] of peers) if (peer.link === link) peers.delete(id);
      });
      const probe = options.probePort();
      say({ say: "welcome", seen, ...(probe !== undefined && { probe }) });
    },
    review: (why) => {
      for (const [link, channel] of links) if (why(channel) !== undefined) link.destroy();
    },
    peers: () => [...peers.values()].map(factsOf),
    close: () => links.forEach((_channel, link) => link.destroy()),
  };
}

function factsOf({ peerId, spiffeId, servers, seen, mapping, sinceUnixMs }: Registered): RegisteredPeer {
  return { peerId, spiffeId, servers, seen, mapping, sinceUnixMs };
}

/** What is wrong with what a peer says is told to it; what isn't one of its words ends the link. */
async function answered(
  guest: Guest,
  line: Uint8Array,
  hear: (guest: Guest, word: PeerWord) => Promise<void>,
): Promise<void> {
  const word = readPeerWord(line);
  try {
    await hear(guest, word);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const id = word.say === "dial" ? { id: word.id } : {};
    guest.say({ say: "refused", ...id, code: error.code, why: error.message });
  }
}

interface Standing {
  readonly peers: Map<string, Registered>;
  readonly options: RendezvousOptions;
}

/** @throws Refusal `bad_certificate`, `busy` */
function register(guest: Guest, word: PeerWord & { say: "register" }, { peers, options }: Standing): void {
  const { clock, log } = options;
  const { link, spiffeId, seen, say } = guest;
  const certificate = link.getPeerX509Certificate();
  if (certificate === undefined) throw new Refusal("bad_certificate", "This link shows no certificate.");
  const nowUnixMs = clock.nowUnixMs();
  const peerId = certifiedPeer(word, certificate, nowUnixMs);
  const own = [...peers.values()].filter((each) => each.spiffeId === spiffeId && each.peerId !== peerId);
  if (own.length >= maxPeersEach)
    throw new Refusal("busy", "This identity has registered as many peers as it may.");
  const { servers, mapping, allow } = word;
  const places = reachablePlaces(word.places);
  const facts = { peerId, spiffeId, servers, seen, mapping, sinceUnixMs: nowUnixMs };
  // A laptop that moved registers anew before its old link is known to be dead.
  const before = peers.get(peerId);
  const judged = { isAllowed: matcher(allow), hasServer: matcher(servers) };
  peers.set(peerId, { ...facts, ...judged, places, say, link });
  if (before !== undefined && before.link !== link) before.link.destroy();
  log.info("rendezvous.registered", { peer: spiffeId, peerId, remote: `${seen.host}:${seen.port}` });
  say({ say: "registered" });
}

/** @throws Refusal `no_such_server`, whether there is no such peer or the caller may not know it */
async function dial(
  guest: Guest,
  word: PeerWord & { say: "dial" },
  { peers, options }: Standing,
): Promise<void> {
  const { log, clock, splices, spiffeId: rendezvous } = options;
  const { spiffeId: caller } = guest;
  const peer = peers.get(word.peer);
  const meeting = { caller, peer: peer?.spiffeId ?? "", server: word.server };
  const { isAllowed, rule } = options.decide()(meeting);
  const isMet = peer !== undefined && isAllowed && peer.isAllowed(caller) && peer.hasServer(word.server);
  const about = { caller, peerId: word.peer, server: word.server, ...(rule !== null && { rule }) };
  if (!isMet) {
    log.warn("rendezvous.refused", about);
    throw new Refusal("no_such_server", "There is no such peer here.");
  }
  const certificate = guest.link.getPeerX509Certificate();
  if (certificate === undefined) throw new Refusal("bad_certificate", "This link shows no certificate.");
  const tokens = splices.offer({ caller, peer: peer.spiffeId, server: word.server });
  const id = tokens.caller.slice(0, 24);
  const signed = await introduce(options.signing(), {
    id,
    rendezvous,
    caller,
    certificate: certificateHash(certificate),
    server: word.server,
    peerId: word.peer,
    nowUnixMs: clock.nowUnixMs(),
  });
  log.info("rendezvous.introduced", { ...about, peer: peer.spiffeId });
  const isBehindOne = guest.seen.host === peer.seen.host;
  const ofCaller = placesFor(guest.seen, reachablePlaces(word.places), isBehindOne);
  const ofPeer = placesFor(peer.seen, peer.places, isBehindOne);
  peer.say({
    say: "introduction",
    introduction: signed,
    places: ofCaller,
    mapping: word.mapping,
    token: tokens.peer,
  });
  guest.say({ say: "introduced", id: word.id, places: ofPeer, mapping: peer.mapping, token: tokens.caller });
}

/** Where the rendezvous sees it, and its own addresses for whom it may share a network with. */
function placesFor(seen: Place, own: readonly Place[], isBehindOne: boolean): Place[] {
  const others = isBehindOne ? own : own.filter(({ host }) => host === seen.host);
  const all = [seen, ...others];
  return all
    .filter((each, at) => all.findIndex(({ host, port }) => host === each.host && port === each.port) === at)
    .slice(0, 8);
}

function plainHost(address: string | undefined): string {
  return (address ?? "0.0.0.0").replace(/^::ffff:/, "");
}
