/** The kill switch in the API on loopback, a source of its own. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import type { Clock } from "../../kernel/clock.ts";
import { killOff, killOn, type KillPlace, killsStanding } from "./kill-operations.ts";
import { maxBecauseChars } from "./response-operations.ts";
import { read } from "./response-routes.ts";

const by = "operator:api";

const order = z.strictObject({ on: z.boolean(), because: z.string().trim().min(1).max(maxBecauseChars) });

export function killRoutes(place: KillPlace, clock: Clock): Pick<DashboardOptions, "routes" | "changes"> {
  return {
    routes: { kill: () => ({ stopped: killsStanding(place, clock) }) },
    changes: {
      kill: (body) => {
        const { on, because } = read(order, body);
        const nowUnixMs = clock.nowUnixMs();
        if (on) killOn(place, { source: "api", by, because, sinceUnixMs: nowUnixMs });
        else killOff(place, "api", { by, because, nowUnixMs });
        return { stopped: killsStanding(place, clock) };
      },
    },
  };
}
