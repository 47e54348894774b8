/**
 * TCP's segment size (MSS) of one socket, lowered before it connects or listens: both ends then send no more at once,
 * since the SYN says so (RFC 9293 §3.7.1). Node has no option for it; the C library is asked through node:ffi.
 */
import { lookup } from "node:dns/promises";
import net from "node:net";

import { Refusal } from "../../kernel/refusal.ts";

/** IPPROTO_TCP and TCP_MAXSEG, the same on Linux and macOS. */
const tcp = 6;
const maxSegment = 2;
const platforms: readonly string[] = ["linux", "darwin"];
/** Systems differ in what they take before a connection is there. */
const probeBytes = 1180;
const refused = "the system refuses it";

/** What an operator can do where this process can't. */
export const segmentRemedy =
  "set net.ipv4.tcp_mtu_probing=1 on both machines, or clamp the MSS on a router in between";

type SetSegment = (descriptor: number, bytes: number) => boolean;
type Ability =
  | { readonly kind: "able"; readonly set: SetSegment }
  | { readonly kind: "unable"; readonly why: string };

let known: Promise<Ability> | undefined;

/** Why segments can't be lowered here; undefined if they can. */
export async function whySegmentsAreFixed(): Promise<string | undefined> {
  const ability = await (known ??= findAbility());
  return ability.kind === "able" ? undefined : ability.why;
}

/**
 * A socket of that segment size, bound and not connected yet.
 * @param address numeric, as the socket will be used with
 * @throws Refusal `bad_config` if it can't be lowered here
 */
export async function boundSocket(
  address: { readonly host: string; readonly port: number; readonly reusePort?: boolean },
  segmentBytes: number,
): Promise<net.BoundSocket> {
  const ability = await (known ??= findAbility());
  if (ability.kind === "unable") throw fixed(ability.why);
  const bound = new net.BoundSocket(address);
  if (ability.set(bound.fd(), segmentBytes)) return bound;
  bound.close();
  throw fixed(refused);
}

/** The numeric address that is connected to first. */
export async function numericAddress(
  host: string,
): Promise<{ readonly host: string; readonly family: number }> {
  const { address, family } = await lookup(host);
  return { host: address, family };
}

function fixed(why: string): Refusal {
  return new Refusal("bad_config", `TCP segments can't be lowered here: ${why}. Instead, ${segmentRemedy}.`);
}

/** Loaded when it is needed: it is experimental, says so on stderr, and may be switched off. */
async function findAbility(): Promise<Ability> {
  if (!platforms.includes(process.platform)) {
    return { kind: "unable", why: `it isn't built for ${process.platform}` };
  }
  try {
    const { default: ffi } = await import("node:ffi");
    const { functions } = ffi.dlopen(null, {
      setsockopt: { return: "i32", arguments: ["i32", "i32", "i32", "buffer", "u32"] },
    });
    const set: SetSegment = (descriptor, bytes) => {
      const value = Buffer.alloc(4);
      value.writeInt32LE(bytes);
      return functions.setsockopt(descriptor, tcp, maxSegment, value, value.length) === 0;
    };
    using probe = new net.BoundSocket({ host: "127.0.0.1" });
    return set(probe.fd(), probeBytes) ? { kind: "able", set } : { kind: "unable", why: refused };
  } catch {
    return { kind: "unable", why: "this Node has no node:ffi, or isn't allowed to use it" };
  }
}
