/** What people do in the control room, as entries of the audit log: who came in, who was refused, who changed what. */
import { randomUUIDv7 } from "node:crypto";

import { attempts } from "../../kernel/attempts.ts";
import type { Action } from "../../control/api.ts";
import type { Login } from "../../control/login.ts";
import type { Journal } from "../../gate/ports.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";

export interface ControlRecords {
  readonly acted: (action: Action) => void;
  readonly loggedIn: (login: Login | undefined, way: string) => void;
}

/** What is refused is recorded at this pace: who tries in vain doesn't fill the log. */
const refusedPace = { burst: 60, perMinute: 30 };

export function controlRecords(needs: {
  readonly journal: Journal;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Log;
}): ControlRecords {
  const { journal, gatewayId, clock, log } = needs;
  const take = attempts(refusedPace);
  const append = (
    event: "control.action" | "control.login",
    isDone: boolean,
    facts: EntryDraft["facts"],
  ): void => {
    const atUnixMs = clock.nowUnixMs();
    try {
      if (!isDone) take("refused", atUnixMs);
    } catch {
      return;
    }
    const what = { event, atUnixMs, callId: randomUUIDv7(), principal: gatewayId, tool: null, facts };
    journal
      .append({ ...what, outcome: isDone ? "allowed" : "denied" })
      .catch((error: unknown) => log.error("control.unrecorded", { why: String(error), event }));
  };
  return {
    acted: ({ login, route, refused }) =>
      append("control.action", refused === undefined, {
        by: login.name,
        login: login.by,
        route,
        ...(refused !== undefined && { reason: refused }),
      }),
    loggedIn: (login, way) =>
      append("control.login", login !== undefined, { by: login?.name ?? "nobody", login: way }),
  };
}
