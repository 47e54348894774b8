/** Where a peer may be reached, as it says itself: addresses of networks, never this machine's own or everybody's. */
import net from "node:net";

import { maxCandidates, type Place } from "../../wire/rendezvous.ts";

/** Nobody is sent to a service of his own machine, to a group, or to no address at all. */
const unfit = new net.BlockList();
for (const [address, prefix] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 3],
] as const)
  unfit.addSubnet(address, prefix, "ipv4");

const here = new net.BlockList();
here.addSubnet("127.0.0.0", 8, "ipv4");

/** The ports of services that everybody has. */
const firstPort = 1024;

/** What a rendezvous says, which may lie: on this machine alone where it is itself on it. */
export function placesSaidBy(rendezvous: Place, places: readonly Place[]): readonly Place[] {
  const isHere = net.isIPv4(rendezvous.host) && here.check(rendezvous.host, "ipv4");
  return isHere ? places.filter(({ port }) => port >= firstPort) : reachablePlaces(places);
}

/** @returns those that may be dialled, as they were said */
export function reachablePlaces(places: readonly Place[]): readonly Place[] {
  return places
    .filter(({ host, port }) => net.isIPv4(host) && !unfit.check(host, "ipv4") && port >= firstPort)
    .slice(0, maxCandidates);
}
