/** Private networks of a lab, each behind a NAT of some kind (RFC 4787, RFC 5382), as nftables makes it. */
import { spawnSync } from "node:child_process";

import type { Cleanup } from "./cleanup.ts";
import { installed, withDaemons } from "./debian.ts";
import { inSpace, type Network, openSpace, type Space, whyNoLab } from "./lab.ts";

/**
 * What is between a home and the public network. `none`: the home is in the public network itself. All others keep a
 * connection's port if they can and show it to every destination, but for `symmetric`, which takes a random one for each
 * connection. They let in whom the very same port was sent to; `address-restricted` anybody at an address that was. Who
 * isn't let in is dropped, by `resetting` told so (RST).
 */
export const natKinds = ["none", "preserving", "resetting", "address-restricted", "symmetric"] as const;
export type NatKind = (typeof natKinds)[number];

export interface Site {
  readonly kind: NatKind;
  /** In the public network. */
  readonly address: string;
  readonly homes: readonly Space[];
  /** What has the wire to the public network: the NAT, or the one home. */
  readonly edge: Space;
  /** Lets nothing pass between its homes and that address any more. */
  readonly block: (address: string) => void;
  readonly unblock: () => void;
  /** Its provider gives it another one. */
  readonly move: (address: string) => Promise<void>;
}

/** @returns why there can't be NATs here; undefined if there can */
export function whyNoNats(): string | undefined {
  return whyNoLab() ?? installed("nft", "nftables");
}

interface SiteSpec {
  readonly kind: NatKind;
  /** Word characters, its own in the lab. */
  readonly label: string;
  readonly address: string;
  readonly homes?: number;
}

/** Every private network is the same one, as those of routers out of the box are. */
const lan = "192.168.1";

export async function openSite(t: Cleanup, network: Network, spec: SiteSpec): Promise<Site> {
  const { kind, label, address } = spec;
  const edge = openSpace(t, kind === "none" ? label : `${label}_nat`);
  await network.plug(edge, "wan", [address]);
  const homes = kind === "none" ? [edge] : openHomes(t, edge, spec);
  if (kind !== "none") nft(edge, ruleset(kind));
  return {
    kind,
    address,
    homes,
    edge,
    block: (other) => nft(edge, blocking(other)),
    unblock: () => nft(edge, "delete table ip blocking"),
    move: (to) => network.plug(edge, "wan", [to]),
  };
}

/**
 * A space with a cable to that site's edge, which is as fast as the machine, and no NAT between: the edge forwards.
 * @param label word characters, at most 9; @param subnet `10.99.SUBNET.1` is the edge, `.2` the space
 */
export function joinByCable(t: Cleanup, { edge }: Site, label: string, subnet: number): Space {
  const space = openSpace(t, label);
  const ends = [
    { at: edge, device: `to_${label}`, address: `10.99.${subnet}.1/24` },
    { at: space, device: "cable", address: `10.99.${subnet}.2/24` },
  ] as const;
  const [near, far] = ends;
  inSpace(edge, "link", "add", near.device, "type", "veth", "peer", "name", far.device, "netns", space.name);
  for (const { at, device, address } of ends) {
    inSpace(at, "addr", "add", address, "dev", device);
    inSpace(at, "link", "set", device, "up");
  }
  inSpace(space, "route", "add", "default", "via", `10.99.${subnet}.1`);
  run(edge, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  return space;
}

function openHomes(t: Cleanup, nat: Space, { label, homes = 1 }: SiteSpec): readonly Space[] {
  inSpace(nat, "link", "add", "lan", "type", "bridge");
  inSpace(nat, "addr", "add", `${lan}.1/24`, "dev", "lan");
  inSpace(nat, "link", "set", "lan", "up");
  run(nat, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  return Array.from({ length: homes }, (_, i) => {
    const home = openSpace(t, `${label}_home${i}`);
    const [near, far] = [`lan${i}`, "eth0"];
    inSpace(nat, "link", "add", near, "type", "veth", "peer", "name", far, "netns", home.name);
    inSpace(nat, "link", "set", near, "master", "lan", "up");
    inSpace(home, "addr", "add", `${lan}.${i + 2}/24`, "dev", far);
    inSpace(home, "link", "set", far, "up");
    inSpace(home, "route", "add", "default", "via", `${lan}.1`);
    return home;
  });
}

function ruleset(kind: Exclude<NatKind, "none">): string {
  const unsolicited = kind === "resetting" ? "meta l4proto tcp reject with tcp reset" : "drop";
  const masquerade = kind === "symmetric" ? "masquerade fully-random" : "masquerade";
  const lets = kind === "address-restricted" ? `ip saddr . tcp dport @met dnat to ${lan}.2` : "accept";
  return `
table ip lab {
  set met { type ipv4_addr . inet_service; flags dynamic, timeout; timeout 5m; }
  chain arriving {
    type nat hook prerouting priority dstnat;
    iifname "wan" ${lets}
  }
  chain leaving {
    type nat hook postrouting priority srcnat;
    oifname "wan" ${masquerade}
  }
  chain passing {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan" meta l4proto tcp add @met { ip daddr . tcp sport }
    iifname "lan" accept
    ct status dnat accept
  }
  chain unsolicited {
    type filter hook input priority filter; policy accept;
    iifname "wan" ct state new ${unsolicited}
  }
}`;
}

function blocking(address: string): string {
  return `
table ip blocking {
  chain passing {
    type filter hook forward priority -10; policy accept;
    ip saddr ${address} drop
    ip daddr ${address} drop
  }
}`;
}

function nft(space: Space, rules: string): void {
  run(space, ["nft", "-f", "-"], rules);
}

function run({ on }: Space, command: readonly string[], input = ""): void {
  const [program, ...args] = [...on, ...command];
  const done = spawnSync(program ?? "", args, { encoding: "utf8", input, env: withDaemons() });
  if (done.status !== 0) throw new Error(`${command.join(" ")}: ${done.stderr}`);
}
