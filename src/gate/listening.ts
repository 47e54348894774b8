/**
 * What a subscription listens to is judged as what it names (MCP 2026-07-28): whoever may not have a resource isn't told
 * that it is there, nor when it changes. What is asked of lists alone names nothing.
 */
import { postureOf } from "../model/channel.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Denial } from "../policy/decide.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { memberOf, valueAt } from "../wire/values.ts";
import type { Located } from "./call.ts";
import { facingLists } from "./facts.ts";
import { verdictOn } from "./verdict.ts";
import type { World } from "./world.ts";

/** Each is judged. */
const maxAddresses = 1000;

/** Why one of the resources it names may not be listened to. @throws Refusal `bad_envelope` for a crowd of them */
export function deniedResource(call: Located, world: World): Denial | undefined {
  const { frame, caller, channel, server } = call;
  // A virtual server asks its members, each by its own names, on the caller's behalf.
  if (frame?.kind !== "request" || world.virtualServers.has(server)) return undefined;
  const addresses = listenedTo(frame, "resourceSubscriptions");
  if (addresses.length > maxAddresses)
    throw new Refusal("bad_envelope", `Expected at most ${maxAddresses} addresses in a subscription.`);
  for (const name of addresses) {
    const target = { kind: "resources", name } as const;
    const facts = facingLists(call, target, world);
    const question = { caller, link: postureOf(channel), server, target, facts, isList: true } as const;
    const verdict = verdictOn(question, world);
    if (verdict.kind !== "permit") return verdict;
  }
  return undefined;
}

/** What a subscription names: resources, or tasks; none for any other request. */
export function listenedTo(
  { method, bytes, params }: RequestFrame,
  what: "resourceSubscriptions" | "taskIds",
): readonly string[] {
  if (method !== "subscriptions/listen" || params === undefined) return [];
  const names = memberOf(memberOf(valueAt(bytes, params.span), "notifications"), what);
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}
