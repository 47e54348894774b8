/** The calling side of a peer's name, for a sidecar or a gateway. */

import { openPeerDialler, type PeerDialler, type PeerDiallerOptions } from "../../host/peer/peer-dialler.ts";
import type { PingTimes } from "../../host/net/h2-pings.ts";
import type { PeerName } from "../../identity/peer-name.ts";
import { mcpPath } from "../../wire/protected-resource.ts";
import { onMoves } from "./moves.ts";
import { type PeerIdentity, type PeerSettings, sideFor } from "./called-peer.ts";

/**
 * On links to peers: networks change more often there than between servers, and what is under way on a dead link waits
 * that long to hear so.
 */
export const peerPings: PingTimes = { everyMs: 5000, deadMs: 7000 };

/** What a peer's server is called in HTTP: the peer id stands for the host, which nobody looks up. */
export function peerUrl({ peerId, server }: PeerName): URL {
  return new URL(`https://${peerId}${mcpPath}${server}`);
}

interface PeerLinkOptions extends Pick<
  PeerDiallerOptions,
  "mayBeRelayed" | "peer" | "clock" | "log" | "probeEachMs"
> {
  /** SPIFFE ID of who answers there. */
  readonly spiffeId: string;
  readonly settings: PeerSettings;
  readonly identity: PeerIdentity;
}

export async function openPeerLink(options: PeerLinkOptions): Promise<PeerDialler> {
  const { spiffeId, settings, identity, clock } = options;
  const dialler = await openPeerDialler({
    ...options,
    ...settings,
    peerSide: () => sideFor(identity, spiffeId),
    rendezvousSide: ({ spiffeId: of }) => sideFor(identity, of),
  });
  const stay = onMoves(clock, dialler.moved);
  return {
    ...dialler,
    stop: () => {
      stay();
      dialler.stop();
    },
  };
}
