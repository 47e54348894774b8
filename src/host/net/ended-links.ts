/** Ends links that lost their right to be, and calls whose token did. */
import type { Duplex } from "node:stream";

import type { TokenCaller } from "../../gate/call.ts";
import type { Log } from "../../kernel/log.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import { type Channel, nameOf } from "../../model/channel.ts";

/** Why a link must end, if it must. */
export type WhyEnded = (channel: Channel) => Refusal | undefined;

/** Why a call that came with an access token must end, if it must. */
export type WhyOver = (presented: TokenCaller, channel: Channel) => Refusal | undefined;

export interface OpenCall {
  /** Nobody is to read its answer any more. */
  readonly sendAway: (why: Refusal) => void;
  /** Breaks its answer off. */
  readonly cut: () => void;
  /** Whose access token it came with, once that was judged. */
  presented?: TokenCaller | undefined;
}

export interface OpenLink {
  /** What is known of it; more once it has proved more. */
  channel: Channel;
  /** Those under way. */
  readonly calls: Set<OpenCall>;
  /** It ends when nothing is under way on it. */
  isRetired: boolean;
  /** Whose access token was judged on it last. */
  lastCaller?: string;
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
    for (const { sendAway } of calls) sendAway(refusal);
    link.destroy();
  }
}

/** Ends each call for which there is a reason, and its link unless there is another call on it. */
export function endCalls(links: Map<Duplex, OpenLink>, why: WhyOver, log: Log): void {
  for (const [link, { channel, calls }] of links) {
    const ended = [...calls].filter((call) => isOver(call, why, channel, log));
    if (ended.length === 0) continue;
    for (const call of ended) {
      calls.delete(call);
      call.cut();
    }
    if (calls.size > 0) continue;
    links.delete(link);
    link.destroy();
  }
}

/** Ends all calls there are, and the links they are on: whoever comes again is told why. */
export function endAllCalls(links: Map<Duplex, OpenLink>, refusal: Refusal, log: Log): void {
  let ended = 0;
  for (const [link, { calls }] of links) {
    if (calls.size === 0) continue;
    ended += calls.size;
    links.delete(link);
    for (const { sendAway } of calls) sendAway(refusal);
    link.destroy();
  }
  if (ended > 0) log.warn("calls.ended", { reason: refusal.code, calls: ended });
}

function isOver({ presented, sendAway }: OpenCall, why: WhyOver, channel: Channel, log: Log): boolean {
  const { remote } = channel;
  const refusal = presented && why(presented, channel);
  if (presented === undefined || refusal === undefined) return false;
  const { code: reason, facts } = refusal;
  log.warn("call.ended", { remote, caller: presented.id, reason, ...facts });
  sendAway(refusal);
  return true;
}
