/** The side that calls: every way to a peer is tried at once, and each stream that comes of it is handed on. */
import type net from "node:net";

import type { PeerName } from "../../identity/peer-name.ts";
import type { Mapping, Place } from "../../wire/rendezvous.ts";
import { remoteOf } from "../net/front-door.ts";
import { punchMs, shown } from "./attendant.ts";
import type { PeerPath } from "../../model/peer-path.ts";
import type { PeerPort } from "./peer-port.ts";
import { kindTo } from "./own-networks.ts";
import { placesSaidBy } from "./reachable-places.ts";
import { openRelayedStream } from "./relayed-stream.ts";
import type { RendezvousLink } from "./rendezvous-link.ts";

export interface Dialling {
  readonly peer: PeerName;
  readonly port: PeerPort;
  /** Where this peer may be reached in its own network. */
  readonly places: () => readonly Place[];
  /** Links to them, as they come about. */
  readonly rendezvous: readonly Promise<RendezvousLink>[];
  /** Where it was found on this network. */
  readonly local: Promise<readonly Place[]>;
  /** Whether a relay is asked for, too. */
  readonly isRelayed: boolean;
  /** Connections that come in on our own port from such a place are its, whatever their port if it has none it keeps. */
  readonly expecting: (
    from: Place & { readonly hasThatPort: boolean },
    take: (socket: net.Socket) => void,
    signal: AbortSignal,
  ) => void;
  readonly onStream: (socket: net.Socket, path: PeerPath) => void;
  readonly signal: AbortSignal;
}

const localMs = 3000;

/** Settles when no further stream will come. @returns why there is none of each kind, where that is known */
export async function dialPeer(dialling: Dialling): Promise<readonly string[]> {
  const tries = [
    dialLocal(dialling),
    ...dialling.rendezvous.map(async (link) => throughRendezvous(await link, dialling)),
  ];
  const settled = await Promise.allSettled(tries);
  return settled.flatMap((each) => (each.status === "rejected" ? [reasonOf(each.reason)] : each.value));
}

async function dialLocal({ local, port, signal, onStream }: Dialling): Promise<readonly string[]> {
  const places = await local;
  const tried = places.map(async (place) => {
    const socket = await port.dial(place, { timeoutMs: localMs, signal });
    onStream(socket, { kind: "local", remote: shown(place) });
  });
  return failures(await Promise.allSettled(tried));
}

/** @throws Refusal `no_such_server` if it introduces nobody of that name */
async function throughRendezvous(link: RendezvousLink, dialling: Dialling): Promise<readonly string[]> {
  const { port, signal, onStream, isRelayed, expecting } = dialling;
  const { peerId, server } = dialling.peer;
  const call = { peer: peerId, server, places: [...dialling.places()] };
  const introduced = await link.dial(call, signal);
  const rendezvous = link.of.spiffeId;
  const why = whyRelayed(link.mapping, introduced.mapping);
  const relayed = isRelayed
    ? openRelayedStream(link.address, introduced.token, { port, signal }).then((socket) =>
        onStream(socket, { kind: "relayed", remote: shown(link.address), rendezvous, why }),
      )
    : Promise.resolve();
  const direct = placesSaidBy(link.address, introduced.places).map(async (place) => {
    const take = (socket: net.Socket): void =>
      onStream(socket, { kind: kindTo(place.host), remote: remoteOf(socket), rendezvous });
    const done = new AbortController();
    // A NAT that shows us another port than the rendezvous: we can't call it, but it can call us.
    const from = { ...place, hasThatPort: introduced.mapping === "same" };
    expecting(from, take, AbortSignal.any([signal, done.signal]));
    try {
      take(await port.punch(place, { timeoutMs: punchMs, signal }));
    } finally {
      done.abort();
    }
  });
  return failures(await Promise.allSettled([relayed, ...direct]));
}

/** What keeps two peers from meeting, as far as their rendezvous can tell. */
function whyRelayed(own: Mapping, other: Mapping): string {
  if (own === "differs" && other === "differs")
    return "both NATs show each destination another port (symmetric), so neither can be met";
  if (own === "differs") return "this end's NAT shows each destination another port (symmetric)";
  if (other === "differs") return "the other end's NAT shows each destination another port (symmetric)";
  return "no direct connection came about: a firewall or NAT between the two lets none through";
}

function failures(settled: readonly PromiseSettledResult<unknown>[]): readonly string[] {
  return settled.flatMap((each) => (each.status === "rejected" ? [reasonOf(each.reason)] : []));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
