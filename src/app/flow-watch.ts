/** Watches the flows and handshakes of a running gateway's links: what is unlike what a peer did before is logged and recorded. */
import { randomUUIDv7 } from "node:crypto";

import { groupNumbered } from "../crypto/suites/key-exchange.ts";
import { type FlowFinding, type Hop, type LiveTerms, PeerFlows } from "../detect/flows/peer-flows.ts";
import {
  type HandshakeFinding,
  PeerHandshakes,
  type SeenHandshake,
} from "../detect/handshakes/peer-handshakes.ts";
import type { Journal } from "../gate/ports.ts";
import type { OnExchange } from "../host/net/flow-meter.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft } from "../model/entry.ts";
import { type Channel, nameOf } from "../model/channel.ts";
import type { FlowSettings } from "./config/detect.ts";
import type { Config } from "./config.ts";
import type { PeerWatch } from "./peer-watch.ts";

export interface FlowWatch {
  /** Absent where flows aren't watched. */
  readonly onExchange?: OnExchange | undefined;
  /** A link came up whose peer was proven; absent where handshakes aren't watched. Never throws. */
  readonly onLink?: (channel: Channel) => void;
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
  const { record, stop } = findingRecords({ journal, clock, log });
  const asked = detect.flows === "off" ? false : detect.flows.alert_on_latency_spike;
  const latency = planned?.alert_on_latency_spike === true ? true : asked;
  let hasFailed = false;
  // INVARIANT: no call or link fails because of what is made of it here.
  const watched = (look: () => readonly Found[]): void => {
    try {
      for (const finding of look()) record(finding);
    } catch (error) {
      if (!hasFailed)
        log.error("flows.failed", { reason: error instanceof Error ? error.message : "unknown" });
      hasFailed = true;
    }
  };
  const flows = detect.flows === "off" ? undefined : peerFlows(detect.flows, alertsOn(latency));
  const handshakes = detect.handshakes ? new PeerHandshakes(latency === true) : undefined;
  return {
    ...(flows && {
      onExchange: ({ direction, peer, ...message }) =>
        watched(() => flows.see({ direction, peer }, message, clock.nowUnixMs())),
    }),
    ...(handshakes && {
      onLink: (channel) =>
        watched(() => {
          const seen = handshakeOf(channel);
          return seen === undefined ? [] : handshakes.see(nameOf(channel), seen, clock.nowUnixMs());
        }),
    }),
    stop,
  };
}

function peerFlows(
  { window: windowMs, exchanges, burst: burstBytes }: FlowSettings,
  alertsOnLatency: LiveTerms["alertsOnLatency"],
): PeerFlows {
  return new PeerFlows({ windowMs, exchanges, burstBytes, alertsOnLatency });
}

/** Of a link whose hello was seen, and whose peer is proven by the handshake. */
function handshakeOf({ peer, offer, group }: Channel): SeenHandshake | undefined {
  if (peer.kind !== "svid" || offer === undefined) return undefined;
  const { keyShares, fingerprint, failedBefore = 0, tookMs } = offer;
  return {
    // The first part changes with the name and the protocol that are asked for.
    client: fingerprint.ja4.split("_").slice(1).join("_"),
    isRetried: !keyShares.some((id) => groupNumbered(id)?.id === group),
    failedBefore,
    ...(tookMs !== undefined && { tookMs }),
  };
}

type Found = FlowFinding | HandshakeFinding;

function findingRecords({ journal, clock, log }: Options): {
  readonly record: (finding: Found) => void;
  readonly stop: () => Promise<void>;
} {
  let writing: Promise<void> = Promise.resolve();
  let waiting = 0;
  return {
    record: (finding) => {
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
    },
    stop: () => writing,
  };
}

function alertsOn(asked: boolean | readonly string[]): (hop: Hop) => boolean {
  if (typeof asked === "boolean") return () => asked;
  // A forward server's peers are its name and an address.
  return ({ direction, peer }) => direction === "outgoing" && asked.includes(peer.split(" ", 1)[0] ?? "");
}

function entryOf(finding: Found, nowUnixMs: number): EntryDraft {
  const { peer, direction, kind, severity, says } = finding;
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
      ...("exchanges" in finding && volumesOf(finding)),
    },
  };
}

function volumesOf({ risk, exchanges, up, down }: FlowFinding): EntryDraft["facts"] {
  return {
    ...(risk !== undefined && { risk: risk.toFixed(2) }),
    exchanges: String(exchanges),
    up: String(Math.round(up)),
    down: String(Math.round(down)),
  };
}
