/** The kill switch in the control API, a source of its own. */
import { z } from "zod";

import { type Route, route } from "../../control/route.ts";
import { drillPrefix } from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import { killOff, killOn, type KillPlace, killsStanding } from "./kill-operations.ts";
import { killAnswer } from "./response-answers.ts";
import { maxBecauseChars } from "./response-operations.ts";

const order = z.strictObject({
  on: z.boolean(),
  because: z.string().trim().min(1).max(maxBecauseChars),
  /** A drill's token: it takes no other stop's place, and withdraws its own alone. */
  drill: z.hex().length(32).exactOptional(),
});
const tag = "responses";

export function killRoutes(place: KillPlace, clock: Clock): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/kill",
      summary: "Whether all calls are stopped, and by whom.",
      tag,
      role: "viewer",
      answer: killAnswer,
      handle: () => ({ stopped: killsStanding(place, clock) }),
    }),
    route({
      method: "POST",
      path: "/kill",
      summary: "Stops all calls, or withdraws the stop that was ordered here.",
      tag,
      role: "operator",
      body: order,
      answer: killAnswer,
      touches: "status",
      handle: ({ body: { on, because, drill }, login: { name: by } }) => {
        const own = drill === undefined ? undefined : `${drillPrefix}${drill}`;
        const nowUnixMs = clock.nowUnixMs();
        if (on) killOn(place, { source: "api", by: own ?? by, because, sinceUnixMs: nowUnixMs });
        else
          killOff(place, "api", { by, because, nowUnixMs, ...(own !== undefined && { only: { by: own } }) });
        return { stopped: killsStanding(place, clock) };
      },
    }),
  ];
}
