/** Ends links that lost their right to be. */
import type { Duplex } from "node:stream";

import type { Log } from "../../kernel/log.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import { type Channel, nameOf } from "../../model/channel.ts";

/** Why a link must end, if it must. */
export type WhyEnded = (channel: Channel) => Refusal | undefined;

export interface OpenLink {
  /** What is known of it; more once it has proved more. */
  channel: Channel;
  /** What ends each call under way. */
  readonly calls: Set<(why: Refusal) => void>;
}

/** Ends each link for which there is a reason, its calls first, so that they know why. */
export function endLinks(links: Map<Duplex, OpenLink>, why: WhyEnded, log: Log): void {
  for (const [link, { channel, calls }] of links) {
    const refusal = why(channel);
    if (refusal === undefined) continue;
    links.delete(link);
    const { remote } = channel;
    const { code: reason, facts } = refusal;
    log.warn("link.ended", { remote, caller: nameOf(channel), reason, calls: calls.size, ...facts });
    for (const sendAway of calls) sendAway(refusal);
    link.destroy();
  }
}
