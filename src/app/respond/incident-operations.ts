/** What people do about incidents: commands and the API, whether the gateway runs or not; one that runs follows within a second. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";

import {
  type HeldBackRow,
  type IncidentRecord,
  type IncidentStore,
  openIncidents,
} from "../../host/store/state-incidents.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Incident } from "../../respond/incidents/incident.ts";
import { incidentFacts, type Story, storyOf } from "../../respond/incidents/story.ts";
import { type Suppression, whyNoSuppression } from "../../respond/incidents/suppression.ts";
import { statePaths } from "../state-folder.ts";

/** Whose incidents. */
export interface IncidentPlace {
  /** The gateway's state folder. */
  readonly state: string;
  readonly clock: Clock;
}

/** An incident with its story. */
export interface ShownIncident {
  readonly incident: Incident;
  readonly story: Story;
}

const maxListed = 500;

/** Newest first. */
export function listIncidents(
  place: IncidentPlace,
  { all }: { readonly all: boolean },
): readonly ShownIncident[] {
  return withIncidents(
    place,
    (store) =>
      store.list(all ? "all" : "open", maxListed).map((incident) => ({ incident, story: storyOf(incident) })),
    () => [],
  );
}

/** @throws Refusal `bad_state` if there is none */
export function showIncident(place: IncidentPlace, id: string): ShownIncident {
  const incident = withIncidents(place, (store) => store.of(id), refuse(unknown(id)));
  if (incident === undefined) throw unknown(id);
  return { incident, story: storyOf(incident) };
}

/** @throws Refusal `bad_state` if there is none that is open */
export function closeIncident(
  place: IncidentPlace,
  id: string,
  { by, because }: { readonly by: string; readonly because: string },
): Incident {
  const nowUnixMs = place.clock.nowUnixMs();
  return withIncidents(
    place,
    (store) => {
      const incident = store.of(id);
      if (incident === undefined) throw unknown(id);
      const closed: Incident = {
        ...incident,
        state: "closed",
        closedUnixMs: nowUnixMs,
        closedBy: by,
        closedBecause: because,
      };
      // The gateway's name is known to the gateway alone.
      const record: IncidentRecord = {
        event: "incident.close",
        atUnixMs: nowUnixMs,
        ...incidentFacts(closed, ""),
      };
      if (store.close(closed, record)) return closed;
      throw new Refusal("bad_state", `Incident ${id} is closed already.`);
    },
    refuse(unknown(id)),
  );
}

export type AskedSuppression = Omit<Suppression, "id" | "sinceUnixMs">;

/** @throws Refusal `bad_config` that says why it can't be */
export function suppressSignals(place: IncidentPlace, asked: AskedSuppression): Suppression {
  const nowUnixMs = place.clock.nowUnixMs();
  const why = whyNoSuppression(asked, nowUnixMs);
  if (why !== undefined) throw new Refusal("bad_config", `Nothing is suppressed: ${why}.`);
  const suppression: Suppression = {
    ...asked,
    id: randomBytes(8).toString("hex"),
    sinceUnixMs: nowUnixMs,
  };
  return withIncidents(
    place,
    (store) => {
      if (standing(store, nowUnixMs).length >= maxSuppressions)
        throw new Refusal("bad_state", `There are ${maxSuppressions} suppressions already; lift some.`);
      store.suppress(suppression, suppressionRecord(suppression, "suppressed", nowUnixMs));
      return suppression;
    },
    refuse(new Refusal("bad_state", `${place.state} holds no gateway yet; start it first.`)),
  );
}

/** Each costs a look at every signal. */
const maxSuppressions = 1000;

/** Those that are in force. */
export function suppressionsIn(place: IncidentPlace): readonly Suppression[] {
  return withIncidents(
    place,
    (store) => standing(store, place.clock.nowUnixMs()),
    () => [],
  );
}

function standing(store: IncidentStore, nowUnixMs: number): readonly Suppression[] {
  return store.suppressions().filter(({ untilUnixMs }) => nowUnixMs < untilUnixMs);
}

/** @throws Refusal `bad_state` if there is none */
export function liftSuppression(
  place: IncidentPlace,
  id: string,
  { by, because }: { readonly by: string; readonly because: string },
): void {
  const nowUnixMs = place.clock.nowUnixMs();
  const was = withIncidents(
    place,
    (store) =>
      store.lift(id, (suppression) =>
        suppressionRecord({ ...suppression, by, because }, "lifted", nowUnixMs),
      ),
    () => false,
  );
  if (!was)
    throw new Refusal(
      "bad_state",
      `There is no suppression "${id}"; "latticegate incidents suppressions" has them.`,
    );
}

/** What models said and nobody was told, newest first; and how much of that there ever was. */
export function heldBackIn(place: IncidentPlace): {
  readonly rows: readonly HeldBackRow[];
  readonly total: number;
} {
  return withIncidents(
    place,
    (store) => store.heldBack(maxListed),
    () => ({ rows: [], total: 0 }),
  );
}

function suppressionRecord(
  { id, kind, caller, tool, source, untilUnixMs, because, by }: Suppression,
  state: "suppressed" | "lifted",
  nowUnixMs: number,
): IncidentRecord {
  return {
    event: "incident.suppress",
    atUnixMs: nowUnixMs,
    principal: "",
    tool: tool ?? null,
    facts: {
      suppression: id,
      state,
      kinds: kind.replaceAll(" ", ":"),
      ...(caller !== undefined && { caller }),
      ...(source !== undefined && { source }),
      until: new Date(untilUnixMs).toISOString(),
      because,
      by,
    },
  };
}

function unknown(id: string): Refusal {
  return new Refusal("bad_state", `There is no incident "${id}"; "latticegate incidents list" has them.`);
}

/** @param none what there is where there is no state yet; throws if that is no answer */
function withIncidents<T>({ state }: IncidentPlace, work: (store: IncidentStore) => T, none: () => T): T {
  const { database } = statePaths(state);
  if (!existsSync(database)) return none();
  const store = openIncidents(database);
  try {
    return work(store);
  } finally {
    store.end();
  }
}

function refuse(refusal: Refusal): () => never {
  return () => {
    throw refusal;
  };
}
