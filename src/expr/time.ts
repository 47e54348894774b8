/** Durations and timestamps: their texts, their ranges, and the fields of a timestamp on a zone's clock. */

/** Milliseconds. A year is the Julian one, 365.25 days. */
const units: Readonly<Record<string, number>> = {
  y: 31_557_600_000,
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  ns: 0.000_001,
};

/** CEL's range of a duration: about 10,000 years. */
const maxDurationMs = 315_576_000_000_000;

/** CEL's range of a timestamp: the years 1 to 9999. */
const [minUnixMs, maxUnixMs] = [-62_135_596_800_000, 253_402_300_799_999];

/** `10y`, `1d12h`, `-1.5h`: milliseconds, or undefined. */
export function parseDuration(text: string): number | undefined {
  if (!/^[-+]?(?:\d{1,15}(?:\.\d{1,9})?(?:y|w|d|h|ms|m|s|us|ns)){1,9}$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([a-z]+)/g)) {
    sum += Number(count) * (units[unit ?? ""] ?? Number.NaN);
  }
  return isDuration(sum) ? (text.startsWith("-") ? -sum : sum) : undefined;
}

export function isDuration(ms: number): boolean {
  return Math.abs(ms) <= maxDurationMs;
}

/** RFC 3339 §5.6: Unix milliseconds, or undefined. */
export function parseTimestamp(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[-+]\d{2}:\d{2})$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0] = match.slice(1, 4).map(Number);
  // Date.parse takes a 31st of any month for a day of the next one.
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month - 1, day);
  if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return undefined;
  const unixMs = Date.parse(text);
  return isTimestamp(unixMs) ? unixMs : undefined;
}

export function isTimestamp(unixMs: number): boolean {
  return unixMs >= minUnixMs && unixMs <= maxUnixMs;
}

export interface ClockFields {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** From 0. */
  readonly dayOfYear: number;
  readonly millisecond: number;
}

/** Reads timestamps on one clock. */
export type Clock = (unixMs: number) => ClockFields;

export const utc: Clock = (unixMs) => fieldsOf(unixMs, 0);

/** The clock of `UTC`, of an offset such as `+02:00`, or of an IANA zone; undefined if there is no such zone. */
export function zoneClock(zone: string): Clock | undefined {
  if (zone === "UTC" || zone === "Z") return utc;
  const offset = /^([-+])(\d{2}):(\d{2})$/.exec(zone);
  if (offset !== null) {
    const [hours, minutes] = [Number(offset[2]), Number(offset[3])];
    if (hours > 14 || minutes > 59) return undefined;
    const offsetMs = (hours * 60 + minutes) * 60_000 * (offset[1] === "-" ? -1 : 1);
    return (unixMs) => fieldsOf(unixMs, offsetMs);
  }
  const format = formatOf(zone);
  return format && ((unixMs) => fieldsOf(unixMs, offsetAt(format, unixMs)));
}

function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_+-]{0,31}(?:\/[A-Za-z0-9_+-]{1,32}){0,2}$/.test(zone)) return undefined;
  try {
    return new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    return undefined;
  }
}

/** What the zone's clock shows, less what UTC's does. */
function offsetAt(format: Intl.DateTimeFormat, unixMs: number): number {
  const shown: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(unixMs)) shown[type] = value;
  const number = (name: string): number => Number(shown[name]);
  const year = shown["era"] === "BC" ? 1 - number("year") : number("year");
  const wall = new Date(0);
  wall.setUTCFullYear(year, number("month") - 1, number("day"));
  wall.setUTCHours(number("hour"), number("minute"), number("second"));
  return wall.getTime() - Math.floor(unixMs / 1000) * 1000;
}

function fieldsOf(unixMs: number, offsetMs: number): ClockFields {
  const wall = new Date(Math.floor(unixMs) + offsetMs);
  const newYear = new Date(0).setUTCFullYear(wall.getUTCFullYear(), 0, 1);
  return {
    year: wall.getUTCFullYear(),
    month: wall.getUTCMonth() + 1,
    day: wall.getUTCDate(),
    hour: wall.getUTCHours(),
    minute: wall.getUTCMinutes(),
    second: wall.getUTCSeconds(),
    weekday: wall.getUTCDay(),
    dayOfYear: Math.floor((wall.getTime() - newYear) / 86_400_000),
    millisecond: wall.getUTCMilliseconds(),
  };
}
