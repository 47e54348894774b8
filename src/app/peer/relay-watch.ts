/**
 * Relayed streams, watched without a key: sizes, times and directions of what passes are made into exchanges, and each
 * pair of peers is compared with what it did before (docs/guide/detect-flows.md). Nothing is held up by it.
 */
import { type FlowFinding, PeerFlows } from "../../detect/flows/peer-flows.ts";
import type { OnOver, OnPassed, Spliced } from "../../host/peer/splices.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";

export interface RelayWatch {
  readonly passed: OnPassed;
  readonly over: OnOver;
  /** The newest ones, the newest first. */
  readonly findings: () => readonly RelayFinding[];
  /** Since the relay began. */
  readonly totals: () => RelayTotals;
}

interface RelayFinding extends Pick<FlowFinding, "kind" | "severity" | "says"> {
  readonly atUnixMs: number;
  /** SPIFFE ID of the caller, and the server it calls. */
  readonly flow: string;
}

interface RelayTotals {
  readonly streams: number;
  readonly bytesToPeer: number;
  readonly bytesToCaller: number;
}

/** As a gateway has them by default. */
const terms = {
  windowMs: 600_000,
  exchanges: 64,
  burstBytes: 1024 * 1024,
  alertsOnLatency: () => false,
} as const;
const maxFindings = 50;
/** Shorter pieces are no requests: a window that opens further, a ping, an answer to one. */
const minRequestBytes = 96;
/** Streams whose exchange isn't over, at most; those that spoke last are kept. */
const maxOpen = 4096;

/** What was sent to the peer, and what came back so far. */
interface Exchange {
  readonly startMs: number;
  up: number;
  down: number;
  lastUpMs: number;
  answerMs?: number;
}

export function watchRelayed({ clock, log }: { readonly clock: Clock; readonly log: Log }): RelayWatch {
  const flows = new PeerFlows(terms);
  const open = new Map<string, Exchange>();
  const findings: RelayFinding[] = [];
  const totals = { streams: 0, bytesToPeer: 0, bytesToCaller: 0 };
  const judge = ({ caller, server, peer }: Spliced, exchange: Exchange): void => {
    const flow = `${caller} ${peer} ${server}`;
    for (const { kind, severity, says } of flows.see(
      { direction: "incoming", peer: flow },
      exchange,
      exchange.startMs,
    )) {
      log.warn("flow.finding", { peer: flow, direction: "relayed", kind, severity, says });
      findings.unshift({ atUnixMs: clock.nowUnixMs(), flow, kind, severity, says });
      findings.splice(maxFindings);
    }
  };
  const hold = (id: string, exchange: Exchange): Exchange => {
    open.delete(id);
    const [oldest] = open.size >= maxOpen ? open.keys() : [];
    if (oldest !== undefined) open.delete(oldest);
    open.set(id, exchange);
    return exchange;
  };
  const passed: OnPassed = (stream, direction, bytes) => {
    const nowMs = clock.nowUnixMs();
    const before = open.get(stream.id);
    if (stream.bytesToPeer + stream.bytesToCaller === bytes) totals.streams += 1;
    totals[direction === "to-peer" ? "bytesToPeer" : "bytesToCaller"] += bytes;
    if (direction === "to-caller") {
      if (before === undefined) return;
      before.answerMs ??= nowMs - before.lastUpMs;
      before.down += bytes;
      return;
    }
    if (before !== undefined && bytes < minRequestBytes) {
      before.up += bytes;
      return;
    }
    const isNext = before === undefined || before.down > 0;
    if (isNext && before !== undefined) judge(stream, before);
    const exchange = isNext ? hold(stream.id, { startMs: nowMs, up: 0, down: 0, lastUpMs: nowMs }) : before;
    exchange.up += bytes;
    exchange.lastUpMs = nowMs;
    // What only goes out is told while it does.
    if (exchange.up - exchange.down >= terms.burstBytes) {
      open.delete(stream.id);
      judge(stream, exchange);
      hold(stream.id, { startMs: nowMs, up: 0, down: 0, lastUpMs: nowMs });
    }
  };
  const over: OnOver = (stream) => {
    const last = open.get(stream.id);
    open.delete(stream.id);
    if (last !== undefined) judge(stream, last);
  };
  return { passed, over, findings: () => [...findings], totals: () => ({ ...totals }) };
}
