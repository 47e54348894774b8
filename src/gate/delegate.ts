/** Giving a part of what one may do to another caller: chain, scope, depth and end only ever narrow. */
import { signJws } from "../crypto/jws.ts";
import { type Credential, delegationType, maxCredentialChars, writeClaims } from "../identity/delegation.ts";
import { isGatewayId, spiffeId, trustDomainOf } from "../identity/spiffe-id.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Caller, Scope } from "../model/caller.ts";
import { firstBeyond, whyNoScope } from "../policy/delegation-scope.ts";
import type { InSession } from "./call.ts";
import { standing } from "./entries.ts";
import type { Ports } from "./ports.ts";
import type { World } from "./world.ts";

/** What a caller asks to give. */
export interface Grant {
  /** SPIFFE ID of who may use it, or its path in the trust domain. */
  readonly to: string;
  readonly scope: Scope;
  /** By default ten minutes, or as long as the caller's own delegation lasts if that is less. */
  readonly lifetimeMs?: number;
  /** How often it may be delegated on; by default never. */
  readonly depth?: number;
}

/** A delegation that was signed. */
export interface Granted {
  readonly credential: Credential;
  readonly text: string;
}

const defaultLifetimeMs = 10 * 60_000;
/** Longer than any delegation may be allowed to last. */
const longestMs = 366 * 24 * 3_600_000;

/**
 * Signs a delegation, on record before anybody holds it; a refused one is on record too.
 * @param call which asks for it, and whose id becomes its own
 * @throws Refusal `delegation_refused`, `journal_unavailable`
 */
export async function delegate(call: InSession, grant: Grant, world: World, ports: Ports): Promise<Granted> {
  const asked = {
    event: "identity.delegate",
    atUnixMs: call.atUnixMs,
    callId: call.id,
    principal: call.caller.id,
    tool: null,
  } as const;
  const facts = { ...standing(call), to: asNamed(grant.to, world), asked: describe(grant.scope) };
  try {
    if (ports.delegations === undefined) throw refused("Delegations aren't given out here.");
    const credential = narrowed(call, grant, world);
    const claims = writeClaims(credential, world.trust.domain);
    const text = await signJws(delegationType, claims, ports.delegations()[0]);
    if (text.length > maxCredentialChars) throw refused("It would be too long for a header; name less.");
    const { holder, depth, notAfterUnixMs } = credential;
    const end = { depth: String(depth), not_after: new Date(notAfterUnixMs).toISOString() };
    await ports.journal.append({ ...asked, outcome: "allowed", facts: { ...facts, to: holder, ...end } });
    return { credential, text };
  } catch (error) {
    if (error instanceof Refusal && error.code === "delegation_refused") {
      const reason = printable(error.message, 256);
      await ports.journal.append({ ...asked, outcome: "denied", facts: { ...facts, reason } });
    }
    throw error;
  }
}

/** As it would be called if it could be had. */
function asNamed(to: string, { trust }: World): string {
  if (to.startsWith("spiffe://")) return printable(to, 256);
  try {
    return spiffeId(trust.domain, to);
  } catch {
    return printable(to, 256);
  }
}

/** INVARIANT: nothing in it goes beyond what `caller` holds. */
function narrowed({ caller, id, atUnixMs }: InSession, grant: Grant, world: World): Credential {
  const chain = [...caller.chain, caller.id];
  const holder = heldBy(grant.to, chain, world.trust.domain);
  const { scope } = grant;
  const wrong = whyNoScope(scope);
  if (wrong !== undefined) throw refused(`This can't be delegated: ${wrong}.`);
  const beyond = caller.delegation && firstBeyond(scope, caller.delegation.scope);
  if (beyond !== undefined) throw refused(`"${beyond}" isn't within a pattern of your own delegation.`);
  const issuedUnixMs = wholeSeconds(atUnixMs);
  return {
    id,
    chain,
    ...certificatesOf(caller),
    holder,
    scope,
    depth: depthOf(grant, caller, world),
    issuedUnixMs,
    notAfterUnixMs: wholeSeconds(endOf(grant, caller, { world, issuedUnixMs })),
  };
}

function heldBy(to: string, chain: readonly string[], domain: string): string {
  const holder = to.startsWith("spiffe://") ? to : spiffeIdIn(domain, to);
  if (trustDomainOf(holder) !== domain) throw refused(`Expected a SPIFFE ID of ${domain} to delegate to.`);
  if (isGatewayId(holder)) throw refused("The gateway acts for nobody but itself.");
  if (chain.includes(holder)) throw refused(`${holder} is among those who delegated this already.`);
  return holder;
}

function spiffeIdIn(domain: string, path: string): string {
  try {
    return spiffeId(domain, path);
  } catch (cause) {
    throw new Refusal("delegation_refused", `Expected a SPIFFE ID, or its path, to delegate to.`, { cause });
  }
}

function depthOf({ depth = 0 }: Grant, { chain, delegation }: Caller, { delegation: limits }: World): number {
  const left = Math.min(
    limits.maxDepth - chain.length - 1,
    delegation === undefined ? Infinity : delegation.depth - 1,
  );
  if (left < 0) {
    const why =
      delegation?.depth === 0 ? "Your delegation may not be delegated on." : tooDeep(limits.maxDepth);
    throw refused(why);
  }
  if (depth > left) throw refused(`It may be delegated on ${left} times at most, not ${depth}.`);
  return depth;
}

function tooDeep(maxDepth: number): string {
  return maxDepth === 0
    ? "Nobody may act for others here (delegation.max_depth is 0)."
    : `No more than ${maxDepth} delegations may follow upon each other here.`;
}

function endOf(
  { lifetimeMs }: Grant,
  { delegation }: Caller,
  { world, issuedUnixMs }: { readonly world: World; readonly issuedUnixMs: number },
): number {
  const latest = delegation?.notAfterUnixMs ?? Infinity;
  const { maxLifetimeMs } = world.delegation;
  if (lifetimeMs === undefined) {
    return Math.min(issuedUnixMs + Math.min(defaultLifetimeMs, maxLifetimeMs), latest);
  }
  const end = issuedUnixMs + Math.min(lifetimeMs, longestMs);
  if (lifetimeMs > maxLifetimeMs) throw refused(`It may last ${maxLifetimeMs / 1000} seconds at most.`);
  if (end > latest) throw refused("It may not outlast your own delegation.");
  return end;
}

/** The certificates under which the chain stands: whoever has none can't be revoked here, and so can't delegate. */
function certificatesOf({ proof, chain, delegation }: Caller): Pick<Credential, "serials" | "issuers"> {
  if (proof.kind !== "svid" || (chain.length > 0 && delegation === undefined)) {
    throw refused("Only a caller with a certificate that acts for no token's user can delegate.");
  }
  const { serials = [], issuers = [] } = delegation ?? {};
  return { serials: [...serials, proof.serial], issuers: [...issuers, proof.issuer] };
}

/** A JWT counts in seconds; what is cut off makes it shorter. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function describe(scope: Scope): string {
  const texts = Object.entries(scope).flatMap(([kind, patterns]: [string, readonly string[]]) =>
    patterns.map((pattern) => `${kind}:${pattern}`),
  );
  return printable(texts.join(" "), 1024);
}

function refused(text: string): Refusal {
  return new Refusal("delegation_refused", text);
}
