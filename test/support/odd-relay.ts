/** A relay of the house's own authority that says, or does with streams, what it shouldn't. */
import type net from "node:net";
import type tls from "node:tls";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { openGate, signerOf, trustOf } from "../../src/app/peer/relay.ts";
import { everybody } from "../../src/app/peer/segments-file.ts";
import { openSidecarIdentity } from "../../src/app/sidecar-identity.ts";
import { relayPort } from "../../src/host/peer/relay-port.ts";
import { openRendezvous } from "../../src/host/peer/rendezvous.ts";
import { openSplices, type Splices } from "../../src/host/peer/splices.ts";
import { listen } from "../../src/host/net/listen.ts";
import { systemClock } from "../../src/host/system.ts";
import type { Log } from "../../src/kernel/log.ts";
import { decideMeetings } from "../../src/policy/segments.ts";
import { readRendezvousWord, type RendezvousWord, spliceReady } from "../../src/wire/rendezvous.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { freshState, type TestGateway } from "./gateway.ts";
import type { SceneRelay } from "./peers-scene.ts";

/** What it does otherwise than it should. */
export interface Oddity {
  /** Introduces everybody, whomever peers allow. */
  readonly ignoresPeers?: true;
  /** Instead of what it would say to that one. */
  readonly says?: (word: RendezvousWord, to: string) => RendezvousWord;
  /** Instead of joining the two ends of a stream. */
  readonly joins?: (caller: net.Socket, peer: net.Socket) => void;
}

/** A place where nobody answers, so that streams are relayed (RFC 5737, TEST-NET-1). */
const nowhere = { host: "192.0.2.1", port: 9 };

/** Leaves peers no way but the relay. */
export function relayedOnly(word: RendezvousWord): RendezvousWord {
  return "places" in word ? { ...word, places: [nowhere] } : word;
}

export async function oddRelay(
  t: Cleanup,
  gateway: TestGateway,
  oddity: Oddity,
  log: Log,
): Promise<SceneRelay> {
  const path = "server/relay";
  const joinToken = await makeJoinToken(gateway.config, { path, address: gateway.address }, systemClock);
  const identity = await openSidecarIdentity({
    state: await freshState(t),
    joinToken,
    clock: systemClock,
    log,
  });
  atEnd(t, identity.stop);
  const splices = openSplices({ clock: systemClock, log });
  const rendezvous = openRendezvous({
    spiffeId: identity.spiffeId,
    signing: () => signerOf(identity.credentials()),
    decide: () => decideMeetings(everybody),
    splices,
    probePort: () => undefined,
    clock: systemClock,
    log,
  });
  const trust = () => trustOf(identity, new Set<string>());
  const gate = openGate({ identity, trust, clock: systemClock, log }, (link, channel) =>
    rendezvous.serve(
      saying(
        hearing(link, oddity),
        (word) => oddity.says?.(word, channel.peer.kind === "svid" ? channel.peer.spiffeId : "") ?? word,
      ),
      channel,
    ),
  );
  const server = relayPort({ onTls: gate.take, onSplice: joining(oddity, splices) });
  const address = await listen(server, "127.0.0.1:0");
  atEnd(t, () => {
    server.close();
    rendezvous.close();
  });
  return {
    via: `relay@${address}`,
    peers: rendezvous.peers,
    streams: splices.list,
    refresh: () => undefined,
  };
}

/** The same link, but for what a peer says of whom it allows. */
function hearing(link: tls.TLSSocket, { ignoresPeers }: Oddity): tls.TLSSocket {
  if (ignoresPeers !== true) return link;
  const on = link.on.bind(link);
  link.on = ((event: string, act: (...given: unknown[]) => void) =>
    on(event, (...given: unknown[]) => {
      const [chunk] = given;
      act(chunk instanceof Buffer ? Buffer.from(opened(chunk.toString())) : chunk);
    })) as typeof link.on;
  return link;
}

/** A registration that allows everybody; words come whole, since the first is the longest. */
function opened(text: string): string {
  return text.replace(/"allow":\[[^\]]*\]/, '"allow":["*"]');
}

/** The same link, but for what is said on it. */
function saying(link: tls.TLSSocket, change: (word: RendezvousWord) => RendezvousWord): tls.TLSSocket {
  const write = link.write.bind(link);
  link.write = (bytes: Uint8Array) => {
    const word = change(readRendezvousWord(bytes.subarray(0, -1)));
    return write(`${JSON.stringify(word)}\n`);
  };
  return link;
}

/** The two who come one after the other belong together: one stream at a time. */
function joining({ joins }: Oddity, splices: Splices): Splices["take"] {
  if (joins === undefined) return splices.take;
  let first: net.Socket | undefined;
  return (socket) => {
    socket.on("error", () => socket.destroy());
    if (first === undefined) {
      first = socket;
      return;
    }
    const ends = [first, socket];
    first = undefined;
    for (const end of ends) end.write(spliceReady);
    // TLS's client speaks first.
    const [one, other] = ends as [net.Socket, net.Socket];
    const met = (caller: net.Socket, peer: net.Socket) => () => {
      one.off("readable", oneFirst);
      other.off("readable", otherFirst);
      joins(caller, peer);
    };
    const oneFirst = met(one, other);
    const otherFirst = met(other, one);
    one.once("readable", oneFirst);
    other.once("readable", otherFirst);
  };
}
