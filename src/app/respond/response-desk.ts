/**
 * The one place where what is done about findings changes the world: restrictions begin, are renewed, become milder and
 * end here, whoever asked for it, and each of these is an entry of the audit log.
 */
import type { Journal } from "../../gate/ports.ts";
import { openProfiles } from "../../host/store/state-profiles.ts";
import { openResponses, type ResponseEvent, type ResponseStore } from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { Restriction } from "../../respond/restriction.ts";
import { recordTurns } from "../record-turns.ts";
import { lastingResponses } from "./lasting-responses.ts";
import { type Asked, enact, factsOf, lift, type Moment, passOn, tellMoment, type Why } from "./changes.ts";

export type { Asked } from "./changes.ts";

export interface ResponseDesk {
  /**
   * In force for the next call when it returns, and on disk if that can be; else as soon as it can, and the log says so.
   * @throws Refusal `bad_config` for what can't be about that, `busy` where no more are taken
   */
  readonly enact: (asked: Asked) => Restriction;
  /** Done when it returns. @throws Refusal `bad_config` */
  readonly act: (moment: Moment) => void;
  /** @returns whether there was one in force */
  readonly lift: (id: string, why: Why) => boolean;
  /** Only puts it on record. */
  readonly tell: (event: ResponseEvent) => void;
  /** Those in force, oldest first. */
  readonly restrictions: () => readonly Restriction[];
  /** Whether another process changed some; takes them up. */
  readonly refresh: () => void;
  /** Has `act` told of each change of this process's own. */
  readonly onChange: (act: () => void) => void;
  /** Ends those that are over, and writes into the audit log what isn't there yet. Never throws. */
  readonly sweep: () => void;
  readonly stop: () => Promise<void>;
}

interface Options {
  /** The state database. */
  readonly database: string;
  readonly journal: Journal;
  /** The gateway's SPIFFE ID. */
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** No call waits longer for a command that holds the database: what is done counts in memory meanwhile. */
const patienceMs = 50;

/** @throws Refusal `bad_state` if the database can't be read */
export function openResponseDesk({ database, journal, gatewayId, clock, log }: Options): ResponseDesk {
  const rows = openResponses(database, patienceMs);
  const store = lastingResponses(rows, log);
  let known = store.restrictions();
  let changed = (): void => {};
  const records = responseRecords(rows, { journal, gatewayId, clock, log });
  const takeUp = (): void => {
    known = store.restrictions();
    changed();
    records.write();
  };
  const sweep = (): void => {
    store.save();
    try {
      if (passOn(store, known, clock.nowUnixMs())) takeUp();
    } catch (error) {
      // They are over by their own times all the same.
      log.error("response.unswept", { reason: error instanceof Error ? error.message : "unknown" });
    }
    records.write();
  };
  return {
    enact: (asked) => {
      if (asked.scope.caller === gatewayId) throw ofItself();
      const nowUnixMs = clock.nowUnixMs();
      const restriction = enact(store, asked, nowUnixMs, known);
      log.warn("response.act", factsOf(restriction, nowUnixMs));
      takeUp();
      return restriction;
    },
    act: (moment) => {
      const nowUnixMs = clock.nowUnixMs();
      if (moment.action === "rotate_keys") askForFreshKeys(database, nowUnixMs);
      tellMoment(store, moment, nowUnixMs);
      log.warn("response.act", { action: moment.action, because: moment.because, by: moment.by });
      records.write();
    },
    lift: (id, why) => {
      const restriction = known.find((each) => each.id === id);
      if (restriction === undefined) return false;
      const was = lift(store, restriction, why, clock.nowUnixMs());
      takeUp();
      return was;
    },
    tell: (event) => {
      store.tell(event);
      records.write();
    },
    restrictions: () => known,
    refresh: () => void (known = store.restrictions()),
    onChange: (act) => (changed = act),
    sweep,
    stop: async () => {
      store.stop();
      await records.stop();
      rows.close();
    },
  };
}

export function ofItself(): Refusal {
  return new Refusal("bad_config", 'That is the gateway itself; "latticegate kill on" stops all calls.');
}

/** As `crypto rotate tls`: the gateway that runs follows within a moment. */
export function askForFreshKeys(database: string, nowUnixMs: number): void {
  const profiles = openProfiles(database);
  try {
    profiles.askForFreshKeys(nowUnixMs, { atUnixMs: nowUnixMs, what: "rotate_tls", facts: {} });
  } finally {
    profiles.close();
  }
}

function responseRecords(
  store: ResponseStore,
  { journal, gatewayId, clock, log }: Omit<Options, "database">,
): { readonly write: () => void; readonly stop: () => Promise<void> } {
  /** In the log, and not yet forgotten in the database. */
  const written = new Set<number>();
  const writeAll = async (): Promise<void> => {
    for (const event of store.unrecorded()) {
      if (!written.has(event.id)) await journal.append(draftOf(event, gatewayId, clock.nowUnixMs()));
      written.add(event.id);
      store.recorded(event.id);
      written.delete(event.id);
    }
  };
  const write = (): void => turns.inTurn(writeAll);
  const turns = recordTurns({ failure: "responses.unrecorded", look: write, log });
  return { write, stop: turns.stop };
}

function draftOf(
  event: ResponseEvent & { readonly callId: string },
  gatewayId: string,
  nowUnixMs: number,
): EntryDraft {
  const { event: name, callId, principal = gatewayId, tool = null, outcome = "allowed", facts } = event;
  const happened = new Date(event.atUnixMs).toISOString();
  return {
    event: name,
    atUnixMs: nowUnixMs,
    callId,
    principal,
    tool,
    outcome,
    facts: { ...facts, happened_at: happened },
  };
}
