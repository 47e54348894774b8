/**
 * Delegations as credentials (docs/formats/delegation.md): JWTs in the shape of RFC 8693 §4, for one holder, who proves
 * itself beside them. Whoever began is `sub`; whoever may use it is the outermost `act`.
 */
import { Refusal } from "../kernel/refusal.ts";
import type { Caller, Delegation, Scope } from "../model/caller.ts";
import type { Trust } from "./admission.ts";
import { gatewayIdOf } from "./spiffe-id.ts";

/** What `typ` says of it. */
export const delegationType = "delegation+jwt";
/** It travels in a header: this leaves room for others in the 16 KiB that all may take. */
export const maxCredentialChars = 12_288;

/** A delegation with whom it is from and for. */
export interface Credential extends Delegation {
  /** On whose behalf, who began first; never empty. */
  readonly chain: readonly string[];
  /** Who may use it: the caller whose SPIFFE ID this is, and nobody else. */
  readonly holder: string;
  readonly issuedUnixMs: number;
}

/** How far delegations may reach here. */
export interface DelegationLimits {
  /** How many may follow upon another; 0 takes none. */
  readonly maxDepth: number;
  readonly maxLifetimeMs: number;
}

/** The claims, as JSON. Times are whole seconds. */
export function writeClaims(credential: Credential, domain: string): string {
  const { id, chain, holder, scope, depth, serials, issuers } = credential;
  const [subject, ...actors] = [...chain, holder];
  return JSON.stringify({
    iss: gatewayIdOf(domain),
    aud: `spiffe://${domain}`,
    sub: subject,
    act: actors.reduce<object | undefined>((act, sub) => ({ sub, ...(act && { act }) }), undefined),
    iat: credential.issuedUnixMs / 1000,
    exp: credential.notAfterUnixMs / 1000,
    jti: id,
    scope: scopeText(scope),
    "dev.latticegate/depth": depth,
    "dev.latticegate/serials": serials,
    "dev.latticegate/issuers": issuers,
  });
}

/** What those claims say; undefined unless they are complete and of that trust domain. */
export function readClaims(text: string, domain: string): Credential | undefined {
  const claims = objectIn(text);
  if (claims?.["iss"] !== gatewayIdOf(domain) || claims["aud"] !== `spiffe://${domain}`) return undefined;
  const { sub, act, iat, exp, jti, scope } = claims;
  const { "dev.latticegate/depth": depth, "dev.latticegate/serials": serials } = claims;
  const { "dev.latticegate/issuers": issuers } = claims;
  const [holder, ...before] = actorsIn(act);
  if (typeof sub !== "string" || typeof jti !== "string" || typeof scope !== "string") return undefined;
  if (holder === undefined || !isCount(iat) || !isCount(exp) || !isCount(depth)) return undefined;
  const chain = [sub, ...before.toReversed()];
  if (!isTexts(serials, chain.length) || !isTexts(issuers, chain.length)) return undefined;
  return {
    id: jti,
    chain,
    serials,
    issuers,
    holder,
    scope: scopeIn(scope),
    depth,
    issuedUnixMs: iat * 1000,
    notAfterUnixMs: exp * 1000,
  };
}

/**
 * The caller as whom a credential lets it act, judged again at every call.
 * @throws Refusal `delegation_refused` with the reason
 */
export function actingWith(
  caller: Caller,
  credential: Credential,
  under: { readonly trust: Trust; readonly limits: DelegationLimits; readonly nowUnixMs: number },
): Caller {
  const { trust, limits, nowUnixMs } = under;
  const { chain, holder, issuedUnixMs, ...delegation } = credential;
  const { id, serials, issuers, notAfterUnixMs } = delegation;
  const refuse = (text: string): Refusal =>
    new Refusal("delegation_refused", text, { facts: { delegation: id } });
  if (holder !== caller.id) throw refuse("This delegation is for another caller.");
  if (caller.chain.length > 0)
    throw refuse("A caller that acts for a user by its token takes no delegation.");
  if (notAfterUnixMs <= nowUnixMs) throw refuse("This delegation has ended; ask for another.");
  if (serials.some((serial) => trust.revokedSerials.has(serial))) {
    throw refuse("Somebody on whose behalf this is was revoked.");
  }
  // Who has a root's key may have delegated as anybody, with certificates that nobody can revoke one by one.
  if (!issuers.every((issuer) => trust.issuers.has(issuer))) {
    throw refuse("Somebody delegated this with a certificate of a root that isn't trusted any more.");
  }
  if (chain.length > limits.maxDepth) {
    throw refuse(`This delegation is one of ${chain.length} in a row; ${limits.maxDepth} are allowed here.`);
  }
  if (notAfterUnixMs - issuedUnixMs > limits.maxLifetimeMs) {
    throw refuse("This delegation lasts longer than is allowed here.");
  }
  return { ...caller, chain, delegation };
}

const kinds = ["tools", "resources", "prompts"] as const satisfies readonly (keyof Scope)[];

/** RFC 6749 §3.3: tokens parted by spaces, here `tools:server/name`. */
function scopeText(scope: Scope): string {
  return kinds.flatMap((kind) => scope[kind].map((pattern) => `${kind}:${pattern}`)).join(" ");
}

/** What has no such beginning covers nothing here. */
function scopeIn(text: string): Scope {
  const tokens = text.split(" ");
  const of = (kind: keyof Scope): readonly string[] =>
    tokens.filter((token) => token.startsWith(`${kind}:`)).map((token) => token.slice(kind.length + 1));
  return { tools: of("tools"), resources: of("resources"), prompts: of("prompts") };
}

/** A chain no deployment has; what is longer isn't read to its end. */
const maxActors = 64;

/** Those of nested `act` claims, the outermost first; none if one of them is no actor. */
function actorsIn(act: unknown): readonly string[] {
  const actors: string[] = [];
  for (let each = act; each !== undefined; each = each["act"]) {
    if (!isObject(each) || typeof each["sub"] !== "string" || actors.length === maxActors) return [];
    actors.push(each["sub"]);
  }
  return actors;
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTexts(value: unknown, count: number): value is readonly string[] {
  return Array.isArray(value) && value.length === count && value.every((each) => typeof each === "string");
}
