/** Incidents in the API on loopback: the same as the commands, in JSON. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import { parseDuration } from "../../expr/time.ts";
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
import { read } from "./response-routes.ts";

/** How the log names who did it by the API: its token says no more. */
const by = "operator:api";

const because = z.string().trim().min(1).max(500);
const id = z.string().min(1).max(64);
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

const closing = z.strictObject({ id, because });
const suppressing = z.strictObject({
  kind: z.string().min(1).max(256),
  caller: name,
  tool: name,
  source: name,
  for: lasting,
  because,
});

export function incidentRoutes(place: IncidentPlace): Pick<DashboardOptions, "routes" | "changes"> {
  return {
    routes: {
      incidents: (query) => ({ incidents: listIncidents(place, { all: query.get("all") === "true" }) }),
      "incidents/show": (query) => showIncident(place, query.get("id") ?? ""),
      "incidents/held-back": () => heldBackIn(place),
      "incidents/suppressions": () => ({ suppressions: suppressionsIn(place) }),
    },
    changes: {
      "incidents/close": (body) => {
        const { id: which, ...why } = read(closing, body);
        return closeIncident(place, which, { by, ...why });
      },
      "incidents/suppress": (body) => {
        const { for: forMs, ...asked } = read(suppressing, body);
        return suppressSignals(place, { ...asked, by, untilUnixMs: place.clock.nowUnixMs() + forMs });
      },
      "incidents/lift-suppression": (body) => {
        const { id: which, ...why } = read(closing, body);
        liftSuppression(place, which, { by, ...why });
        return { lifted: which };
      },
    },
  };
}
