/** One server's grants of its callers: begun for a caller, redeemed for that caller, used for nobody else. */
import { type Caller, holderOf } from "../../model/caller.ts";
import type { GrantFacts } from "../store/state-grants.ts";
import { beginConsent, type Consent, type ConsentAnswer, redeem } from "./consent.ts";
import { freshToken, grantNeeded, tellRevoked, type UserGrantsOptions } from "./kept-tokens.ts";
import { pendingConsents } from "./pending-consents.ts";
import { tokenCache } from "./token-cache.ts";
import type { TokenSource } from "./token-source.ts";

export interface UserGrants extends TokenSource {
  /** @param redirectUri on loopback, of the process that will receive the code */
  readonly begin: (caller: Caller, redirectUri: string) => Promise<Consent>;
  /** @throws Refusal `denied` if it isn't the answer to what this caller began */
  readonly finish: (caller: Caller, answer: ConsentAnswer) => Promise<GrantFacts>;
  /** @returns whether there was one */
  readonly revoke: (holder: string) => Promise<boolean>;
}

export function userGrants(options: UserGrantsOptions): UserGrants {
  const { server, store, base } = options;
  const cache = tokenCache(base.clock);
  const pending = pendingConsents(base.clock);
  /** What a server wanted beyond what the caller had. */
  const wanted = new Map<string, string>();
  const keyOf = ({ holder, id }: GrantFacts): string => JSON.stringify([holder, id]);
  return {
    token: async (caller) => {
      const grant = store.facts(server, holderOf(caller));
      if (grant === undefined) throw grantNeeded(server);
      return await cache.get(keyOf(grant), () => freshToken(grant, options));
    },
    refused: (caller, token) => {
      const grant = store.grant(server, holderOf(caller));
      if (grant === undefined) return;
      cache.drop(keyOf(grant), token);
      if (grant.tokens.accessToken !== token.value) return;
      const { accessToken: _, ...rest } = grant.tokens;
      if (rest.refreshToken === undefined) store.remove(server, grant.holder, grant.id);
      else store.renew(grant, rest);
    },
    insufficient: (caller, scope) => {
      if (scope !== undefined) remember(wanted, holderOf(caller), scope);
      return grantNeeded(server, "wants more than was consented to");
    },
    useless: (caller) => {
      const refusal = grantNeeded(server, "doesn't accept what was consented to");
      const grant = store.facts(server, holderOf(caller));
      return grant === undefined ? refusal : cache.useless(keyOf(grant), refusal);
    },
    begin: async (caller, redirectUri) => {
      const holder = holderOf(caller);
      const begun = await beginConsent({ holder, redirectUri, wanted: wanted.get(holder) }, options);
      pending.add(begun.pending);
      return begun.consent;
    },
    finish: async (caller, answer) => {
      const holder = holderOf(caller);
      const begun = pending.take(answer.parameters.get("state") ?? "", holder);
      const grant = await redeem(begun, answer, options);
      wanted.delete(holder);
      return grant;
    },
    revoke: async (holder) => {
      const grant = store.grant(server, holder);
      if (grant === undefined || !store.remove(server, holder)) return false;
      cache.forget(keyOf(grant));
      await tellRevoked(grant, options);
      return true;
    },
  };
}

/** Callers whose servers' wishes are remembered. */
const maxWanted = 1000;

function remember(wanted: Map<string, string>, holder: string, scope: string): void {
  const [oldest] = wanted.keys();
  if (wanted.size >= maxWanted && oldest !== undefined) wanted.delete(oldest);
  wanted.set(holder, scope);
}
