/** What the audit log says of links that were weaker than before, and of operators who accepted that. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import type { PeerName, PeerStore } from "../host/store/state-peers.ts";
import { type Counted, RepeatLedger } from "../identity/refusal-ledger.ts";
import type { Evidence, Observation } from "../identity/peer-memory.ts";
import { inShort, type PeerTerms, type Regression } from "../identity/regressions.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft } from "../model/entry.ts";

/** One link to be judged. */
export interface JudgedLink extends PeerName {
  readonly seen: Observation;
  readonly terms: PeerTerms;
  readonly evidence: Evidence;
  /** IP address and port. */
  readonly remote: string;
}

export interface RegressionRecords {
  readonly found: (link: JudgedLink, found: readonly Regression[], verdict: "refuse" | "flag") => void;
  /** Writes the changes that operators accepted and that aren't in the log yet. */
  readonly accepted: () => void;
  /** Writes what was only counted so far. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly state: { readonly peers: Pick<PeerStore, "unrecorded" | "recorded"> };
  readonly journal: Journal;
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Found {
  readonly peer: string;
  readonly verdict: "refuse" | "flag";
  readonly facts: Readonly<Record<string, string>>;
}

/** How often what is left is looked after. */
const lookEveryMs = 5000;

export function regressionRecords({ state, journal, spiffeId, clock, log }: Options): RegressionRecords {
  const ledger = new RepeatLedger<Found>(({ peer, verdict, facts }) => [
    peer,
    verdict,
    facts["direction"] ?? "",
    facts["regressions"] ?? "",
  ]);
  let writing: Promise<void> = Promise.resolve();
  /** One after the other, so that nothing is written twice. */
  const inTurn = (work: () => Promise<void>): void => {
    writing = writing.then(work).catch((error: unknown) => {
      log.error("peers.unrecorded", { reason: error instanceof Error ? error.message : "unknown" });
    });
  };
  const write = (found: readonly Counted<Found>[]): void => {
    for (const each of found)
      inTurn(async () => void (await journal.append(foundEntry(each, clock.nowUnixMs()))));
  };
  const accepted = (): void =>
    inTurn(async () => {
      for (const { id, callId, facts } of state.peers.unrecorded()) {
        log.warn("link.accepted", facts);
        await journal.append({
          event: "link.accept",
          atUnixMs: clock.nowUnixMs(),
          callId,
          principal: spiffeId,
          tool: null,
          outcome: "allowed",
          facts,
        });
        state.peers.recorded(id);
      }
    });
  const timer = setInterval(() => {
    write(ledger.due(clock.nowUnixMs()));
    accepted();
  }, lookEveryMs).unref();
  return {
    accepted,
    found: (link, found, verdict) => {
      const facts = factsOf(link, found, verdict);
      log.warn("link.regressed", { peer: link.peer, ...facts });
      const due = ledger.see({ peer: link.peer, verdict, facts }, clock.nowUnixMs());
      if (due !== undefined) write([due]);
    },
    stop: async () => {
      clearInterval(timer);
      write(ledger.due(Number.POSITIVE_INFINITY));
      await writing;
    },
  };
}

function factsOf(
  { direction, seen, remote, evidence }: JudgedLink,
  found: readonly Regression[],
  verdict: "refuse" | "flag",
): Readonly<Record<string, string>> {
  const [first] = found;
  const { fingerprint } = seen.offer ?? {};
  return {
    direction,
    verdict,
    regressions: inShort(found),
    ...(first && { from: first.from, to: first.to, since: new Date(first.sinceUnixMs).toISOString() }),
    says: found.map(({ says }) => says).join(" "),
    "link.group": seen.group,
    ...(fingerprint && { ja4: fingerprint.ja4, groups: fingerprint.groups }),
    ...(evidence === "unproven" && { evidence }),
    remote,
  };
}

function foundEntry({ peer, verdict, facts, times }: Counted<Found>, nowUnixMs: number): EntryDraft {
  return {
    event: "link.regressed",
    atUnixMs: nowUnixMs,
    callId: randomUUIDv7(),
    principal: peer,
    tool: null,
    outcome: verdict === "refuse" ? "denied" : "allowed",
    facts: { ...facts, times: String(times) },
  };
}
