/**
 * Signed calls whose streams ended before they were answered: their answers come on a stream that resumes them, and are
 * sealed there as they would have been here (MCP 2025-11-25 transports, resumability).
 */
import type { RequestId } from "../wire/frame.ts";
import type { Journaled } from "./call.ts";
import { ownerOf } from "./session-id.ts";

export interface UnansweredCalls {
  readonly note: (call: Journaled) => void;
  /** The one of the same caller, server and session that has that id; once. */
  readonly take: (resuming: Journaled, id: RequestId | null) => Journaled | undefined;
}

/** Servers keep what they didn't deliver for minutes; of more calls than this the oldest are forgotten. */
const maxCalls = 1000;

export function unansweredCalls(): UnansweredCalls {
  const calls = new Map<string, Journaled>();
  return {
    note: (call) => {
      const { frame } = call;
      if (frame?.kind !== "request" || call.signature === undefined) return;
      const name = nameOf(call, frame.id);
      calls.delete(name);
      // Its arguments are over with.
      const none = new Uint8Array(0);
      calls.set(name, { ...call, body: none, frame: { ...frame, bytes: none } });
      for (const oldest of calls.keys()) {
        if (calls.size <= maxCalls) break;
        calls.delete(oldest);
      }
    },
    take: (resuming, id) => {
      const name = nameOf(resuming, id);
      const call = calls.get(name);
      calls.delete(name);
      return call;
    },
  };
}

function nameOf(call: Journaled, id: RequestId | null): string {
  return JSON.stringify([ownerOf(call), call.server, call.session, id]);
}
