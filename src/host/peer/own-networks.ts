/** The networks this machine is on. */
import net from "node:net";
import os from "node:os";

import type { PathKind } from "../../model/peer-path.ts";

function ipv4(): readonly os.NetworkInterfaceInfo[] {
  return Object.values(os.networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family }) => family === "IPv4");
}

/** IPv4 addresses under which other machines of its networks may reach it. */
export function ownAddresses(): readonly string[] {
  return ipv4()
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}

/** Whether an address is one of a network that this machine is on. */
export function kindTo(host: string): Exclude<PathKind, "relayed"> {
  const networks = new net.BlockList();
  for (const { address, netmask } of ipv4()) networks.addSubnet(address, prefixOf(netmask), "ipv4");
  const plain = host.replace(/^::ffff:/, "");
  return net.isIPv4(plain) && networks.check(plain, "ipv4") ? "local" : "direct";
}

function prefixOf(netmask: string): number {
  return netmask
    .split(".")
    .map((part) => Number(part).toString(2).replaceAll("0", "").length)
    .reduce((sum, ones) => sum + ones, 0);
}
