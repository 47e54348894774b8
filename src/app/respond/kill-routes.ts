/** The kill switch in the API on loopback, a source of its own. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import { drillPrefix } from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import { killOff, killOn, type KillPlace, killsStanding } from "./kill-operations.ts";
import { maxBecauseChars } from "./response-operations.ts";
import { read } from "./response-routes.ts";

const by = "operator:api";

const order = z.strictObject({
  on: z.boolean(),
  because: z.string().trim().min(1).max(maxBecauseChars),
  /** A drill's token: it takes no other stop's place, and withdraws its own alone. */
  drill: z.hex().length(32).optional(),
});

export function killRoutes(place: KillPlace, clock: Clock): Pick<DashboardOptions, "routes" | "changes"> {
  return {
    routes: { kill: () => ({ stopped: killsStanding(place, clock) }) },
    changes: {
      kill: (body) => {
        const { on, because, drill } = read(order, body);
        const own = drill === undefined ? undefined : `${drillPrefix}${drill}`;
        const nowUnixMs = clock.nowUnixMs();
        if (on) killOn(place, { source: "api", by: own ?? by, because, sinceUnixMs: nowUnixMs });
        else
          killOff(place, "api", { by, because, nowUnixMs, ...(own !== undefined && { only: { by: own } }) });
        return { stopped: killsStanding(place, clock) };
      },
    },
  };
}
