/**
 * The burst: much goes out, little came in, to where nobody has been, at an hour without history. What a destination may
 * be sent is one number, an allowance that grows with what is known of it, so that whoever reads why a connection was cut
 * can check it.
 */
import {
  type DestinationMemory,
  type HoursOfWeek,
  isKnown,
  isQuiet,
  usuallySent,
} from "./destination-memory.ts";

export interface BurstQuestion {
  readonly memory: DestinationMemory;
  readonly hours: HoursOfWeek;
  /** 0 to 167, on the operator's clock. */
  readonly hourOfWeek: number;
  /** Bytes that a destination nobody knows may be sent in all. */
  readonly budgetBytes: number;
}

export interface Burst {
  /** `burst`: too much at once, with too little behind it. `budget`: too much in all for an unknown destination. */
  readonly kind: "burst" | "budget";
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly allowedBytes: number;
  readonly isKnown: boolean;
  /** The server was never seen to send anything at that hour of the week. */
  readonly isQuietHour: boolean;
  /** The connections before that are remembered, and what all but the largest sent at most. */
  readonly contacts: number;
  readonly usualBytes: number;
}

/** What is unknown gets this part of its budget at once at an hour without history. */
const quietShare = 1 / 4;
/** What is known may be sent so many times what it usually is. */
const usualTimes = 8;
const usualTimesQuiet = 4;
/** Uploads are answered, and downloads aren't bursts: what goes out counts from so many times what comes in. */
const asymmetry = 4;

/** @returns undefined where nothing is unusual */
export function burstIn({ memory, hours, hourOfWeek, budgetBytes }: BurstQuestion): Burst | undefined {
  const known = isKnown(memory);
  const isQuietHour = isQuiet(hours, hourOfWeek);
  const usualBytes = usuallySent(memory);
  const about = { isKnown: known, isQuietHour, contacts: memory.sentBefore.length, usualBytes };
  const allowedBytes = known
    ? Math.max(budgetBytes, usualBytes * (isQuietHour ? usualTimesQuiet : usualTimes))
    : budgetBytes * (isQuietHour ? quietShare : 1);
  const { recentSent: sent, recentReceived: received, sentUnknown } = memory;
  if (sent > allowedBytes && sent >= asymmetry * received)
    return { kind: "burst", ...rounded(sent, received, allowedBytes), ...about };
  if (!known && sentUnknown > budgetBytes)
    return { kind: "budget", ...rounded(sentUnknown, received, budgetBytes), ...about };
  return undefined;
}

function rounded(
  sentBytes: number,
  receivedBytes: number,
  allowedBytes: number,
): Pick<Burst, "sentBytes" | "receivedBytes" | "allowedBytes"> {
  return {
    sentBytes: Math.round(sentBytes),
    receivedBytes: Math.round(receivedBytes),
    allowedBytes: Math.floor(allowedBytes),
  };
}

/** Which server, where to, how much, and what would have been normal: sentences for people. */
export function burstInWords(
  burst: Burst,
  about: {
    readonly server: string;
    readonly destination: string;
    readonly address: string;
    readonly when: string;
  },
): string {
  const { sentBytes, receivedBytes, allowedBytes, isQuietHour } = burst;
  const { server, destination, address, when } = about;
  const how = burst.kind === "burst" ? "of late" : "in all";
  return [
    `The server "${server}" was sending ${sizeText(sentBytes)} ${how} to ${destination} (${address}), and had got ${sizeText(receivedBytes)} back, ${when}.`,
    placeInWords(burst),
    `${isQuietHour ? "It was never seen to send anything at that hour of the week" : "It is usual for it to send something at that hour of the week"}, so at most ${sizeText(allowedBytes)} may go there${burst.kind === "burst" ? " at once" : ""}.`,
  ].join(" ");
}

function placeInWords({ isKnown: known, contacts, usualBytes }: Burst): string {
  if (contacts === 0) return "It had never been there.";
  const usual = `all but the largest of its last ${contacts} connections there sent at most ${sizeText(usualBytes)}`;
  return known ? `It goes there: ${usual}.` : `It hardly knows the place: ${usual}.`;
}

/** In the largest unit of which there is one. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
