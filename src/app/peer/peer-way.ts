/** A server behind the gateway that is named as a peer: links to it, found when they are needed. */
import type { PeerDialler } from "../../host/peer/peer-dialler.ts";
import type { PeerName } from "../../identity/peer-name.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { LinkOptions } from "../../host/net/proven-links.ts";
import type { ClientSide, PeerFinding } from "../upstreams.ts";
import { openPeerLink, peerPings } from "./peer-link.ts";

interface WayOptions {
  /** What is shown to peers, as it is at that moment. */
  readonly client: () => ClientSide | undefined;
  readonly peers?: PeerFinding;
  readonly mayBeRelayed: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PeerWay extends Pick<PeerDialler, "onBetter" | "path"> {
  readonly link: Required<Pick<LinkOptions, "connect" | "http" | "pings">>;
  /** Another certificate is shown from now on. */
  readonly renewed: () => void;
  readonly stop: () => Promise<void>;
}

/** @param spiffeId of who answers there. @throws Refusal `bad_config` where no peer can be found */
export function wayTo(
  peer: PeerName,
  spiffeId: string,
  { client, peers, mayBeRelayed, clock, log }: WayOptions,
): PeerWay {
  if (peers === undefined)
    throw new Refusal("bad_config", "A peer's name is no address here: this end doesn't look for peers.");
  const { settings, keys, trustDomain } = peers;
  const shown = (): ClientSide => {
    const now = client();
    if (now === undefined) throw new Refusal("bad_config", "This end has no identity to show to peers.");
    return now;
  };
  const identity = {
    keys,
    trustDomain,
    terms: () => shown().terms,
    credentials: () => shown().credentials,
    get serverRoots() {
      return shown().serverRoots;
    },
  };
  let better: () => void = () => {};
  let dialler: PeerDialler | undefined;
  let opening: Promise<PeerDialler> | undefined;
  const open = async (): Promise<PeerDialler> => {
    dialler = await openPeerLink({ peer, mayBeRelayed, spiffeId, settings, identity, clock, log });
    dialler.onBetter(() => better());
    return dialler;
  };
  return {
    link: { http: "h2", pings: peerPings, connect: async () => (await (opening ??= open())).connect() },
    onBetter: (act) => (better = act),
    path: () => dialler?.path(),
    renewed: () => dialler?.renewed(),
    stop: async () => (await opening)?.stop(),
  };
}
