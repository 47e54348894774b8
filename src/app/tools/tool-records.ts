/** What the audit log says of servers' tools: what was found of them, and what operators decided. */
import type { Journal } from "../../gate/ports.ts";
import type { ToolStore, UnrecordedToolEvent } from "../../host/store/state-tools.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { recordTurns } from "../record-turns.ts";

export interface ToolRecords {
  /** Writes what isn't in the log yet, also what commands did while nobody ran. Never rejects. */
  readonly write: () => void;
  /** Resolves when nothing is under way. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly store: Pick<ToolStore, "unrecorded" | "recorded">;
  readonly journal: Journal;
  /** Who keeps the pins. */
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A crash between the two writes an entry twice, with one call id; never not at all. */
export function toolRecords({ store, journal, spiffeId, clock, log }: Options): ToolRecords {
  const writeAll = async (): Promise<void> => {
    for (const event of store.unrecorded()) {
      await journal.append(entryOf(event, spiffeId, clock.nowUnixMs()));
      store.recorded(event.id);
      const fields = {
        server: event.server,
        ...(event.tool !== null && { tool: event.tool }),
        ...event.facts,
      };
      if (isBlocked(event)) log.warn("tools.finding", fields);
      else log.info(event.event === "tools.finding" ? "tools.finding" : "tools.changed", fields);
    }
  };
  const write = (): void => turns.inTurn(writeAll);
  const turns = recordTurns({ failure: "tools.unrecorded", look: write, log });
  return { write, stop: turns.stop };
}

function entryOf(
  { event, callId, server, tool, facts, atUnixMs }: UnrecordedToolEvent,
  principal: string,
  nowUnixMs: number,
): EntryDraft {
  return {
    event,
    atUnixMs: nowUnixMs,
    callId,
    principal,
    tool: tool === null ? null : `${server}/${tool}`,
    outcome: isBlocked({ facts }) ? "denied" : "allowed",
    facts: { server, ...facts, found_at: new Date(atUnixMs).toISOString() },
  };
}

function isBlocked({ facts }: Pick<UnrecordedToolEvent, "facts">): boolean {
  return facts["blocked"] === "true";
}
