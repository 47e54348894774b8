/** For whom a caller acts, and in which of its clients' sessions: what it brings beside its own identity. */
import { openJws } from "../crypto/jws.ts";
import type { SigningKey } from "../crypto/keys.ts";
import { actingWith, delegationType, maxCredentialChars, readClaims } from "../identity/delegation.ts";
import { Refusal } from "../kernel/refusal.ts";
import { holderOf } from "../model/caller.ts";
import { delegationHeader, sessionHeader, sessionPartHeader } from "../wire/identity-headers.ts";
import type { Delegated, Identified, InSession } from "./call.ts";
import type { Ports } from "./ports.ts";
import type { World } from "./world.ts";

/**
 * Who acts with a credential acts for others; who brings none acts for itself, whatever credentials it has.
 * @throws Refusal `delegation_refused`
 */
export function delegated(call: Identified, world: World, ports: Pick<Ports, "delegations">): Delegated {
  const text = call.header(delegationHeader);
  if (text === undefined) return { ...call, delegation: "checked" };
  const { delegations: keys } = ports;
  if (keys === undefined) throw new Refusal("delegation_refused", "Delegations aren't taken here.");
  const claims = text.length > maxCredentialChars ? undefined : opened(text, keys());
  const credential = claims === undefined ? undefined : readClaims(claims, world.trust.domain);
  if (credential === undefined) {
    throw new Refusal("delegation_refused", "This delegation isn't one of this gateway's, or was changed.");
  }
  const under = { trust: world.trust, limits: world.delegation, nowUnixMs: call.atUnixMs };
  return { ...call, caller: actingWith(call.caller, credential, under), delegation: "checked" };
}

function opened(text: string, keys: readonly SigningKey[]): string | undefined {
  for (const key of keys) {
    const claims = openJws(delegationType, text, key);
    if (claims !== undefined) return claims;
  }
  return undefined;
}

/** @throws Refusal `session_ended` */
export function inClientSession(
  call: Delegated,
  { clientSessions, flow: memory, watch: watching }: Pick<Ports, "clientSessions" | "flow" | "watch">,
): InSession {
  const token = call.header(sessionHeader);
  const part = call.header(sessionPartHeader);
  const used = clientSessions.use(call.caller, { token, part }, call.atUnixMs);
  const { id: clientSession, beganUnixMs: sessionBeganUnixMs } = used;
  // What has no token has a session of this process; what it read counts in the next one, too.
  const named = token === undefined ? JSON.stringify([holderOf(call.caller), part ?? ""]) : clientSession;
  const flow = memory?.of(named, call.atUnixMs);
  const watch = watching?.of(named, call.caller.id);
  return { ...call, clientSession, sessionBeganUnixMs, ...(flow && { flow }), ...(watch && { watch }) };
}
