/** When what is sent now is said to be signed: for an end whose clock is ahead, or that has just begun, a little later. */
import { clockLeewayMs } from "../../integrity/message-signature.ts";

/**
 * What was signed before the other end began to remember is stale there, in the very second in which it began too.
 * @param notBeforeUnixMs as that end says; times that clocks can't explain don't count
 */
export function signingTime(nowUnixMs: number, notBeforeUnixMs: readonly (number | undefined)[]): number {
  const times = notBeforeUnixMs.filter((time) => time !== undefined && !isTooFarAhead(time, nowUnixMs));
  return Math.max(nowUnixMs, ...times.map((time) => time ?? 0));
}

/** Further than clocks are apart: a signature of then would count for longer than anybody wants. */
export function isTooFarAhead(timeUnixMs: number, nowUnixMs: number): boolean {
  return timeUnixMs > nowUnixMs + clockLeewayMs;
}
