/**
 * What is remembered of one destination a server goes to, and of the hours at which the server goes anywhere: enough to
 * say what is normal, and no more. Values; time is an argument, and a clock that goes back adds nothing.
 */
export interface DestinationMemory {
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
  /** Connections that ended without being cut. */
  readonly contacts: number;
  /** Different days (UTC) on which there were some. */
  readonly days: number;
  /** The last of them, in days since 1970; -1 before the first. */
  readonly lastDay: number;
  /** What the last of them sent, in bytes, the newest last. */
  readonly sentBefore: readonly number[];
  /** What was sent and received of late, in bytes; halved every ten minutes. */
  readonly recentSent: number;
  readonly recentReceived: number;
  /** When that was said. */
  readonly recentUnixMs: number;
  /** Bytes sent in all while nobody knew it. */
  readonly sentUnknown: number;
}

/** Of the 168 hours of a week, how often connections ended in each; from Sunday, 00:00. */
export type HoursOfWeek = readonly number[];

export const noHours: HoursOfWeek = Array.from({ length: 168 }, () => 0);

const dayMs = 86_400_000;
const halfLifeMs = 600_000;
/** A destination is known after this many connections, on that many days: one bad afternoon teaches nothing. */
const knownContacts = 3;
const knownDays = 2;
const maxSentBefore = 16;
/** So that an hour of years ago weighs no more than one of last month. */
const maxHourWeight = 1000;

export function metAt(nowUnixMs: number): DestinationMemory {
  return {
    firstUnixMs: nowUnixMs,
    lastUnixMs: nowUnixMs,
    contacts: 0,
    days: 0,
    lastDay: -1,
    sentBefore: [],
    recentSent: 0,
    recentReceived: 0,
    recentUnixMs: nowUnixMs,
    sentUnknown: 0,
  };
}

export function isKnown({ contacts, days }: DestinationMemory): boolean {
  return contacts >= knownContacts && days >= knownDays;
}

/** What one connection, or one chunk of it, moved. */
export interface Moved {
  readonly sent: number;
  readonly received: number;
}

export function withTraffic(
  memory: DestinationMemory,
  { sent, received }: Moved,
  nowUnixMs: number,
): DestinationMemory {
  const left = 0.5 ** (Math.max(0, nowUnixMs - memory.recentUnixMs) / halfLifeMs);
  return {
    ...memory,
    lastUnixMs: Math.max(memory.lastUnixMs, nowUnixMs),
    recentSent: memory.recentSent * left + sent,
    recentReceived: memory.recentReceived * left + received,
    recentUnixMs: Math.max(memory.recentUnixMs, nowUnixMs),
    sentUnknown: isKnown(memory) ? memory.sentUnknown : memory.sentUnknown + sent,
  };
}

/** A connection ended that wasn't cut. */
export function withContact(
  memory: DestinationMemory,
  sentBytes: number,
  { beganUnixMs, nowUnixMs }: { readonly beganUnixMs: number; readonly nowUnixMs: number },
): DestinationMemory {
  const day = dayOf(beganUnixMs);
  return {
    ...memory,
    lastUnixMs: Math.max(memory.lastUnixMs, nowUnixMs),
    contacts: memory.contacts + 1,
    days: memory.days + (day > memory.lastDay ? 1 : 0),
    lastDay: Math.max(day, memory.lastDay),
    sentBefore: [...memory.sentBefore, sentBytes].slice(-maxSentBefore),
  };
}

/** What all but the largest of the connections that are remembered sent at most, in bytes; 0 where there were none. */
export function usuallySent({ sentBefore }: DestinationMemory): number {
  const sorted = sentBefore.toSorted((a, b) => b - a);
  return sorted[1] ?? sorted[0] ?? 0;
}

export function hourOfWeek({ weekday, hour }: { readonly weekday: number; readonly hour: number }): number {
  return weekday * 24 + hour;
}

/** Nothing was ever sent in that hour, nor in the one before or behind it. */
export function isQuiet(hours: HoursOfWeek, at: number): boolean {
  return [at + 167, at, at + 1].every((each) => (hours[each % 168] ?? 0) === 0);
}

export function withHour(hours: HoursOfWeek, at: number): HoursOfWeek {
  return hours.map((weight, each) => (each === at ? Math.min(weight + 1, maxHourWeight) : weight));
}

function dayOf(unixMs: number): number {
  return Math.floor(unixMs / dayMs);
}
