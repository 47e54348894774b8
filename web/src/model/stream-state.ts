/** The state of the event stream, and when it is tried again. */

export type StreamState = "connecting" | "live" | "reconnecting" | "unreachable";

const firstMs = 1000;
const slowestMs = 30_000;

/** @param failures in a row, 1 or more */
export function retryDelayMs(failures: number): number {
  return Math.min(firstMs * 2 ** Math.min(failures - 1, 10), slowestMs);
}
