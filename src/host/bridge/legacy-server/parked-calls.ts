/** Calls of a legacy server that wait for their clients to come back with an answer: bounded in number, bytes and time. */
import { Refusal } from "../../../kernel/refusal.ts";
import type { AskedCall } from "./asked-call.ts";

/** Of one caller; of more, the one that has waited for longest is ended. */
const maxPerHolder = 64;
const maxParked = 1024;
/** Of requests, which are kept while they are under way, and of what was asked. */
const maxBytesPerHolder = 32 * 1024 * 1024;
const maxBytes = 256 * 1024 * 1024;
/** As long as an official SDK waits for a person. */
export const parkedMs = 600_000;

export interface ParkedCalls {
  /** @throws Refusal `busy` if too many wait, of other callers */
  readonly park: (name: string, call: AskedCall) => void;
  /** Undefined if it doesn't wait (any more), or is another caller's. */
  readonly find: (name: string, holder: string) => AskedCall | undefined;
  /** Whatever becomes of it, it isn't waited for here. */
  readonly forget: (call: AskedCall) => void;
}

interface Parked {
  readonly call: AskedCall;
  readonly timer: NodeJS.Timeout;
}

export function parkedCalls(): ParkedCalls {
  /** The oldest first. */
  const parked = new Map<string, Parked>();
  const remove = (name: string): AskedCall | undefined => {
    const found = parked.get(name);
    if (found === undefined) return undefined;
    clearTimeout(found.timer);
    parked.delete(name);
    return found.call;
  };
  const end = (name: string): void => void remove(name)?.giveUp("Nobody came back with an answer.");
  const mine = (holder: string): readonly (readonly [string, Parked])[] =>
    [...parked].filter(([, { call }]) => call.owner.holder === holder);
  const isRoomFor = (call: AskedCall): boolean =>
    parked.size < maxParked && bytesOf(parked.values()) + call.bytes <= maxBytes;
  const isTooMuch = (own: readonly (readonly [string, Parked])[], call: AskedCall): boolean =>
    own.length >= maxPerHolder ||
    bytesOf(own.map(([, each]) => each)) + call.bytes > maxBytesPerHolder ||
    !isRoomFor(call);
  return {
    park: (name, call) => {
      for (
        let own = mine(call.owner.holder);
        own[0] !== undefined && isTooMuch(own, call);
        own = own.slice(1)
      )
        end(own[0][0]);
      if (!isRoomFor(call))
        throw new Refusal("busy", "Too many calls wait for their clients' answers just now.");
      parked.set(name, { call, timer: setTimeout(() => end(name), parkedMs).unref() });
    },
    find: (name, holder) => {
      const found = parked.get(name)?.call;
      return found?.owner.holder === holder ? found : undefined;
    },
    forget: (call) => {
      for (const [name, each] of parked) if (each.call === call) remove(name);
    },
  };
}

function bytesOf(calls: Iterable<Parked>): number {
  let bytes = 0;
  for (const { call } of calls) bytes += call.bytes;
  return bytes;
}
