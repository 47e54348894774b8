/** The links that are open at this moment, with whom they come from. */
import { type Channel, nameOf } from "../../model/channel.ts";
import type { OpenLink } from "./ended-links.ts";

export interface LinkNow {
  readonly channel: Channel;
  /** Whom the link proved, or whose tokens came on it; nobody before the first one was judged. */
  readonly callers: readonly string[];
}

export function linksNow(links: Iterable<OpenLink>): readonly LinkNow[] {
  return [...links].map(({ channel, calls, lastCaller }) => {
    if (channel.peer.kind === "svid") return { channel, callers: [nameOf(channel)] };
    const presented = [...calls].flatMap((call) => call.presented?.id ?? []);
    return {
      channel,
      callers: [...new Set([...presented, ...(lastCaller === undefined ? [] : [lastCaller])])],
    };
  });
}
