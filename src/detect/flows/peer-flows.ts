/**
 * The flows of live links, peer by peer: each is compared with what the same peer did before, since what is usual differs
 * from server to server. Memory is bounded by peer and in number; time and what was seen are arguments.
 */
import type { Finding, Severity } from "../../model/finding.ts";
import { LivePast, type Unusual } from "./live-past.ts";
import { FlowWindow, type Message } from "./flow-window.ts";

/** Whom a flow is with. */
export interface Hop {
  /** Who began the links: `incoming` are callers, `outgoing` servers. */
  readonly direction: "incoming" | "outgoing";
  readonly peer: string;
}

export interface LiveTerms {
  /** A flow is judged after so long, or so many exchanges. */
  readonly windowMs: number;
  readonly exchanges: number;
  /** What has to go out at once, beyond what comes back, to be a burst. */
  readonly burstBytes: number;
  /** Of which servers it is told that they became slow. */
  readonly alertsOnLatency: (hop: Hop) => boolean;
}

export interface FlowFinding extends Finding, Hop {
  readonly severity: Severity;
  /** Conformal, by the flows of this peer; undefined while there are too few to tell. */
  readonly risk?: number;
  readonly exchanges: number;
  readonly up: number;
  readonly down: number;
}

/** Who wasn't seen for longest makes way; at most 64 KB each. */
export const maxPeers = 1024;
/** What dates can say (ECMA-262 §21.4.1.1). */
const maxUnixMs = 8.64e15;
/** What goes on is told again after so long. */
const toldEveryMs = 3_600_000;
/** What went on for so long, and was told, is what is usual from then on. */
const learnedAfterMs = 24 * toldEveryMs;

interface Told {
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
}

interface Peer {
  readonly hop: Hop;
  window: FlowWindow;
  startUnixMs: number;
  readonly past: LivePast;
  readonly told: Map<string, Told>;
  /** Names of what was asked, each held once; those beyond the bound are compared by size. */
  readonly kinds: Map<string, string>;
}

const maxKinds = 32;

export class PeerFlows {
  readonly #peers = new Map<string, Peer>();
  readonly #terms: LiveTerms;

  constructor(terms: LiveTerms) {
    this.#terms = terms;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** @returns what is unusual about the flow that ends with this exchange, if it ends and anything is */
  see(hop: Hop, message: Message, nowUnixMs: number): readonly FlowFinding[] {
    if (!(Math.abs(nowUnixMs) <= maxUnixMs)) return [];
    const peer = this.#peerOf(hop, nowUnixMs);
    // A clock that was set back ends nothing and holds nothing open for ever.
    const isOver = Math.abs(nowUnixMs - peer.startUnixMs) >= this.#terms.windowMs;
    const before = isOver ? this.#end(peer, nowUnixMs) : [];
    peer.window.add(held(message, peer.kinds));
    const isFull = peer.window.exchangeCount >= this.#terms.exchanges;
    // A burst is told at once, and not when its flow ends.
    const isBurst = message.up - message.down >= this.#terms.burstBytes;
    return isFull || isBurst ? [...before, ...this.#end(peer, nowUnixMs)] : before;
  }

  #peerOf(hop: Hop, nowUnixMs: number): Peer {
    const key = `${hop.direction} ${hop.peer}`;
    const known = this.#peers.get(key);
    if (known !== undefined) {
      // INVARIANT: in the order in which they were seen last.
      this.#peers.delete(key);
      this.#peers.set(key, known);
      return known;
    }
    const [oldest] = this.#peers.keys();
    if (oldest !== undefined && this.#peers.size >= maxPeers) this.#peers.delete(oldest);
    const peer: Peer = {
      hop,
      window: new FlowWindow(),
      startUnixMs: nowUnixMs,
      past: new LivePast(nowUnixMs),
      told: new Map(),
      kinds: new Map(),
    };
    this.#peers.set(key, peer);
    return peer;
  }

  #end(peer: Peer, nowUnixMs: number): readonly FlowFinding[] {
    const summary = peer.window.summary();
    peer.window = new FlowWindow();
    peer.startUnixMs = nowUnixMs;
    if (summary.exchangeCount === 0) return [];
    const unusual = peer.past.judge(summary, nowUnixMs, {
      burstBytes: this.#terms.burstBytes,
      judgesLatency: this.#terms.alertsOnLatency(peer.hop),
    });
    const isOld = unusual.every(({ kind }) => isLearned(peer.told.get(kind), nowUnixMs));
    if (isOld) peer.past.learn(summary, nowUnixMs);
    const { exchangeCount, up, down } = summary;
    return unusual
      .filter(({ kind }) => isNews(peer.told, kind, nowUnixMs))
      .map(({ kind, severity, says, risk }: Unusual) => ({
        ...peer.hop,
        kind,
        severity,
        says,
        ...(risk !== undefined && { risk }),
        exchanges: exchangeCount,
        up,
        down,
      }));
  }
}

function held({ kind, ...message }: Message, kinds: Map<string, string>): Message {
  if (kind === undefined) return message;
  const known = kinds.get(kind);
  if (known !== undefined) return { ...message, kind: known };
  if (kinds.size >= maxKinds) return message;
  kinds.set(kind, kind);
  return { ...message, kind };
}

function isLearned(told: Told | undefined, nowUnixMs: number): boolean {
  return told !== undefined && nowUnixMs - told.firstUnixMs >= learnedAfterMs;
}

/** Whether it is to be told now; notes that it is. */
function isNews(told: Map<string, Told>, kind: string, nowUnixMs: number): boolean {
  const before = told.get(kind);
  if (before !== undefined && Math.abs(nowUnixMs - before.lastUnixMs) < toldEveryMs) return false;
  told.set(kind, { firstUnixMs: before?.firstUnixMs ?? nowUnixMs, lastUnixMs: nowUnixMs });
  return true;
}
