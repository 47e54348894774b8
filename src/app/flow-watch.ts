/** Watches the flows of a running gateway's links: what is unlike what a peer did before is logged and recorded. */
import { randomUUIDv7 } from "node:crypto";

import { type FlowFinding, type Hop, PeerFlows } from "../detect/flows/peer-flows.ts";
import type { Journal } from "../gate/ports.ts";
import type { OnExchange } from "../host/net/flow-meter.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft } from "../model/entry.ts";
import type { Config } from "./config.ts";
import type { PeerWatch } from "./peer-watch.ts";

export interface FlowWatch {
  /** Absent where nothing is watched. */
  readonly onExchange?: OnExchange | undefined;
  /** Resolves when what was found is recorded. */
  readonly stop: () => Promise<void>;
}

/** What is remembered of peers while the gateway runs. */
export interface Watched {
  readonly peers: PeerWatch;
  readonly flows: FlowWatch;
}

interface Options {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** Findings that wait to be recorded, at most; each is in the log all the same. */
const maxWaiting = 64;

export function watchFlows(
  { detect, threat_detection: planned }: Pick<Config, "detect" | "threat_detection">,
  { journal, clock, log }: Options,
): FlowWatch {
  if (detect.flows === "off") return { stop: () => Promise.resolve() };
  const { window: windowMs, exchanges, burst: burstBytes, alert_on_latency_spike: asked } = detect.flows;
  const flows = new PeerFlows({
    windowMs,
    exchanges,
    burstBytes,
    alertsOnLatency: alertsOn(planned?.alert_on_latency_spike === true ? true : asked),
  });
  let writing: Promise<void> = Promise.resolve();
  let waiting = 0;
  let hasFailed = false;
  const record = (finding: FlowFinding): void => {
    const { says, peer, direction, kind, severity } = finding;
    log.warn("flow.finding", { peer, direction, kind, severity, says });
    if (waiting >= maxWaiting) return;
    waiting++;
    writing = writing
      .then(async () => void (await journal.append(entryOf(finding, clock.nowUnixMs()))))
      .catch((error: unknown) => {
        log.error("flows.unrecorded", { reason: error instanceof Error ? error.message : "unknown" });
      })
      .finally(() => waiting--);
  };
  return {
    // INVARIANT: no call fails because of what is made of it here.
    onExchange: ({ direction, peer, ...message }) => {
      try {
        for (const finding of flows.see({ direction, peer }, message, clock.nowUnixMs())) record(finding);
      } catch (error) {
        if (!hasFailed)
          log.error("flows.failed", { reason: error instanceof Error ? error.message : "unknown" });
        hasFailed = true;
      }
    },
    stop: () => writing,
  };
}

function alertsOn(asked: boolean | readonly string[]): (hop: Hop) => boolean {
  if (typeof asked === "boolean") return () => asked;
  // A forward server's peers are its name and an address.
  return ({ direction, peer }) => direction === "outgoing" && asked.includes(peer.split(" ", 1)[0] ?? "");
}

function entryOf(finding: FlowFinding, nowUnixMs: number): EntryDraft {
  const { peer, direction, kind, severity, says, risk, exchanges, up, down } = finding;
  return {
    event: "flow.finding",
    atUnixMs: nowUnixMs,
    callId: randomUUIDv7(),
    principal: peer,
    tool: null,
    outcome: "allowed",
    facts: {
      kind,
      severity,
      direction,
      says,
      ...(risk !== undefined && { risk: risk.toFixed(2) }),
      exchanges: String(exchanges),
      up: String(Math.round(up)),
      down: String(Math.round(down)),
    },
  };
}
