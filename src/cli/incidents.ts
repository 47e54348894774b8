/** `latticegate incidents list | show | close | suppress | suppressions | lift-suppression` */
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
import { loadConfig } from "../app/config.ts";
import type { HeldBackRow } from "../host/store/state-incidents.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDuration } from "../expr/time.ts";
import type { Suppression } from "../respond/incidents/suppression.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { listedIncidents, shownIncident } from "./incidents-text.ts";
import { jsonText, shown } from "./tools-text.ts";
import { who } from "./who.ts";

const options = { ...configOption, json: { type: "boolean", help: "Print JSON." } } as const;
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
  run: (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    if (call.flag("held-back")) return Promise.resolve(listHeldBack(call));
    const incidents = listIncidents(placeOf(call), { all: call.flag("all") });
    if (call.flag("json")) call.out(jsonText(incidents));
    else for (const line of listedIncidents(incidents)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const incidentsShow = {
  options,
  run: (call) => {
    const found = showIncident(placeOf(call), oneId(call));
    if (call.flag("json")) call.out(jsonText(found));
    else for (const line of shownIncident(found)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const incidentsClose = {
  options: { ...options, because },
  run: (call) => {
    const why = { by: operator(), because: reason(call) };
    const closed = closeIncident(placeOf(call), oneId(call), why);
    call.out(call.flag("json") ? jsonText(closed) : `closed: ${closed.id}`);
    return Promise.resolve(0);
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
  run: (call) => {
    const [kind, ...more] = call.positionals;
    if (kind === undefined || more.length > 0)
      throw new Refusal("bad_config", 'Name one kind of signal, as in "incidents show", in quotation marks.');
    const { caller, tool, source } = placesOf(call);
    const suppression = suppressSignals(placeOf(call), {
      kind,
      ...(caller !== undefined && { caller }),
      ...(tool !== undefined && { tool }),
      ...(source !== undefined && { source }),
      untilUnixMs: untilOf(call),
      because: reason(call),
      by: operator(),
    });
    call.out(call.flag("json") ? jsonText(suppression) : suppressionLine(suppression));
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const incidentsSuppressions = {
  options,
  run: (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const suppressions = suppressionsIn(placeOf(call));
    if (call.flag("json")) call.out(jsonText(suppressions));
    else if (suppressions.length === 0) call.out("nothing is suppressed");
    else for (const each of suppressions) call.out(suppressionLine(each));
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const incidentsLiftSuppression = {
  options: { ...configOption, because },
  run: (call) => {
    const id = oneId(call);
    liftSuppression(placeOf(call), id, { by: operator(), because: reason(call) });
    call.out(`lifted: ${id}`);
    return Promise.resolve(0);
  },
} as const satisfies Command;

function listHeldBack(call: CommandCall): number {
  const held = heldBackIn(placeOf(call));
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

function placeOf(call: CommandCall): IncidentPlace {
  return { state: loadConfig(configFile(call)).state, clock: systemClock };
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
