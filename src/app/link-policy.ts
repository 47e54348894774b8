/**
 * Rules about connections and links, in force at a listener: asked when one comes, and again for those that are open
 * when the rules or the minute change. What they deny is in the audit log.
 */
import { judgeConnection, judgeLink } from "../gate/link-rules.ts";
import type { TokenCaller } from "../gate/call.ts";
import type { Journal } from "../gate/ports.ts";
import type { World } from "../gate/world.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Caller } from "../model/caller.ts";
import type { Channel, SvidPeer } from "../model/channel.ts";
import type { Offer } from "../model/offer.ts";
import type { LinkDenial, LinkVerdict } from "../policy/link-rules.ts";
import { type LinkRecords, linkRecords } from "./link-records.ts";

export interface LinkPolicy {
  /** Why a connection isn't let on to its handshake; undefined where it is. */
  readonly connection: (remote: string, offer: Offer) => string | undefined;
  /** A link came up whose peer proved itself. @throws Refusal `link_denied` */
  readonly link: (channel: Channel) => void;
  /** A request with an access token came in on a link. @throws Refusal `link_denied` */
  readonly caller: (channel: Channel, caller: TokenCaller) => void;
  /** Why an open link of a proven peer has to end; undefined where it needn't. */
  readonly whyEnded: (channel: Channel) => Refusal | undefined;
  /** Why calls of who came with that access token have to end on that link. */
  readonly whyOver: (channel: Channel, caller: TokenCaller) => Refusal | undefined;
  /** Writes what was only counted so far. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly world: () => World;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

const minuteMs = 60_000;

export function linkPolicy({ world, journal, clock, log }: Options): LinkPolicy {
  const records = linkRecords({ journal, clock, log });
  /** Under which rules, and in which minute, a link was let be. */
  const settled = new WeakMap<Channel, string>();
  const judged = (channel: Channel, caller: Caller, what: "link" | "open link"): Refusal | undefined => {
    if (world().linkRules.link.length === 0) return undefined;
    const verdict = judgeLink(channel, { caller, atUnixMs: clock.nowUnixMs() }, world());
    return refusalOf(verdict, { remote: channel.remote, caller: caller.id, what }, records);
  };
  const state = (): string => `${world().digest} ${Math.floor(clock.nowUnixMs() / minuteMs)}`;
  return {
    connection: (remote, offer) => {
      if (world().linkRules.connection.length === 0) return undefined;
      const verdict = judgeConnection({ remote, offer, atUnixMs: clock.nowUnixMs() }, world());
      const refusal = refusalOf(verdict, { remote, caller: "anonymous", what: "connection" }, records);
      return refusal && `policy "${String(refusal.facts["rule"])}": ${refusal.message}`;
    },
    link: (channel) => {
      const { peer } = channel;
      const refusal = peer.kind === "svid" ? judged(channel, callerIn(peer), "link") : undefined;
      if (refusal !== undefined) throw refusal;
    },
    caller: (channel, caller) => {
      const refusal = judged(channel, caller, "link");
      if (refusal !== undefined) throw refusal;
    },
    whyEnded: (channel) => {
      const { peer } = channel;
      const now = state();
      if (peer.kind !== "svid" || settled.get(channel) === now) return undefined;
      const refusal = judged(channel, callerIn(peer), "open link");
      if (refusal === undefined) settled.set(channel, now);
      return refusal;
    },
    whyOver: (channel, caller) => judged(channel, caller, "open link"),
    stop: records.stop,
  };
}

interface Denied {
  readonly remote: string;
  readonly caller: string;
  readonly what: "connection" | "link" | "open link";
}

function refusalOf(verdict: LinkVerdict, about: Denied, records: LinkRecords): Refusal | undefined {
  for (const shadow of verdict.shadows) records.denied({ ...about, ...factsOf(shadow), isShadow: true });
  const { denied } = verdict;
  if (denied === undefined) return undefined;
  records.denied({ ...about, ...factsOf(denied), isShadow: false });
  return new Refusal("link_denied", denied.because, { facts: { ...factsOf(denied) } });
}

function factsOf({ rule, erred }: LinkDenial): { readonly rule: string; readonly erred?: string } {
  return { rule, ...(erred !== undefined && { erred }) };
}

function callerIn({ spiffeId: id, serial, issuer, notBeforeUnixMs, notAfterUnixMs }: SvidPeer): Caller {
  const issued = notBeforeUnixMs !== undefined && { issuedAtUnixMs: notBeforeUnixMs };
  return { id, chain: [], proof: { kind: "svid", serial, issuer, ...issued, notAfterUnixMs } };
}
