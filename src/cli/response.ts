/** `latticegate response list | show | lift | renew`, `latticegate respond ACTION` */
import { z } from "zod";

import type { Config } from "../app/config.ts";
import { responseAnswer } from "../app/respond/response-answers.ts";
import {
  actByHand,
  liftByHand,
  listResponses,
  maxBecauseChars,
  type Order,
  renewByHand,
  type ResponsePlace,
  showResponse,
  type ShownResponse,
} from "../app/respond/response-operations.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { actionNames, isActionName, isRestriction } from "../respond/actions.ts";
import type { Limit, Scope } from "../respond/restriction.ts";
import type { Command, CommandCall } from "./command.ts";
import { ask, inPath, roomOptions } from "./room.ts";
import { table } from "./table.ts";
import { jsonText, shown } from "./tools-text.ts";
import { who } from "./who.ts";

const options = roomOptions;

const becauseOption = {
  because: { type: "string", value: "TEXT", help: "Why; it goes on record." },
} as const;

export const responseList = {
  options,
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const responses = await ask<readonly ShownResponse[]>(call, {
      asked: (room) => room.list("/responses", responseAnswer),
      here: (config) => listResponses(placeOf(config)),
    });
    if (call.flag("json")) call.out(jsonText(responses));
    else if (responses.length === 0) call.out("nothing is in force");
    else for (const line of table(responses.map(rowOf), "")) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const responseShow = {
  options,
  run: async (call) => {
    const id = oneId(call);
    const response = await ask<ShownResponse>(call, {
      asked: async (room) => found(await room.list("/responses", responseAnswer), id),
      here: (config) => showResponse(placeOf(config), id),
    });
    if (call.flag("json")) call.out(jsonText(response));
    else for (const line of shownLines(response)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const responseLift = {
  options: { ...options, ...becauseOption },
  run: async (call) => {
    const [id, why] = [oneId(call), because(call)];
    const lifted = await ask<ShownResponse>(call, {
      asked: (room) => room.post(`/responses/${inPath(id)}/lift`, { because: why }, responseAnswer),
      here: (config) => liftByHand(placeOf(config), id, { by: operator(), because: why }),
    });
    call.out(call.flag("json") ? jsonText(lifted) : `lifted: ${lifted.id} ${aboutLine(lifted)}`);
    return 0;
  },
} as const satisfies Command;

export const responseRenew = {
  options: {
    ...options,
    for: { type: "string", value: "TIME", help: "How long from now on, e.g. 4h; at most 30d." },
    because: { ...becauseOption.because, help: "Why; it goes on record. It is still needed, if absent." },
  },
  run: async (call) => {
    const time = call.text("for") ?? "";
    const forMs = duration("for", time);
    const why = call.text("because") === undefined ? "It is still needed." : because(call);
    const id = oneId(call);
    const sent = { for: time, because: why };
    const renewed = await ask<ShownResponse>(call, {
      asked: (room) => room.post(`/responses/${inPath(id)}/renew`, sent, responseAnswer),
      here: (config) => renewByHand(placeOf(config), id, { by: operator(), because: why, forMs }),
    });
    call.out(call.flag("json") ? jsonText(renewed) : `until ${renewed.until}: ${aboutLine(renewed)}`);
    return 0;
  },
} as const satisfies Command;

export const respond = {
  options: {
    ...options,
    caller: {
      type: "string",
      value: "ID",
      help: "Whom: agent/NAME, a SPIFFE ID, or oauth:… as the log has it.",
    },
    session: { type: "string", value: "ID", help: "One session of that caller's, as the log has it." },
    server: { type: "string", value: "NAME", help: "Of which server." },
    tool: { type: "string", value: "NAME", help: "Which tool of that server." },
    for: { type: "string", value: "TIME", help: "How long, e.g. 30m, 4h, 2d; 1h by default, at most 30d." },
    next: {
      type: "string",
      multiple: true,
      value: "ACTION=TIME",
      help: "What it becomes afterwards, e.g. read_only=1h; again for further steps.",
    },
    calls: { type: "string", value: "NUMBER", help: "Of limit: how many calls." },
    per: { type: "string", value: "TIME", help: "Of limit: in which time, e.g. 1m." },
    ...becauseOption,
  },
  run: async (call) => {
    const order = orderOf(call);
    const made = await ask<ShownResponse | undefined>(call, {
      asked: async (room) => (await room.post("/responses", asSent(order), madeAnswer)).response ?? undefined,
      here: (config) => actByHand(placeOf(config), order),
    });
    if (call.flag("json")) call.out(jsonText(made ?? null));
    else if (made === undefined) call.out("done, and on record");
    else {
      call.out(`${made.id}  ${aboutLine(made)} until ${made.until}`);
      call.out(`It ends by itself; sooner with "latticegate response lift ${made.id} --because …".`);
    }
    return 0;
  },
} as const satisfies Command;

function orderOf(call: CommandCall): Order {
  const [action, ...more] = call.positionals;
  if (action === undefined || more.length > 0 || !isActionName(action)) {
    throw new Refusal("bad_config", `Say what to do: ${actionNames.join(", ")}.`);
  }
  const limit = limitOf(call);
  return {
    action,
    scope: scopeOf(call),
    forMs: duration("for", call.text("for") ?? "1h"),
    next: call.texts("next").map(nextOf),
    ...(limit && { limit }),
    because: because(call),
    by: operator(),
  };
}

const madeAnswer = z.object({ response: responseAnswer.nullable() });

/** As the control API takes it; who orders it, that knows itself. */
function asSent({ action, scope, forMs, next, limit, because: why }: Order): object {
  return {
    action,
    ...scope,
    for: inSeconds(forMs),
    next: next.map((each) => ({ action: each.action, for: inSeconds(each.forMs) })),
    ...(limit && { limit: { calls: limit.calls, per: inSeconds(limit.perMs) } }),
    because: why,
  };
}

function inSeconds(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** @throws Refusal `bad_state` for one that isn't in force */
function found(responses: readonly ShownResponse[], id: string): ShownResponse {
  const response = responses.find((each) => each.id === id);
  if (response !== undefined) return response;
  throw new Refusal("bad_state", `Nothing with the id ${id} is in force.`);
}

function scopeOf(call: CommandCall): Scope {
  const names = ["caller", "session", "server", "tool"] as const;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = call.text(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function nextOf(text: string): Order["next"][number] {
  const [action = "", time = ""] = text.split("=");
  if (!isActionName(action) || !isRestriction(action)) {
    const known = actionNames.filter(isRestriction).join(", ");
    throw new Refusal("bad_config", `--next takes ACTION=TIME with one of ${known}; found "${text}".`);
  }
  return { action, forMs: duration("next", time) };
}

function limitOf(call: CommandCall): Limit | undefined {
  const [calls, per] = [call.text("calls"), call.text("per")];
  if (calls === undefined && per === undefined) return undefined;
  if (calls === undefined || per === undefined || !/^\d{1,6}$/.test(calls)) {
    throw new Refusal("bad_config", "A limit is --calls NUMBER --per TIME.");
  }
  return { calls: Number(calls), perMs: duration("per", per) };
}

function duration(option: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new Refusal("bad_config", `--${option} takes a time such as 30m, 4h or 2d; found "${text}".`);
}

/** @throws Refusal `bad_config` without one */
export function because(call: CommandCall): string {
  const text = call.text("because")?.trim() ?? "";
  if (text !== "" && text.length <= maxBecauseChars) return text;
  throw new Refusal("bad_config", `Say why: --because TEXT, up to ${maxBecauseChars} characters.`);
}

/** How the log names who typed it. */
export function operator(): string {
  return `operator:${who()}`;
}

function placeOf(config: Config): ResponsePlace {
  return { config, clock: systemClock };
}

function oneId(call: CommandCall): string {
  const [id, ...more] = call.positionals;
  if (id !== undefined && more.length === 0) return id;
  throw new Refusal("bad_config", 'Name one: "latticegate response list" has them.');
}

function rowOf(response: ShownResponse): readonly string[] {
  const { id, until, by, because: why } = response;
  return [id, aboutLine(response), `until ${until}`, shown(by), shown(why)];
}

function aboutLine({ action, scope, limit }: ShownResponse): string {
  const about = Object.entries(scope).map(
    ([name, value]: readonly [string, string]) => `${name} ${shown(value)}`,
  );
  const most = limit === undefined ? "" : ` (${limit.calls} calls in ${limit.perMs} ms)`;
  return `${action}${most} ${about.join(", ")}`;
}

function shownLines(response: ShownResponse): readonly string[] {
  const { id, until, next, because: why, by, since, incident, cause } = response;
  return [
    `${id}  ${aboutLine(response)}`,
    `because  ${shown(why)}`,
    `by       ${shown(by)}, since ${since}`,
    `until    ${until}`,
    ...next.map((stage) => `then     ${stage.action} until ${stage.until}`),
    ...(incident === undefined ? [] : [`incident ${shown(incident)}`]),
    ...(cause === undefined ? [] : [`call     ${shown(cause)}: "latticegate audit show ${shown(cause)}"`]),
    `undo     latticegate response lift ${id} --because TEXT`,
  ];
}
