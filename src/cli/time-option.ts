/** `--since` and `--until`: the same moments in every command. */
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import type { CommandCall, Option } from "./command.ts";

const forms = "2026-11-21T09:30:00Z, a day (UTC) such as 2026-11-21, or 2h, 7d ago";

export const timeOptions = {
  since: {
    type: "string",
    value: "TIME",
    help: `From that time on, or from the beginning of the day: ${forms}.`,
  },
  until: { type: "string", value: "TIME", help: "Before that time, or until the day has ended." },
} as const satisfies Record<string, Option>;

export interface Times {
  /** The first moment. */
  readonly sinceUnixMs: number | undefined;
  /** The moment after the last one. */
  readonly untilUnixMs: number | undefined;
}

/** @throws Refusal `bad_config` for what is no time */
export function timesOf(call: Pick<CommandCall, "text">, nowUnixMs: number): Times {
  return timesBetween(call.text("since"), call.text("until"), nowUnixMs);
}

/** @param option what both are called, where that is one @throws Refusal `bad_config` for what is no time */
export function timesBetween(
  since: string | undefined,
  until: string | undefined,
  nowUnixMs: number,
  option?: string,
): Times {
  const lengthMs = until !== undefined && day.test(until) ? dayMs : 0;
  const untilUnixMs =
    until === undefined ? undefined : momentOf(option ?? "until", until, nowUnixMs) + lengthMs;
  return {
    sinceUnixMs: since === undefined ? undefined : momentOf(option ?? "since", since, nowUnixMs),
    untilUnixMs,
  };
}

const dayMs = 24 * 3_600_000;
const day = /^\d{4}-\d\d-\d\d$/;
const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

function momentOf(option: string, text: string, nowUnixMs: number): number {
  const agoMs = parseDurationMs(text);
  if (agoMs !== undefined) return nowUnixMs - agoMs;
  const isTime = (day.test(text) || moment.test(text)) && isDay(text.slice(0, 10));
  const unixMs = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(unixMs)) return unixMs;
  throw new Refusal("bad_config", `--${option} takes a time such as ${forms}; found "${text}".`);
}

/** `Date.parse` takes 31 February for 3 March. */
function isDay(text: string): boolean {
  const unixMs = Date.parse(text);
  return !Number.isNaN(unixMs) && new Date(unixMs).toISOString().startsWith(text);
}
