/**
 * The one place where what is done about findings changes the world: restrictions begin, are renewed, become milder and
 * end here, whoever asked for it, and each of these is an entry of the audit log.
 */
import { randomBytes } from "node:crypto";

import type { Journal } from "../../gate/ports.ts";
import { openResponses, type ResponseEvent, type ResponseStore } from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { type Restriction, type Scope, stageAt } from "../../respond/restriction.ts";
import { recordTurns } from "../record-turns.ts";

/** A restriction that is asked for. */
export type Asked = Pick<Restriction, "scope" | "stages" | "because" | "by" | "incident" | "cause">;

export interface ResponseDesk {
  /** On disk, and in force for the next call, when it returns. */
  readonly enact: (asked: Asked) => Restriction;
  /** @returns whether there was one in force */
  readonly lift: (id: string, why: { readonly by: string; readonly because: string }) => boolean;
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

/** @throws Refusal `bad_state` if the database can't be read */
export function openResponseDesk({ database, journal, gatewayId, clock, log }: Options): ResponseDesk {
  const store = openResponses(database);
  let known = store.restrictions();
  let changed = (): void => {};
  const records = responseRecords(store, { journal, gatewayId, clock, log });
  const takeUp = (): void => {
    known = store.restrictions();
    changed();
    records.write();
  };
  const sweep = (): void => {
    try {
      if (endOver(store, known, clock.nowUnixMs())) takeUp();
    } catch (error) {
      // They are over by their own times all the same.
      log.error("response.unswept", { reason: error instanceof Error ? error.message : "unknown" });
    }
    records.write();
  };
  return {
    enact: (asked) => {
      const nowUnixMs = clock.nowUnixMs();
      const before = known.find((each) => isSame(each, asked) && stageAt(each, nowUnixMs) !== undefined);
      const restriction: Restriction = before
        ? { ...before, stages: asked.stages }
        : { ...asked, id: randomBytes(8).toString("hex"), sinceUnixMs: nowUnixMs };
      const event = before ? "response.renew" : "response.act";
      store.put(restriction, eventOf(event, restriction, nowUnixMs));
      log.warn(event, factsOf(restriction, nowUnixMs));
      takeUp();
      return restriction;
    },
    lift: (id, why) => {
      const nowUnixMs = clock.nowUnixMs();
      const restriction = known.find((each) => each.id === id);
      if (restriction === undefined) return false;
      const was = store.remove(id, eventOf("response.lift", restriction, nowUnixMs, why));
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
      await records.stop();
      store.close();
    },
  };
}

/** The same thing done to the same for the same reason is done longer, not twice. */
function isSame(a: Restriction, { scope, by, stages }: Asked): boolean {
  return a.by === by && a.stages[0]?.kind === stages[0]?.kind && scopeKey(a.scope) === scopeKey(scope);
}

function scopeKey({ caller, session, server, tool }: Scope): string {
  return JSON.stringify([caller, session, server, tool]);
}

/** @returns whether something was over */
function endOver(store: ResponseStore, known: readonly Restriction[], nowUnixMs: number): boolean {
  const over = known.filter((each) => stageAt(each, nowUnixMs) === undefined);
  for (const restriction of over) {
    const why = { by: "expiry", because: "Its time is over." };
    store.remove(restriction.id, eventOf("response.lift", restriction, nowUnixMs, why));
  }
  return over.length > 0;
}

function eventOf(
  event: ResponseEvent["event"],
  restriction: Restriction,
  nowUnixMs: number,
  why: Readonly<Record<string, string>> = {},
): ResponseEvent {
  const { caller, server, tool } = restriction.scope;
  return {
    event,
    atUnixMs: nowUnixMs,
    ...(caller !== undefined && { principal: caller }),
    ...(server !== undefined && tool !== undefined && { tool: `${server}/${tool}` }),
    facts: { ...factsOf(restriction, nowUnixMs), ...why },
  };
}

function factsOf(restriction: Restriction, nowUnixMs: number): Record<string, string> {
  const { id, scope, stages, because, by, incident, cause } = restriction;
  const now = stageAt(restriction, nowUnixMs) ?? stages.at(-1);
  const next = now && stages[stages.indexOf(now) + 1];
  return {
    response: id,
    ...(now && { action: now.kind, until: new Date(now.untilUnixMs).toISOString() }),
    ...(next && { next: next.kind }),
    ...Object.fromEntries(Object.entries(scope).filter(([name]) => name !== "tool")),
    because,
    by,
    ...(incident !== undefined && { incident }),
    ...(cause !== undefined && { cause }),
  };
}

function responseRecords(
  store: ResponseStore,
  { journal, gatewayId, clock, log }: Omit<Options, "database">,
): { readonly write: () => void; readonly stop: () => Promise<void> } {
  const writeAll = async (): Promise<void> => {
    for (const event of store.unrecorded()) {
      await journal.append(draftOf(event, gatewayId, clock.nowUnixMs()));
      store.recorded(event.id);
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
