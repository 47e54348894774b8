/** The gateway among peers: how it finds the ones it calls, and how it is met by those that call it. */
import type { KeyFolder } from "../../host/store/key-folder.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Config } from "../config.ts";
import type { ClientSide, PeerFinding } from "../upstreams.ts";
import { type CalledPeer, openCalledPeer, type PeerSettings } from "./called-peer.ts";
import { peerSettings } from "./peer-places.ts";

/** Undefined where the config names no way to find anybody. */
function settingsOf({ peers, trust_domain: domain, paths }: Config): PeerSettings | undefined {
  const { via, lan: isLocal, port } = peers;
  if (via.length === 0 && !isLocal) return undefined;
  const asked = { via, isLocal, ...(port !== undefined && { port }) };
  return { ...peerSettings(asked, domain), segmentBytes: paths.segment };
}

export function findingOf(config: Config, keys: KeyFolder): { readonly peers?: PeerFinding } {
  const settings = settingsOf(config);
  return settings === undefined ? {} : { peers: { settings, keys, trustDomain: config.trust_domain } };
}

/** @param client what it shows to its rendezvous, as it is at that moment */
export async function openGatewayPeer(
  config: Config,
  parts: {
    readonly keys: KeyFolder;
    readonly client: () => ClientSide;
    readonly clock: Clock;
    readonly log: Log;
  },
  opening: AsyncDisposableStack,
): Promise<CalledPeer | undefined> {
  const settings = settingsOf(config);
  if (settings === undefined || !config.peers.called) return undefined;
  const { keys, client, clock, log } = parts;
  const identity = {
    keys,
    trustDomain: config.trust_domain,
    terms: () => client().terms,
    credentials: () => client().credentials,
    get serverRoots() {
      return client().serverRoots;
    },
  };
  const { allow } = config.peers;
  const called = await openCalledPeer({ settings, identity, servers: ["*"], allow, clock, log });
  opening.defer(called.stop);
  return called;
}
