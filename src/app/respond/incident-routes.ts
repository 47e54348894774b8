/** Incidents in the control API: the same as the commands. */
import { z } from "zod";

import { page, pageOf, pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { parseDuration } from "../../expr/time.ts";
import { heldBackAnswer, incidentAnswer, incidentSchema, suppressionAnswer } from "./incident-answers.ts";
import {
  closeIncident,
  heldBackIn,
  type IncidentPlace,
  liftSuppression,
  listIncidents,
  showIncident,
  suppressionsIn,
  suppressSignals,
} from "./incident-operations.ts";

const because = z.string().trim().min(1).max(500);
const params = z.object({ id: z.string().min(1).max(64) });
const name = z.string().min(1).max(2048).exactOptional();
const lasting = z
  .string()
  .max(20)
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms > 0) return ms;
    context.addIssue({ code: "custom", message: 'expected a time such as "30d"' });
    return z.NEVER;
  });

const suppressing = z.strictObject({
  kind: z.string().min(1).max(256),
  caller: name,
  tool: name,
  source: name,
  for: lasting,
  because,
});
const tag = "incidents";

export function incidentRoutes(place: IncidentPlace): readonly Route[] {
  return [...ofIncidents(place), ...ofSuppressions(place)];
}

function ofIncidents(place: IncidentPlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/incidents",
      summary: "Open incidents, newest first; with `all`, closed ones, too.",
      tag,
      role: "viewer",
      query: z.object({ ...pageQuery, all: z.stringbool().default(false) }),
      answer: pageOf(incidentAnswer),
      handle: ({ query }) => page(listIncidents(place, query), query, ({ incident }) => incident.id),
    }),
    route({
      method: "GET",
      path: "/incidents/{id}",
      summary: "One incident with its timeline.",
      tag,
      role: "viewer",
      params,
      answer: incidentAnswer,
      handle: ({ params: { id } }) => showIncident(place, id),
    }),
    route({
      method: "POST",
      path: "/incidents/{id}/close",
      summary: "Closes an incident.",
      tag,
      role: "operator",
      params,
      body: z.strictObject({ because }),
      answer: incidentSchema,
      touches: "incidents",
      handle: ({ params: { id }, body, login }) => closeIncident(place, id, { by: login.name, ...body }),
    }),
    route({
      method: "GET",
      path: "/held-back",
      summary: "What models said and nobody was told, newest first, and how much of that there ever was.",
      tag,
      role: "viewer",
      answer: z.object({
        rows: z.array(heldBackAnswer),
        total: z.int(),
      }),
      handle: () => heldBackIn(place),
    }),
  ];
}

function ofSuppressions(place: IncidentPlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/suppressions",
      summary: "Signals that people have said are harmless.",
      tag,
      role: "viewer",
      query: z.object(pageQuery),
      answer: pageOf(suppressionAnswer),
      handle: ({ query }) => page(suppressionsIn(place), query, ({ id }) => id),
    }),
    route({
      method: "POST",
      path: "/suppressions",
      summary: "Says that signals of one kind at one place are harmless for a while.",
      tag,
      role: "operator",
      body: suppressing,
      answer: suppressionAnswer,
      touches: "incidents",
      handle: ({ body: { for: forMs, ...asked }, login }) =>
        suppressSignals(place, { ...asked, by: login.name, untilUnixMs: place.clock.nowUnixMs() + forMs }),
    }),
    route({
      method: "POST",
      path: "/suppressions/{id}/lift",
      summary: "Lets the signals be heard again.",
      tag,
      role: "operator",
      params,
      body: z.strictObject({ because }),
      answer: z.object({ lifted: z.string() }),
      touches: "incidents",
      handle: ({ params: { id }, body, login }) => {
        liftSuppression(place, id, { by: login.name, ...body });
        return { lifted: id };
      },
    }),
  ];
}
