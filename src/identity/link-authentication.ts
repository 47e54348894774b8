/** What a link proves of its peer now, and whether that is enough for where a call goes. */
import { Refusal } from "../kernel/refusal.ts";
import type { Channel, ClassicalIdentity, SvidPeer } from "../model/channel.ts";
import type { Trust } from "./admission.ts";

/** Judged again at every call, as the ML-DSA identity is: it ends with its certificate. */
function classicalOf(
  { classical }: SvidPeer,
  trust: Trust,
  nowUnixMs: number,
): ClassicalIdentity | undefined {
  if (classical === undefined || classical.notAfterUnixMs <= nowUnixMs) return undefined;
  return trust.revokedSerials.has(classical.serial) ? undefined : classical;
}

/** What it is called in the log: the algorithms that would have to be broken to pretend it, e.g. `ML-DSA-65+Ed25519`. */
export function linkAuthentication(peer: SvidPeer, trust: Trust, nowUnixMs: number): string {
  const classical = classicalOf(peer, trust, nowUnixMs);
  const { keyAlgorithm } = peer;
  return classical === undefined ? keyAlgorithm : `${keyAlgorithm}+${classical.keyAlgorithm}`;
}

/**
 * @param where what asks for both identities, as a person calls it
 * @throws Refusal `link_too_weak` for a link without a classical identity beside the ML-DSA one
 */
export function checkHybrid({ peer }: Channel, where: string, trust: Trust, nowUnixMs: number): void {
  if (peer.kind !== "svid") {
    throw new Refusal(
      "link_too_weak",
      `${where} takes calls from sidecars alone, which prove two identities.`,
    );
  }
  if (classicalOf(peer, trust, nowUnixMs) !== undefined) return;
  const { classical } = peer;
  const why =
    classical === undefined
      ? "this one has none; use a sidecar of this gateway's version, which gets and proves it by itself"
      : "this one's has ended or was revoked; connect again with renewed certificates";
  throw new Refusal(
    "link_too_weak",
    `${where} asks for a link that proves a classical identity beside the ${peer.keyAlgorithm} one: ${why}.`,
    { facts: { link: linkAuthentication(peer, trust, nowUnixMs) } },
  );
}
