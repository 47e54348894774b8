/**
 * What the handshakes of each proven peer are like, one after the other: by which TLS client it comes, how often its first
 * key share isn't the one that is taken, how many fail before one succeeds, how long they take. What a single link shows
 * less than the best before it is a regression, and judged when it comes (docs/guide/downgrades.md).
 */
import { median } from "../../kernel/statistics.ts";
import type { Finding } from "../../model/finding.ts";

export interface SeenHandshake {
  /** Its TLS client: of JA4 what stays the same whatever it asks for, the digests of cipher suites and of extensions. */
  readonly client: string;
  /** It had to send another key share (HelloRetryRequest, RFC 8446 §4.1.4). */
  readonly isRetried: boolean;
  /** Handshakes from its address that failed just before. */
  readonly failedBefore: number;
  /** From its hello to its end. */
  readonly tookMs?: number;
}

export interface HandshakeFinding extends Finding {
  readonly direction: "incoming";
  readonly peer: string;
}

/** Who wasn't seen for longest makes way. */
export const maxPeers = 4096;
const maxLinks = 64;
const maxClients = 8;
const hourMs = 3_600_000;
/** One identity is one program: two that take turns are told from one that was updated, and once more rolled back. */
const leastTurns = 3;
const newest = 8;
const mostRetried = 6;
const leastBefore = 16;
const rarely = 0.1;
const manyFailures = 5;
const slowest = 4;
const farOut = 6;
const twice = Math.log(2);
const leastDeviation = 0.1;
const asDeviation = 1.4826;
/** What dates can say (ECMA-262 §21.4.1.1). */
const maxUnixMs = 8.64e15;

interface Peer {
  /** In the order in which they came first. */
  readonly clients: string[];
  last: string;
  /** When it came back to a client that it had before. */
  turns: number[];
  retried: boolean[];
  logTook: number[];
  readonly told: Map<string, number>;
}

type Kind = "handshake.clients" | "handshake.retries" | "handshake.failures" | "handshake.latency";

export class PeerHandshakes {
  readonly #peers = new Map<string, Peer>();
  readonly #judgesLatency: boolean;

  /** @param judgesLatency whether it is told that handshakes became slow */
  constructor(judgesLatency: boolean) {
    this.#judgesLatency = judgesLatency;
  }

  get size(): number {
    return this.#peers.size;
  }

  see(name: string, seen: SeenHandshake, nowUnixMs: number): readonly HandshakeFinding[] {
    if (!(Math.abs(nowUnixMs) <= maxUnixMs)) return [];
    const peer = this.#peerOf(name, seen.client);
    const found: readonly (readonly [Kind, Finding["severity"], string | undefined])[] = [
      ["handshake.clients", "medium", turnsOf(peer, seen.client, nowUnixMs)],
      ["handshake.retries", "low", retriesOf(peer, seen.isRetried)],
      ["handshake.failures", "low", failuresOf(seen.failedBefore)],
      ["handshake.latency", "low", this.#judgesLatency ? latencyOf(peer, seen.tookMs) : undefined],
    ];
    return found.flatMap(([kind, severity, says]): readonly HandshakeFinding[] => {
      if (says === undefined || wasTold(peer, kind, nowUnixMs)) return [];
      peer.told.set(kind, nowUnixMs);
      return [{ direction: "incoming", peer: name, kind, severity, says }];
    });
  }

  #peerOf(name: string, client: string): Peer {
    const known = this.#peers.get(name);
    // INVARIANT: in the order in which they were seen last.
    if (known !== undefined) this.#peers.delete(name);
    const [oldest] = this.#peers.size >= maxPeers ? this.#peers.keys() : [];
    if (oldest !== undefined) this.#peers.delete(oldest);
    const peer = known ?? { clients: [], last: client, turns: [], retried: [], logTook: [], told: new Map() };
    this.#peers.set(name, peer);
    return peer;
  }
}

function turnsOf(peer: Peer, client: string, nowUnixMs: number): string | undefined {
  const { clients, last } = peer;
  const isKnown = clients.includes(client);
  peer.last = client;
  if (!isKnown) {
    clients.push(client);
    if (clients.length > maxClients) clients.shift();
    return undefined;
  }
  if (last === client) return undefined;
  peer.turns = [...peer.turns.filter((at) => Math.abs(nowUnixMs - at) < hourMs), nowUnixMs].slice(-maxLinks);
  if (peer.turns.length < leastTurns) return undefined;
  return `It came as the TLS clients ${last} and ${client} in turn, ${peer.turns.length} times within the hour: two programs use one identity, or somebody has a copy of it.`;
}

function retriesOf(peer: Peer, isRetried: boolean): string | undefined {
  peer.retried = [...peer.retried, isRetried].slice(-maxLinks);
  const before = peer.retried.slice(0, -newest);
  const lately = peer.retried.slice(-newest).filter(Boolean).length;
  if (before.length < leastBefore || lately < mostRetried) return undefined;
  const then = before.filter(Boolean).length;
  if (then > before.length * rarely) return undefined;
  return `${lately} of its last ${newest} handshakes took a round trip more for another key share, and ${then} of ${before.length} before: its long hello may get lost on the way.`;
}

function failuresOf(failedBefore: number): string | undefined {
  if (!(failedBefore >= manyFailures)) return undefined;
  return `${failedBefore} handshakes from its address failed just before this one: something on the way may break them.`;
}

function latencyOf(peer: Peer, tookMs: number | undefined): string | undefined {
  if (tookMs === undefined || !Number.isFinite(tookMs) || tookMs < 0) return undefined;
  const logTook = Math.log(Math.max(0.1, tookMs));
  peer.logTook = [...peer.logTook, logTook].slice(-maxLinks);
  const before = peer.logTook.slice(0, -slowest);
  if (before.length < leastBefore) return undefined;
  const middle = median(before);
  const deviation = median(before.map((each) => Math.abs(each - middle))) * asDeviation;
  const least = middle + Math.max(twice, farOut * Math.max(leastDeviation, deviation));
  const lately = peer.logTook.slice(-slowest);
  if (lately.some((each) => each < least)) return undefined;
  const ms = (log: number): string => `${Math.exp(log).toPrecision(3)} ms`;
  return `Its last ${slowest} handshakes took ${ms(median(lately))}, where ${ms(middle)} are usual for it: somebody may stand between.`;
}

/** What goes on is told again after an hour. */
function wasTold({ told }: Peer, kind: Kind, nowUnixMs: number): boolean {
  const at = told.get(kind);
  return at !== undefined && Math.abs(nowUnixMs - at) < hourMs;
}
