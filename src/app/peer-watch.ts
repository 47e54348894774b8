/**
 * What proven peers were seen to be capable of, for as long as the gateway runs: each link is judged by it when its
 * peer is proven, before a byte of MCP is read or sent, and then becomes part of it.
 */
import type tls from "node:tls";

import type { InForce } from "../crypto/suites/in-force.ts";
import { hybridGroups } from "../crypto/suites/key-exchange.ts";
import type { TokenCaller } from "../gate/call.ts";
import type { Journal } from "../gate/ports.ts";
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
import { livePeers } from "./peer-memory.ts";
import { type JudgedLink, regressionRecords } from "./peer-records.ts";
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
  /** What is told of links to a server. It throws a Refusal `upstream_regressed`. */
  readonly outgoing: SeenServers;
  /** Whom a client that was refused may be, for the log. */
  readonly suspect: (address: string, offer: Offer) => string | undefined;
  /** Takes over what commands changed in the state database, and writes it into the audit log. */
  readonly refresh: () => void;
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
export function watchPeers({ memory, regression: policy }: Policy, options: Options): PeerWatch {
  if (memory === "off") return indifferent;
  const { state, profile, clock } = options;
  const suspected = suspects();
  const records = regressionRecords(options);
  const peers = livePeers(state.peers, options.log);
  let judged = new WeakMap<Channel, Map<string, string | undefined>>();
  const judge = (link: JudgedLink): string | undefined => {
    const before = peers.find(link);
    const { seen, evidence } = link;
    const best = before === undefined ? {} : unexpired(before.best, seen.atUnixMs, memory);
    const found = regressionsOf(best, seen, link.terms);
    const after = remember(before, seen, { evidence, memoryMs: memory });
    if (after !== undefined && after !== before) {
      const open = found.filter(isProven).map(({ kind, confidence, says }) => {
        return { kind, confidence, says, verdict: policy[confidence] };
      });
      const { direction, peer } = link;
      const record: RememberedPeer = { ...after, direction, peer, open, epoch: before?.epoch ?? 0 };
      peers.put(record, inShort(open) !== inShort(before?.open ?? []));
    }
    note(suspected, link, found);
    if (found.length === 0) return undefined;
    const verdict = found.some(({ confidence }) => policy[confidence] === "refuse") ? "refuse" : "flag";
    records.found(link, found, verdict);
    if (verdict === "refuse") throw refusal(link, found);
    return inShort(found);
  };
  const ours = (): PeerTerms => termsOf(profile(), clock.nowUnixMs());
  return {
    incoming: (channel) => {
      const { peer } = channel;
      if (peer.kind !== "svid") return channel;
      const seen = { ...observed(channel, clock), certificate: peer.keyAlgorithm };
      const name = { direction: "incoming", peer: peer.spiffeId } as const;
      const link = { ...name, seen, terms: ours(), evidence: "proven", remote: channel.remote } as const;
      return marked(channel, judge(link));
    },
    caller: (channel, caller) => {
      const known = judged.get(channel) ?? new Map<string, string | undefined>();
      judged.set(channel, known);
      const peer = callerName(caller);
      const { binding } = caller.proof;
      const key = `${binding} ${peer}`;
      if (known.has(key)) return marked(channel, known.get(key));
      const { identities: _, ...terms } = ours();
      // Whoever has a bearer token can come with whatever hello.
      const evidence = binding === "bearer" ? "unproven" : "proven";
      const seen = observed(channel, clock);
      const found = judge({ direction: "incoming", peer, seen, terms, evidence, remote: channel.remote });
      if (known.size < maxCallers) known.set(key, found);
      return marked(channel, found);
    },
    outgoing: (peer, kind) => (link) => {
      const { identities, ...rest } = ours();
      const terms = {
        svid: { ...rest, ...(identities && { identities }) },
        certified: rest,
        // Node's own preferences, which are no profile's.
        web: { ...rest, groups: hybridGroups.map(({ id }) => id) },
      }[kind];
      const seen = linkObservation(link, clock.nowUnixMs());
      judge({ direction: "outgoing", peer, seen, terms, evidence: "proven", remote: remoteOfServer(link) });
    },
    suspect: suspected.named,
    refresh: () => {
      // A link that was flagged for what is accepted now isn't any more.
      if (peers.reload()) judged = new WeakMap();
      records.accepted();
    },
    stop: async () => {
      peers.stop();
      await records.stop();
    },
  };
}

/** Where nothing is remembered. */
const indifferent: PeerWatch = {
  incoming: (channel) => channel,
  caller: (channel) => channel,
  outgoing: () => () => undefined,
  suspect: () => undefined,
  refresh: () => undefined,
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

function note(suspected: Suspects, link: JudgedLink, found: readonly Regression[]): void {
  const { direction, peer, evidence, seen, remote } = link;
  if (direction === "incoming" && evidence === "proven" && found.length === 0) {
    suspected.note(peer, seen, remote);
  }
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

function remoteOfServer(link: tls.TLSSocket): string {
  return `${link.remoteAddress ?? "unknown"}:${link.remotePort ?? 0}`;
}
