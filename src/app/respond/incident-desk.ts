/**
 * Incidents while the gateway runs: made of entries as they are written, kept in the state database, told in the log and
 * in the audit log. What is opened is on disk at once; what it grows by, within a second.
 */
import { randomBytes } from "node:crypto";

import type { Journal } from "../../gate/ports.ts";
import { type HeldBackRow, type IncidentRecord, openIncidents } from "../../host/store/state-incidents.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { alertBudget } from "../../respond/incidents/alert-budget.ts";
import type { Incident } from "../../respond/incidents/incident.ts";
import { type HeldBack, IncidentWatch, type Told } from "../../respond/incidents/incident-watch.ts";
import { targetOf } from "../../respond/incidents/incident.ts";
import { incidentFacts } from "../../respond/incidents/story.ts";
import { incidentScore } from "../../respond/signal-kinds.ts";
import type { IncidentSettings } from "../config/incidents.ts";
import { recordTurns } from "../record-turns.ts";

export interface IncidentDesk {
  /** One entry more was written. Never throws. */
  readonly see: (entry: EntryDraft) => void;
  /** From now on its own entries are written there. */
  readonly recordIn: (journal: Journal) => void;
  /** How many are open. */
  readonly openCount: () => number;
  /** Nothing names these callers any more. */
  readonly forget: (callers: readonly string[]) => void;
  /** Takes up what commands changed, closes what has been quiet, writes what is due. Never throws. */
  readonly sweep: () => void;
  readonly stop: () => Promise<void>;
}

interface Options {
  /** The state database. */
  readonly database: string;
  readonly settings: IncidentSettings;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Log;
}

const sweepEveryMs = 1000;
const dayMs = 86_400_000;
/** How often the audit log is told that an incident grew. */
const updateEveryMs = 600_000;
/** What is held back between two sweeps, at most, to be listed; the others are counted. */
const maxWaiting = 1000;

/** @throws Refusal `bad_state` if the database can't be read */
export function openIncidentDesk(options: Options): IncidentDesk {
  const { database, settings, clock } = options;
  const store = openIncidents(database);
  const nowUnixMs = clock.nowUnixMs();
  const budget = alertBudget(
    { perDay: settings.per_day, falseShare: settings.false_share, leastScore: incidentScore },
    store.spentSince(nowUnixMs - dayMs),
  );
  const newId = (): string => randomBytes(8).toString("hex");
  const terms = { budget, leastScore: incidentScore, quietMs: settings.quiet, newId };
  const watch = new IncidentWatch(terms, store.list("open", maxKnown));
  return new RunningDesk(options, store, watch);
}

/** More than can be open. */
const maxKnown = 2000;

class RunningDesk implements IncidentDesk {
  readonly #options: Options;
  readonly #store: ReturnType<typeof openIncidents>;
  readonly #watch: IncidentWatch;
  readonly #timer: NodeJS.Timeout;
  /** Of those that grew since the audit log was told: when it was told last. */
  readonly #toldUnixMs = new Map<string, number>();
  readonly #grown = new Set<string>();
  #heldBack: HeldBackRow[] = [];
  #version = -1;
  #turns: { readonly write: () => void; readonly stop: () => Promise<void> } | undefined;

  constructor(options: Options, store: ReturnType<typeof openIncidents>, watch: IncidentWatch) {
    this.#options = options;
    this.#store = store;
    this.#watch = watch;
    this.#timer = setInterval(() => this.sweep(), sweepEveryMs).unref();
    this.#takeUp();
  }

  readonly see = (entry: EntryDraft): void => {
    this.#safely(() => {
      const nowUnixMs = this.#options.clock.nowUnixMs();
      this.#tell(this.#watch.see(entry, nowUnixMs), nowUnixMs);
    });
  };

  readonly recordIn = (journal: Journal): void => {
    const { gatewayId, clock, log } = this.#options;
    const writeAll = async (): Promise<void> => {
      for (const { id, ...record } of this.#store.unrecorded()) {
        await journal.append(draftOf(record, gatewayId, clock.nowUnixMs()));
        this.#store.recorded(id);
      }
    };
    const write = (): void => turns.inTurn(writeAll);
    const turns = recordTurns({ failure: "incidents.unrecorded", look: write, log });
    this.#turns = { write, stop: turns.stop };
    write();
  };

  readonly openCount = (): number => this.#watch.open.size;

  readonly forget = (callers: readonly string[]): void => {
    this.#watch.forget(callers);
    this.#heldBack = this.#heldBack.filter(({ caller }) => caller === undefined || !callers.includes(caller));
  };

  readonly sweep = (): void => {
    this.#safely(() => {
      const nowUnixMs = this.#options.clock.nowUnixMs();
      if (this.#store.version() !== this.#version) this.#takeUp();
      this.#keep(nowUnixMs);
      for (const incident of this.#watch.quiet(nowUnixMs)) this.#close(incident, nowUnixMs);
      this.#turns?.write();
    });
  };

  readonly stop = async (): Promise<void> => {
    clearInterval(this.#timer);
    this.#safely(() => this.#keep(this.#options.clock.nowUnixMs()));
    await this.#turns?.stop();
    this.#store.end();
  };

  #tell({ opened, changed, heldBack }: Told, nowUnixMs: number): void {
    for (const incident of opened) {
      this.#store.open(incident, this.#record("incident.open", incident, nowUnixMs));
      this.#toldUnixMs.set(incident.id, nowUnixMs);
      const { id, title, score } = incident;
      this.#options.log.warn("incident.opened", { incident: id, title, score });
    }
    for (const { id } of changed) this.#grown.add(id);
    for (const each of heldBack) if (this.#heldBack.length < maxWaiting) this.#heldBack.push(rowOf(each));
    if (opened.length > 0) this.#turns?.write();
  }

  /** INVARIANT: one that a person closed meanwhile stays closed. */
  #keep(nowUnixMs: number): void {
    const grown = [...this.#grown].flatMap((id) => this.#watch.open.get(id) ?? []);
    const due = grown.filter(({ id }) => (this.#toldUnixMs.get(id) ?? 0) + updateEveryMs <= nowUnixMs);
    if (grown.length > 0) {
      this.#store.update(
        grown,
        due.map((each) => this.#record("incident.update", each, nowUnixMs)),
      );
      this.#grown.clear();
    }
    for (const { id } of due) this.#toldUnixMs.set(id, nowUnixMs);
    if (this.#heldBack.length > 0) this.#store.holdBack(this.#heldBack.splice(0));
  }

  /** What commands did. */
  #takeUp(): void {
    this.#version = this.#store.version();
    this.#watch.suppress(this.#store.suppressions());
    const open = new Set(this.#store.list("open", maxKnown).map(({ id }) => id));
    for (const id of [...this.#watch.open.keys()].filter((each) => !open.has(each))) {
      this.#watch.drop(id);
      this.#toldUnixMs.delete(id);
    }
  }

  #close(incident: Incident, nowUnixMs: number): void {
    const closed: Incident = {
      ...incident,
      state: "closed",
      closedUnixMs: nowUnixMs,
      closedBy: "quiet",
      closedBecause: "Nothing was added to it for a while.",
    };
    this.#store.close(closed, this.#record("incident.close", closed, nowUnixMs));
    this.#toldUnixMs.delete(incident.id);
    this.#options.log.info("incident.closed", { incident: incident.id, title: incident.title });
  }

  #record(event: IncidentRecord["event"], incident: Incident, nowUnixMs: number): IncidentRecord {
    return { event, atUnixMs: nowUnixMs, ...incidentFacts(incident, this.#options.gatewayId) };
  }

  /** INVARIANT: no call fails because of what is made of it here. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error("incidents.fault", {
        reason: error instanceof Error ? error.message : "unknown",
      });
    }
  }
}

function rowOf({ signal, threshold, why }: HeldBack): HeldBackRow {
  const { atUnixMs, kind, score, about, source, callId, says } = signal;
  const target = targetOf(signal);
  return {
    atUnixMs,
    kind,
    score,
    threshold: Math.round(threshold * 1000) / 1000,
    why,
    callId,
    says,
    ...(about.caller !== undefined && { caller: about.caller }),
    ...(target !== undefined && { target }),
    ...(source !== undefined && { source }),
  };
}

function draftOf(
  { event, callId, principal, tool, facts, atUnixMs }: IncidentRecord & { readonly callId: string },
  gatewayId: string,
  nowUnixMs: number,
): EntryDraft {
  return {
    event,
    atUnixMs: nowUnixMs,
    callId,
    // Of what commands did nobody but the gateway is to be named.
    principal: principal === "" ? gatewayId : principal,
    tool,
    outcome: "allowed",
    facts: { ...facts, happened_at: new Date(atUnixMs).toISOString() },
  };
}
