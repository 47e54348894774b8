/**
 * Peers on one network find each other (mDNS, RFC 6762; DNS-SD, RFC 6763) under names that change every ten minutes
 * and say nothing to who doesn't know the peer id already.
 */
import multicastDns, { type MulticastDNS } from "multicast-dns";

import { sha256 } from "../../crypto/hash.ts";
import { toBase32 } from "../../kernel/base32.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Place } from "../../wire/rendezvous.ts";
import { ownAddresses } from "./own-networks.ts";
import { reachablePlaces } from "./reachable-places.ts";

const service = "_mcp-pq._tcp.local";
const epochMs = 600_000;
const timeToLiveS = 60;
/** Interfaces that are listened on: a machine with more has bridges of containers. */
const maxInterfaces = 8;
const queryEachMs = 250;

/** What a peer is called on its network at that time. */
function blindedName(peerId: string, nowUnixMs: number): string {
  const epoch = Math.floor(nowUnixMs / epochMs);
  const blinded = toBase32(sha256(utf8(`latticegate local peer\n${peerId}\n${epoch}`)));
  return `${blinded.slice(0, 26)}.${service}`;
}

/** The names of now, and of clocks that are a little off. */
function namesOf(peerId: string, clock: Clock): ReadonlySet<string> {
  const now = clock.nowUnixMs();
  return new Set([now - epochMs, now, now + epochMs].map((at) => blindedName(peerId, at)));
}

/** Answers who asks for this peer. @returns stops */
export function advertise(
  peer: { readonly peerId: string; readonly port: number },
  clock: Clock,
): () => void {
  return onInterfaces((mdns, address) => {
    mdns.on("query", ({ questions }) => {
      const names = namesOf(peer.peerId, clock);
      const asked = questions?.find(({ name, type }) => type === "SRV" && names.has(name.toLowerCase()));
      if (asked === undefined) return;
      const target = asked.name.replace(`.${service}`, ".local");
      mdns.respond({
        answers: [{ name: asked.name, type: "SRV", ttl: timeToLiveS, data: { port: peer.port, target } }],
        additionals: [{ name: target, type: "A", ttl: timeToLiveS, data: address }],
      });
    });
  });
}

/** Where a peer says that it is, by who answers first. @returns empty if nobody does in time */
export async function findLocally(
  peerId: string,
  {
    clock,
    timeoutMs,
    signal,
  }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly Place[]> {
  const { promise, resolve } = Promise.withResolvers<readonly Place[]>();
  const names = namesOf(peerId, clock);
  const asking: (() => void)[] = [];
  const stop = onInterfaces((mdns) => {
    mdns.on("response", ({ answers, additionals }) => {
      const places = placesIn([...(answers ?? []), ...(additionals ?? [])], names);
      if (places.length > 0) resolve(places);
    });
    asking.push(() => mdns.query([...names].map((name) => ({ name, type: "SRV" as const }))));
  });
  const ask = (): void => asking.forEach((each) => each());
  ask();
  const repeat = setInterval(ask, queryEachMs);
  const late = setTimeout(() => resolve([]), timeoutMs);
  const given = (): void => resolve([]);
  signal.addEventListener("abort", given, { once: true });
  try {
    return await promise;
  } finally {
    clearInterval(repeat);
    clearTimeout(late);
    signal.removeEventListener("abort", given);
    stop();
  }
}

type Told = { readonly name: string; readonly type: string; readonly data?: unknown };

function placesIn(told: readonly Told[], names: ReadonlySet<string>): readonly Place[] {
  const places = told.flatMap(({ name, type, data }) => {
    if (type !== "SRV" || !names.has(name.toLowerCase()) || !isService(data)) return [];
    const { port, target } = data;
    return told.flatMap((each) =>
      each.type === "A" && each.name === target && typeof each.data === "string"
        ? [{ host: each.data, port }]
        : [],
    );
  });
  return reachablePlaces(places);
}

function isService(data: unknown): data is { readonly port: number; readonly target: string } {
  return (
    typeof data === "object" &&
    data !== null &&
    "port" in data &&
    typeof data.port === "number" &&
    "target" in data &&
    typeof data.target === "string"
  );
}

/** A multicast socket for each network; one that can't be had is left out. @returns closes them */
function onInterfaces(use: (mdns: MulticastDNS, address: string) => void): () => void {
  const opened = ownAddresses()
    .slice(0, maxInterfaces)
    .map((address) => {
      // Bound to all addresses: bound to its own, it would hear no multicast on Linux.
      const mdns = multicastDns({ interface: address, bind: "0.0.0.0", reuseAddr: true });
      mdns.on("error", () => {});
      mdns.on("warning", () => {});
      use(mdns, address);
      return mdns;
    });
  return () => opened.forEach((mdns) => mdns.destroy());
}
