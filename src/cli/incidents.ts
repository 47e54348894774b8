/** `latticegate incidents list | show | close | suppress | suppressions | lift-suppression` */
import { z } from "zod";

import {
  closeIncident,
  heldBackIn,
  type IncidentPlace,
  liftSuppression,
  listIncidents,
  showIncident,
  suppressionsIn,
  suppressSignals,
} from "../app/respond/incident-operations.ts";
import {
  heldBackAnswer,
  incidentAnswer,
  incidentSchema,
  suppressionAnswer,
} from "../app/respond/incident-answers.ts";
import type { Config } from "../app/config.ts";
import type { HeldBackRow } from "../host/store/state-incidents.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDuration } from "../expr/time.ts";
import type { Suppression } from "../respond/incidents/suppression.ts";
import type { Command, CommandCall } from "./command.ts";
import { ask, inPath, roomOptions, roomPlaceOptions } from "./room.ts";
import { listedIncidents, shownIncident } from "./incidents-text.ts";
import { jsonText, shown } from "./tools-text.ts";
import { who } from "./who.ts";

const options = roomOptions;
const because = { type: "string", value: "TEXT", help: "Why; required, it goes on record." } as const;

export const incidentsList = {
  options: {
    ...options,
    all: { type: "boolean", help: "Those that are closed, too." },
    "held-back": {
      type: "boolean",
      help: "Instead, what models said and the budget (response.incidents) had no room for.",
    },
  },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    if (call.flag("held-back")) return await listHeldBack(call);
    const all = call.flag("all");
    const incidents = await ask<ReturnType<typeof listIncidents>>(call, {
      asked: (room) => room.list("/incidents", incidentAnswer, { all: String(all) }),
      here: (config) => listIncidents(placeOf(config), { all }),
    });
    if (call.flag("json")) call.out(jsonText(incidents));
    else for (const line of listedIncidents(incidents)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const incidentsShow = {
  options,
  run: async (call) => {
    const id = oneId(call);
    const found = await ask<ReturnType<typeof showIncident>>(call, {
      asked: (room) => room.get(`/incidents/${inPath(id)}`, incidentAnswer),
      here: (config) => showIncident(placeOf(config), id),
    });
    if (call.flag("json")) call.out(jsonText(found));
    else for (const line of shownIncident(found)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const incidentsClose = {
  options: { ...options, because },
  run: async (call) => {
    const [id, why] = [oneId(call), reason(call)];
    const closed = await ask<ReturnType<typeof closeIncident>>(call, {
      asked: (room) => room.post(`/incidents/${inPath(id)}/close`, { because: why }, incidentSchema),
      here: (config) => closeIncident(placeOf(config), id, { by: operator(), because: why }),
    });
    call.out(call.flag("json") ? jsonText(closed) : `closed: ${closed.id}`);
    return 0;
  },
} as const satisfies Command;

export const incidentsSuppress = {
  options: {
    ...options,
    caller: { type: "string", value: "NAME", help: "Only of this caller." },
    tool: { type: "string", value: "SERVER/TOOL", help: "Only of calls of this tool." },
    source: { type: "string", value: "SERVER/TOOL", help: "Only of what was found in its answers." },
    for: { type: "string", value: "TIME", help: "How long, such as 12h or 30d; required, 90d at most." },
    because,
  },
  run: async (call) => {
    const [kind, ...more] = call.positionals;
    if (kind === undefined || more.length > 0)
      throw new Refusal("bad_config", 'Name one kind of signal, as in "incidents show", in quotation marks.');
    const { caller, tool, source } = placesOf(call);
    const asked = {
      kind,
      ...(caller !== undefined && { caller }),
      ...(tool !== undefined && { tool }),
      ...(source !== undefined && { source }),
      because: reason(call),
    };
    const untilUnixMs = untilOf(call);
    const sent = { ...asked, for: call.text("for") };
    const suppression = await ask<Suppression>(call, {
      asked: (room) => room.post("/suppressions", sent, suppressionAnswer),
      here: (config) => suppressSignals(placeOf(config), { ...asked, untilUnixMs, by: operator() }),
    });
    call.out(call.flag("json") ? jsonText(suppression) : suppressionLine(suppression));
    return 0;
  },
} as const satisfies Command;

export const incidentsSuppressions = {
  options,
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const suppressions = await ask<readonly Suppression[]>(call, {
      asked: (room) => room.list("/suppressions", suppressionAnswer),
      here: (config) => suppressionsIn(placeOf(config)),
    });
    if (call.flag("json")) call.out(jsonText(suppressions));
    else if (suppressions.length === 0) call.out("nothing is suppressed");
    else for (const each of suppressions) call.out(suppressionLine(each));
    return 0;
  },
} as const satisfies Command;

export const incidentsLiftSuppression = {
  options: { ...roomPlaceOptions, because },
  run: async (call) => {
    const [id, why] = [oneId(call), reason(call)];
    await ask<unknown>(call, {
      asked: (room) => room.post(`/suppressions/${inPath(id)}/lift`, { because: why }, z.unknown()),
      here: (config) => liftSuppression(placeOf(config), id, { by: operator(), because: why }),
    });
    call.out(`lifted: ${id}`);
    return 0;
  },
} as const satisfies Command;

async function listHeldBack(call: CommandCall): Promise<number> {
  const held = await ask<ReturnType<typeof heldBackIn>>(call, {
    asked: (room) => room.get("/held-back", z.object({ rows: z.array(heldBackAnswer), total: z.int() })),
    here: (config) => heldBackIn(placeOf(config)),
  });
  if (call.flag("json")) {
    call.out(jsonText(held));
    return 0;
  }
  call.out(`${held.total} held back in all${held.total > held.rows.length ? ", the newest:" : ""}`);
  for (const row of held.rows) call.out(heldBackLine(row));
  return 0;
}

const whyHeld: Readonly<Record<string, string>> = {
  score: "below the score that was told then",
  budget: "the day's budget was used up",
  room: "there were too many open incidents",
};

function heldBackLine({
  atUnixMs,
  kind,
  score,
  threshold,
  why,
  caller,
  target,
  callId,
}: HeldBackRow): string {
  const where = [caller, target].flatMap((each) => (each === undefined ? [] : [shown(each)])).join(" ");
  const at = new Date(atUnixMs).toISOString();
  return `${at}  ${score.toFixed(2)}  ${shown(kind)}  ${where}  ${whyHeld[why] ?? why} (${threshold.toFixed(2)}), call ${callId}`;
}

function suppressionLine({ id, kind, caller, tool, source, untilUnixMs, because: why }: Suppression): string {
  const of = [
    caller === undefined ? "" : ` of ${caller}`,
    tool === undefined ? "" : ` in calls of ${tool}`,
    source === undefined ? "" : ` from answers of ${source}`,
  ];
  return shown(`${id}  ${kind}${of.join("")}, until ${new Date(untilUnixMs).toISOString()}: ${why}`);
}

function placesOf(call: CommandCall) {
  return { caller: call.text("caller"), tool: call.text("tool"), source: call.text("source") };
}

function placeOf({ state }: Config): IncidentPlace {
  return { state, clock: systemClock };
}

function untilOf(call: CommandCall): number {
  const given = call.text("for");
  const ms = given === undefined ? undefined : parseDuration(given);
  if (ms === undefined || ms <= 0)
    throw new Refusal("bad_config", "--for takes a time such as 12h or 30d, 90d at most.");
  return systemClock.nowUnixMs() + ms;
}

function reason(call: CommandCall): string {
  const text = call.text("because")?.trim() ?? "";
  if (text === "" || text.length > 500)
    throw new Refusal("bad_config", "--because takes the reason, up to 500 characters.");
  return text;
}

function operator(): string {
  return `operator:${who()}`;
}

function oneId(call: CommandCall): string {
  const [id, ...more] = call.positionals;
  if (id !== undefined && more.length === 0) return id;
  throw new Refusal("bad_config", 'Name one by its id; "latticegate incidents list" has them.');
}
