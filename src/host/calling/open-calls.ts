/** The calls whose answers are awaited, and the clients that speak of the extension themselves. */
import type { RequestFrame } from "../../wire/frame.ts";
import type { OpenCall } from "./outgoing-call.ts";

export interface OpenCalls {
  /** By the digest that answers name them by; those whose own stream has ended unanswered, too. */
  readonly byName: ReadonlyMap<string, OpenCall>;
  readonly open: (call: OpenCall) => void;
  /** It was answered, or nothing came of it. */
  readonly close: (call: OpenCall) => void;
  /** A client's handshake has opened that session. */
  readonly began: (call: OpenCall, session: string | undefined) => void;
  /** Whether the client of a legacy session has spoken of the extension in its handshake. */
  readonly isOffering: (frame: RequestFrame, session: string | undefined) => boolean;
}

/** More than any client has open: of more, the oldest can't be answered on another stream than their own. */
const maxOpen = 10_000;
const maxOffering = 1000;

/** @param clients of one there is one session, even if it has no name */
export function openCalls(clients: "one" | "many"): OpenCalls {
  const byName = new Map<string, OpenCall>();
  const offering = new Set<string>();
  const nameOf = (session: string | undefined): string | undefined =>
    session ?? (clients === "one" ? "" : undefined);
  return {
    byName,
    open: (call) => {
      if (call.signed === undefined) return;
      byName.set(call.signed.digest, call);
      bound(byName, maxOpen);
    },
    close: ({ signed }) => {
      if (signed !== undefined) byName.delete(signed.digest);
    },
    began: ({ frame, isOffered }, session) => {
      const key = nameOf(session);
      if (frame.method !== "initialize" || key === undefined) return;
      offering.delete(key);
      if (!isOffered) return;
      offering.add(key);
      bound(offering, maxOffering);
    },
    isOffering: ({ era }, session) => {
      const key = nameOf(session);
      return era === "legacy" && key !== undefined && offering.has(key);
    },
  };
}

/** Drops the oldest. */
function bound(
  kept: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean },
  most: number,
): void {
  if (kept.size <= most) return;
  for (const oldest of kept.keys()) {
    kept.delete(oldest);
    if (kept.size <= most) return;
  }
}
