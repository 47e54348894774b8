/** How rendezvous are named: `NAME@HOST:PORT`, where NAME is that of the relay's identity, `server/NAME`. */
import type { RendezvousPlace } from "../../host/peer/rendezvous-link.ts";
import { hostAndPort } from "../../host/net/listen.ts";
import { spiffeId } from "../../identity/spiffe-id.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { PeerSettings } from "./called-peer.ts";

/** As an operator says it. */
export interface AskedPeers {
  /** `NAME@HOST:PORT` each. */
  readonly via: readonly string[];
  /** Whether peers on one network find each other. */
  readonly isLocal: boolean;
  readonly port?: number;
}

/** @throws Refusal `bad_config` */
export function peerSettings({ via, isLocal, port = 0 }: AskedPeers, trustDomain: string): PeerSettings {
  if (via.length === 0 && !isLocal)
    throw new Refusal(
      "bad_config",
      "Nobody could find this peer: name a relay with --via NAME@HOST:PORT, or take --lan for peers on this network.",
    );
  return { rendezvous: rendezvousPlaces(via, trustDomain), isLocal, port };
}

const pattern = /^([a-z0-9][a-z0-9._-]{0,63})@(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/;
/** Each is registered with, and asked, at once. */
const maxRendezvous = 8;

/** @throws Refusal `bad_config` */
function rendezvousPlaces(texts: readonly string[], trustDomain: string): readonly RendezvousPlace[] {
  if (texts.length > maxRendezvous)
    throw new Refusal("bad_config", `At most ${maxRendezvous} relays can be named, found ${texts.length}.`);
  return texts.map((text) => {
    const [, name = "", host = "", port = ""] = pattern.exec(text) ?? [];
    if (name === "" || Number(port) < 1 || Number(port) > 65_535) {
      throw new Refusal(
        "bad_config",
        `"${text.slice(0, 120)}" names no relay: expected NAME@HOST:PORT, as "latticegate relay" prints it.`,
      );
    }
    return { ...hostAndPort(`${host}:${port}`), spiffeId: spiffeId(trustDomain, `server/${name}`) };
  });
}
