/**
 * What clients offered, until their handshake is done and it goes along with their link; and from which addresses one
 * with ML-KEM failed just now: a client that then comes without was talked into it, or talks itself into it.
 */
import type net from "node:net";

import { groupNumbered } from "../../crypto/suites/key-exchange.ts";
import { offerOf } from "../../identity/hello-offer.ts";
import type { FailedHandshake, Offer } from "../../model/offer.ts";
import type { ClientHello } from "../../wire/client-hello.ts";

/** A client that tries again with less does so at once, or after a timeout or two. */
const fallbackMs = 30_000;
/** The longest ago make way. */
const maxAddresses = 1024;

interface Failed {
  readonly groupId: number;
  readonly atMs: number;
  /** Since there was half a minute without one. */
  readonly times: number;
}

export interface Arrivals {
  /** A hello came that is taken further. */
  readonly came: (socket: net.Socket, remote: string, hello: ClientHello) => void;
  /** Its handshake is done. @returns what it offered, once */
  readonly arrived: (remote: string) => Offer | undefined;
}

export function arrivals(nowMs: () => number = () => performance.now()): Arrivals {
  const awaited = new Map<string, { readonly offer: Offer; readonly atMs: number }>();
  const failed = new Map<string, Failed>();
  const failuresFrom = (address: string): number => {
    const last = failed.get(address);
    return last === undefined || nowMs() - last.atMs >= fallbackMs ? 0 : last.times;
  };
  const failedFrom = (address: string): FailedHandshake | undefined => {
    const last = failed.get(address);
    const agoMs = last === undefined ? fallbackMs : nowMs() - last.atMs;
    return last === undefined || agoMs >= fallbackMs ? undefined : { groupId: last.groupId, agoMs };
  };
  const noteFailure = (address: string, groupId: number): void => {
    const times = failuresFrom(address) + 1;
    failed.delete(address);
    failed.set(address, { groupId, atMs: nowMs(), times });
    const [oldest] = failed.size > maxAddresses ? failed.keys() : [];
    if (oldest !== undefined) failed.delete(oldest);
  };
  return {
    came: (socket, remote, hello) => {
      const address = socket.remoteAddress ?? "unknown";
      const hybrid = hello.groups.find((id) => groupNumbered(id)?.kind === "hybrid");
      const failedBefore = failuresFrom(address);
      const offer = {
        ...offerOf(hello, hybrid === undefined ? failedFrom(address) : undefined),
        ...(failedBefore > 0 && { failedBefore }),
      };
      awaited.set(remote, { offer, atMs: nowMs() });
      socket.once("close", () => {
        // Another connection from there may have come meanwhile.
        if (awaited.get(remote)?.offer !== offer) return;
        awaited.delete(remote);
        if (hybrid !== undefined) noteFailure(address, hybrid);
      });
    },
    arrived: (remote) => {
      const known = awaited.get(remote);
      awaited.delete(remote);
      return known && { ...known.offer, tookMs: nowMs() - known.atMs };
    },
  };
}
