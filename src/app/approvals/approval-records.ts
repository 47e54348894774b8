/** What the audit log says of held calls: that people were asked, what they decided, and that an approval was used. */
import type { Journal } from "../../gate/ports.ts";
import type { UnrecordedApprovalEvent } from "../../host/store/approval-rows.ts";
import type { ApprovalStore } from "../../host/store/state-approvals.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft, EntryOutcome } from "../../model/entry.ts";
import { recordTurns } from "../record-turns.ts";

export interface ApprovalRecords {
  /** Writes what isn't in the log yet, also what commands did while nobody ran. Never rejects. */
  readonly write: () => void;
  /** Resolves when nothing is under way. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly store: Pick<ApprovalStore, "unrecorded" | "recorded" | "sweep">;
  readonly journal: Journal;
  /** Whose log it is. */
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A crash between the two writes an entry twice, with one call id; never not at all. */
export function approvalRecords({ store, journal, spiffeId, clock, log }: Options): ApprovalRecords {
  const writeAll = async (): Promise<void> => {
    for (const event of store.unrecorded()) {
      await journal.append(entryOf(event, spiffeId, clock.nowUnixMs()));
      store.recorded(event.id);
      const { request = "", decision = "", by = "" } = event.facts;
      log.info(event.event, { request, ...(decision !== "" && { decision }), ...(by !== "" && { by }) });
    }
  };
  const write = (): void => turns.inTurn(writeAll);
  const look = (): void => {
    try {
      store.sweep(clock.nowUnixMs());
    } catch (error) {
      // Whoever asks about a request looks at its time anyway; tried again at the next tick.
      log.error("approvals.unswept", { reason: error instanceof Error ? error.message : "unknown" });
    }
    write();
  };
  const turns = recordTurns({ failure: "approvals.unrecorded", look, log });
  return { write, stop: turns.stop };
}

const outcomes = {
  "approval.request": "deferred",
  "approval.use": "allowed",
} as const satisfies Partial<Record<UnrecordedApprovalEvent["event"], EntryOutcome>>;

/** Who asks and who uses an approval is the caller; who decides is named in the facts, and the gateway says so. */
function entryOf(event: UnrecordedApprovalEvent, gateway: string, nowUnixMs: number): EntryDraft {
  const { callId, caller, tool, facts, atUnixMs } = event;
  const isDecision = event.event === "approval.decision";
  const decided = facts["decision"] === "approve" ? "allowed" : "denied";
  const { chain: _, ...withoutChain } = facts;
  return {
    event: event.event,
    atUnixMs: nowUnixMs,
    callId,
    principal: isDecision ? gateway : caller,
    tool,
    outcome: event.event === "approval.decision" ? decided : outcomes[event.event],
    facts: { ...(isDecision ? withoutChain : facts), happened_at: new Date(atUnixMs).toISOString() },
  };
}
