/** What people do in the control room, as entries of the audit log: who came in, who was refused, who changed what. */
import { randomUUIDv7 } from "node:crypto";

import { attempts } from "../../kernel/attempts.ts";
import type { Action } from "../../control/api.ts";
import type { Login } from "../../control/login.ts";
import type { Journal } from "../../gate/ports.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { Tried } from "./entrance.ts";

export interface ControlRecords {
  readonly acted: (action: Action) => void;
  readonly tried: (what: Tried) => void;
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
    acted: ({ login, route, refused, about }) =>
      append("control.action", refused === undefined, {
        by: login.name,
        login: login.by,
        route,
        ...(about !== undefined && { about }),
        ...(refused !== undefined && { reason: refused }),
      }),
    tried: (what) =>
      "login" in what
        ? append("control.login", true, { by: what.login.name, login: what.way, ...passkeyOf(what.login) })
        : append("control.login", false, { by: "nobody", login: what.way, ...whyNot(what.refused) }),
  };
}

function passkeyOf({ passkey }: Login): EntryDraft["facts"] {
  return passkey === undefined ? {} : { passkey: shortId(passkey) };
}

/** Of a credential's id, as much as tells it from others. */
export function shortId(passkey: string): string {
  return passkey.slice(0, 16);
}

/** The refusal's code, and of passkeys what was wrong with whose. */
function whyNot(refused: unknown): EntryDraft["facts"] {
  if (!(refused instanceof Refusal)) return { reason: "fault" };
  const { why, whose } = refused.facts;
  return {
    reason: refused.code,
    ...(typeof why === "string" && { why }),
    ...(typeof whose === "string" && { whose }),
  };
}
