/**
 * Addresses that aren't somebody else's on the internet: this machine, its networks, the cloud's own services and what
 * the registries of special-purpose addresses reserve (RFC 6890 and its updates). A server reaches them only where a
 * rule names them.
 */
import { type Address, holds, type Network, parseNetwork } from "../../expr/network.ts";

const specialBlocks = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // Azure's own services, at an address that looks like anybody's.
  "168.63.129.16/32",
  // Teredo, and others of the IETF's; 6to4, which has an IPv4 address inside; documentation.
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
].map(network);

/** All of IPv6 that is given out for the internet; the rest is local, mapped, translated or multicast. */
const globalUnicast = network("2000::/3");

export function isSpecial(address: Address): boolean {
  if (address.version === 6 && !holds(globalUnicast, address)) return true;
  return specialBlocks.some((block) => holds(block, address));
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`${text} is no network`);
  return parsed;
}
