/** Answers that the gateway makes itself, in a server's stead. */
import type { Answer } from "../gate/call.ts";

/** The head of a stream of events that nobody between may hold back. */
export const sseHeaders = [
  "content-type",
  "text/event-stream",
  "cache-control",
  "no-cache, no-transform",
  "x-accel-buffering",
  "no",
] as const;

/** A status and no body. */
export function empty(status: number, headers: readonly string[] = []): Answer {
  return { kind: "whole", status, headers, body: new Uint8Array(0) };
}
