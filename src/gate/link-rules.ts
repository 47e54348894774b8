/** What rules about connections and links see, and what they say of one. */
import { groupNumbered } from "../crypto/suites/key-exchange.ts";
import type { Caller } from "../model/caller.ts";
import { type Channel, postureOf } from "../model/channel.ts";
import type { Offer } from "../model/offer.ts";
import type { Facts, HelloFacts } from "../policy/facts.ts";
import { decideLink, type LinkVerdict } from "../policy/link-rules.ts";
import { callerFacts, lazily, linkFacts, surrounding } from "./facts.ts";
import type { World } from "./world.ts";

/** A connection whose first message came, and nothing more. */
export interface KnockingPeer {
  /** IP address and port. */
  readonly remote: string;
  readonly offer: Offer;
  readonly atUnixMs: number;
}

type ConnectionFacts = Pick<Facts, "place" | "now" | "time" | "quantum"> & { readonly hello: HelloFacts };
type LinkFacts = ConnectionFacts & Pick<Facts, "caller" | "link">;

export function judgeConnection(peer: KnockingPeer, { linkRules, surroundings }: World): LinkVerdict {
  const facts = lazily<ConnectionFacts>({
    ...surrounding(peer, surroundings),
    hello: () => helloFacts(peer.offer),
  });
  return decideLink({ facts }, linkRules.connection);
}

/** @param caller whom the link proved, or whose access token came on it */
export function judgeLink(
  channel: Channel,
  { caller, atUnixMs }: { readonly caller: Caller; readonly atUnixMs: number },
  { linkRules, surroundings }: World,
): LinkVerdict {
  const facts = lazily<LinkFacts>({
    ...surrounding({ remote: channel.remote, atUnixMs }, surroundings),
    hello: () => helloFacts(channel.offer),
    caller: () => callerFacts({ caller, atUnixMs }, caller.id, surroundings),
    link: () => linkFacts(channel),
  });
  const proven = { caller: caller.id, posture: postureOf(channel) };
  return decideLink({ proven, facts }, linkRules.link);
}

function helloFacts(offer: Offer | undefined): HelloFacts {
  const { groups = [], keyShares = [], alpn = [], serverName = "", fingerprint } = offer ?? {};
  return {
    groups: groups.map(groupName),
    key_shares: keyShares.map(groupName),
    pq: groups.some((id) => groupNumbered(id)?.kind === "hybrid"),
    alpn,
    server_name: serverName,
    ja4: fingerprint?.ja4 ?? "",
  };
}

function groupName(groupId: number): string {
  return groupNumbered(groupId)?.id ?? `0x${groupId.toString(16).padStart(4, "0")}`;
}
