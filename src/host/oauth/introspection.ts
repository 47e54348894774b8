/** Tokens that say nothing by themselves: their issuer is asked what they are (RFC 7662). */
import type { JWTPayload } from "jose";
import * as oauth from "oauth4webapi";

import { sha256 } from "../../crypto/hash.ts";
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type BoundedFetch, oauthOptions } from "./bounded-fetch.ts";
import { issuerUnavailable } from "./issuer-keys.ts";

export interface IntrospectionSpec {
  readonly url: string;
  /** How we prove ourselves there; client_secret_basic. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** How long an answer counts: as long may a withdrawn token. */
  readonly cacheMs: number;
}

/** The claims of a token that is active; undefined for any other. */
export type Introspect = (token: string) => Promise<JWTPayload | undefined>;

/** Answers remembered at once. */
const maxRemembered = 10_000;

export function introspector(
  issuer: string,
  spec: IntrospectionSpec,
  { fetch, clock }: { readonly fetch: BoundedFetch; readonly clock: Clock },
): Introspect {
  const known = new Map<string, { readonly until: number; readonly claims: ReturnType<Introspect> }>();
  const ask: Introspect = async (token) => {
    const server = { issuer, introspection_endpoint: spec.url };
    const client = { client_id: spec.clientId };
    try {
      const proof = oauth.ClientSecretBasic(spec.clientSecret);
      const response = await oauth.introspectionRequest(server, client, proof, token, oauthOptions(fetch));
      const { active, ...claims } = await oauth.processIntrospectionResponse(server, client, response);
      return active ? claims : undefined;
    } catch (cause) {
      if (cause instanceof Refusal) throw cause;
      const why = cause instanceof Error ? cause.message : "unknown";
      throw issuerUnavailable({ why }, cause);
    }
  };
  return async (token) => {
    const key = toBase64url(sha256(utf8(token)));
    const now = clock.nowUnixMs();
    const remembered = known.get(key);
    if (remembered !== undefined && now < remembered.until) return await remembered.claims;
    known.delete(key);
    const [oldest] = known.keys();
    if (known.size >= maxRemembered && oldest !== undefined) known.delete(oldest);
    const claims = ask(token);
    known.set(key, { until: now + spec.cacheMs, claims });
    // What couldn't be asked is asked anew.
    claims.catch(() => known.delete(key));
    return await claims;
  };
}
