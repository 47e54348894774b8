/**
 * What proven peers were seen to be capable of, for as long as the gateway runs: each link is judged by it when its
 * peer is proven, before a byte of MCP is read or sent, and then becomes part of it.
 */
import type { InForce } from "../crypto/suites/in-force.ts";
import { hybridGroups } from "../crypto/suites/key-exchange.ts";
import type { TokenCaller } from "../gate/call.ts";
import type { Journal } from "../gate/ports.ts";
import { remoteOf } from "../host/net/front-door.ts";
import { linkObservation } from "../host/net/outgoing-link.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { RememberedPeer } from "../host/store/state-peers.ts";
import { type Observation, remember, unexpired } from "../identity/peer-memory.ts";
import { inShort, type PeerTerms, type Regression, regressionsOf, termsOf } from "../identity/regressions.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Channel } from "../model/channel.ts";
import type { Offer } from "../model/offer.ts";
import type { RegressionPolicy } from "./config/crypto.ts";
import { type LivePeers, livePeers } from "./peer-memory.ts";
import { type JudgedLink, type RegressionRecords, regressionRecords } from "./peer-records.ts";
import { type Suspects, suspects } from "./peer-suspects.ts";
import type { SeenServers } from "./upstream-auth.ts";

export interface PeerWatch {
  /**
   * A link came up whose peer proved itself in the handshake. @returns it, marked if it is to be
   * @throws Refusal `link_regressed`
   */
  readonly incoming: (channel: Channel) => Channel;
  /**
   * A request with an access token came in on a link. @returns the link, marked if it is to be
   * @throws Refusal `link_regressed`
   */
  readonly caller: (channel: Channel, caller: TokenCaller) => Channel;
  /** What is told of links to a server; it throws a Refusal `upstream_regressed`. */
  readonly outgoing: SeenServers;
  /** Whom a client that was refused may be, for the log. */
  readonly suspect: (address: string, offer: Offer) => string | undefined;
  /** Takes over what commands changed in the state database, and writes it into the audit log. */
  readonly refresh: () => void;
  /** What was seen of these callers, of clients that act for them, and of whoever else was erased. */
  readonly forget: (ids: readonly string[]) => void;
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly state: Pick<StateStore, "peers">;
  readonly profile: () => InForce;
  readonly journal: Journal;
  /** The gateway's, in whose name commands are recorded. */
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Policy {
  readonly memory: number | "off";
  readonly regression: RegressionPolicy;
}

/** Callers of one link whose judgement is kept; a link for more of them is judged at each call. */
const maxCallers = 64;

/** @throws Refusal `bad_state` if what is stored can't be read */
export function watchPeers(policy: Policy, options: Options): PeerWatch {
  const { memory } = policy;
  if (memory === "off") return indifferent;
  const { profile, clock } = options;
  const records = regressionRecords(options);
  const court: Court = {
    memoryMs: memory,
    policy: policy.regression,
    peers: livePeers(options.state.peers, options.log),
    suspected: suspects(),
    records,
    terms: () => termsOf(profile(), clock.nowUnixMs()),
    clock,
  };
  const callers = judgedCallers(court);
  return {
    incoming: (channel) => {
      const { peer, remote } = channel;
      if (peer.kind !== "svid") return channel;
      const seen = { ...observed(channel, clock), certificate: peer.keyAlgorithm };
      const name = { direction: "incoming", peer: peer.spiffeId } as const;
      return marked(
        channel,
        judged({ ...name, seen, terms: court.terms(), evidence: "proven", remote }, court),
      );
    },
    caller: callers.judge,
    outgoing: servers(court),
    suspect: court.suspected.named,
    refresh: () => {
      // A link that was flagged for what is accepted now isn't any more.
      if (court.peers.reload()) callers.forget();
      records.accepted();
    },
    forget: (ids) => {
      court.peers.forget((peer) => peer.split(/ for |, /).some((part) => ids.includes(part)));
      callers.forget();
    },
    stop: async () => {
      court.peers.stop();
      await records.stop();
    },
  };
}

interface Court {
  readonly memoryMs: number;
  readonly policy: RegressionPolicy;
  readonly peers: LivePeers;
  readonly suspected: Suspects;
  readonly records: RegressionRecords;
  readonly terms: () => Required<PeerTerms>;
  readonly clock: Clock;
}

/**
 * @returns in what the link is less than its peer was seen to be capable of, in short, where it goes on all the same
 * @throws Refusal `link_regressed`, `upstream_regressed`
 */
function judged(
  link: JudgedLink,
  { policy, peers, suspected, records, memoryMs }: Court,
): string | undefined {
  const before = peers.find(link);
  const { seen, evidence, direction, peer } = link;
  const best = before === undefined ? {} : unexpired(before.best, seen.atUnixMs, memoryMs);
  const found = regressionsOf(best, seen, link.terms);
  const after = remember(before, seen, { evidence, memoryMs });
  if (after !== undefined && after !== before) {
    const open = found
      .filter(isProven)
      .map(({ kind, confidence, says }) => ({ kind, confidence, says, verdict: policy[confidence] }));
    const record: RememberedPeer = { ...after, direction, peer, open, epoch: before?.epoch ?? 0 };
    peers.put(record, inShort(open) !== inShort(before?.open ?? []));
  }
  if (found.length === 0) {
    if (direction === "incoming" && evidence === "proven") suspected.note(peer, seen, link.remote);
    return undefined;
  }
  const verdict = found.some(({ confidence }) => policy[confidence] === "refuse") ? "refuse" : "flag";
  records.found(link, found, verdict);
  if (verdict === "refuse") throw refusal(link, found);
  return inShort(found);
}

/** Callers with access tokens: each is judged once on each of its links. */
function judgedCallers(court: Court): {
  readonly judge: PeerWatch["caller"];
  readonly forget: () => void;
} {
  let links = new WeakMap<Channel, Map<string, string | undefined>>();
  return {
    judge: (channel, caller) => {
      const known = links.get(channel) ?? new Map<string, string | undefined>();
      links.set(channel, known);
      const peer = callerName(caller);
      const { binding } = caller.proof;
      const key = `${binding} ${peer}`;
      if (known.has(key)) return marked(channel, known.get(key));
      const { groups, outgoing } = court.terms();
      // Whoever has a bearer token can come with whatever hello.
      const evidence = binding === "bearer" ? "unproven" : "proven";
      const seen = observed(channel, court.clock);
      const { remote } = channel;
      const terms = { groups, outgoing };
      const found = judged({ direction: "incoming", peer, seen, terms, evidence, remote }, court);
      if (known.size < maxCallers) known.set(key, found);
      return marked(channel, found);
    },
    forget: () => void (links = new WeakMap()),
  };
}

function servers(court: Court): SeenServers {
  /** As many as there are in the config. */
  const newest = new Map<string, string | undefined>();
  return {
    regression: (peer) => newest.get(peer),
    onLink: (peer, kind) => (link) => {
      const seen = linkObservation(link, court.clock.nowUnixMs());
      const terms = termsOfServer(kind, court.terms());
      const remote = remoteOf(link);
      newest.set(
        peer,
        judged({ direction: "outgoing", peer, seen, terms, evidence: "proven", remote }, court),
      );
    },
  };
}

/** Certificates of others aren't given out by a profile; where we show none, its groups aren't offered either. */
function termsOfServer(kind: "svid" | "certified" | "web", ours: Required<PeerTerms>): PeerTerms {
  const { groups, outgoing } = ours;
  if (kind === "svid") return ours;
  return kind === "certified" ? { groups, outgoing } : { groups: hybridGroups.map(({ id }) => id), outgoing };
}

/** Where nothing is remembered. */
const indifferent: PeerWatch = {
  incoming: (channel) => channel,
  caller: (channel) => channel,
  outgoing: { onLink: () => () => undefined, regression: () => undefined },
  suspect: () => undefined,
  refresh: () => undefined,
  forget: () => undefined,
  stop: () => Promise.resolve(),
};

/** A client for one user is another peer than the same client for another: it runs elsewhere. */
function callerName({ id, chain }: TokenCaller): string {
  return chain.length === 0 ? id : `${id} for ${chain.join(", ")}`;
}

/** All doors are of TLS 1.3. */
function observed({ group, offer }: Channel, clock: Clock): Observation {
  return { atUnixMs: clock.nowUnixMs(), group, version: 0x0304, ...(offer && { offer }) };
}

function marked(channel: Channel, regression: string | undefined): Channel {
  return regression === undefined ? channel : { ...channel, regression };
}

/** What nobody proved is no matter of the peer's. */
function isProven({ kind }: Regression): boolean {
  return kind !== "fallback";
}

function refusal({ direction, peer, evidence }: JudgedLink, found: readonly Regression[]): Refusal {
  const said = found.map(({ says }) => says).join(" ");
  const facts = { peer, direction, regressions: inShort(found) };
  if (direction === "outgoing") {
    return new Refusal(
      "upstream_regressed",
      `The link to the server is weaker than it was before, so nothing was sent. ${said} If that is meant, the gateway's operator accepts it: latticegate crypto peers accept ${peer}`,
      { facts: { ...facts, sent: false } },
    );
  }
  const accept =
    evidence === "proven"
      ? ` If the change is meant, the gateway's operator accepts it: latticegate crypto peers accept ${peer}`
      : "";
  return new Refusal(
    "link_regressed",
    `This link is weaker than those of the same peer before. ${said} Connect as before: update the client or its TLS settings, or go around what stands between.${accept}`,
    {
      facts,
      data: {
        "dev.latticegate/authorization": {
          reason: "link_regressed",
          remediation: "latticegate crypto peers accept",
          regressions: found.map(({ kind, confidence, from, to }) => ({ kind, confidence, from, to })),
        },
      },
    },
  );
}
