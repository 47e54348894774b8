/** The tokens of one grant: given out while they last, renewed, and taken back at their authorization server. */
import {
  processRefreshTokenResponse,
  processRevocationResponse,
  refreshTokenGrantRequest,
  revocationRequest,
  type TokenEndpointResponse,
} from "oauth4webapi";

import { dpopKeysFromText } from "../../crypto/jwt-keys.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Grant, GrantFacts, GrantStore, GrantTokens } from "../store/state-grants.ts";
import {
  accessToken,
  dpopOf,
  explained,
  type OauthClient,
  oauthError,
  partyOf,
  withNonce,
} from "./client.ts";
import type { Located } from "./locate.ts";
import { asClient, type RegistrationOptions } from "./registration.ts";
import type { DpopUse } from "./service-tokens.ts";
import type { AccessToken } from "./token-cache.ts";

export interface UserGrantsOptions extends Omit<RegistrationOptions, "store"> {
  /** Name of the server. */
  readonly server: string;
  readonly locate: () => Promise<Located>;
  readonly scopes: readonly string[];
  readonly dpop: DpopUse;
  readonly store: GrantStore;
  readonly log: Log;
}

/** What a caller's person is told to do. */
export function grantNeeded(server: string, why = "needs the consent of a person"): Refusal {
  return new Refusal(
    "grant_needed",
    `"${server}" ${why}: run "latticegate grant ${server}" on the machine of this client, then try again.`,
  );
}

/** What of a token answer is kept. */
export function tokensOf(answer: TokenEndpointResponse, nowUnixMs: number): Partial<GrantTokens> {
  return {
    accessToken: answer.access_token,
    ...(answer.expires_in !== undefined && { notAfterUnixMs: nowUnixMs + answer.expires_in * 1000 }),
    ...(answer.refresh_token !== undefined && { refreshToken: answer.refresh_token }),
  };
}

/** The grant's token while it lasts, else a renewed one; a grant that can't be renewed any more is dropped. */
export async function freshToken(facts: GrantFacts, options: UserGrantsOptions): Promise<AccessToken> {
  const { server, store, base } = options;
  const grant = store.grant(server, facts.holder);
  if (grant === undefined) throw grantNeeded(server);
  const located = await options.locate();
  // Another server under the same name, or another authorization server: the grant isn't for them.
  if (located.as.issuer !== grant.issuer || located.resource !== grant.resource) throw grantNeeded(server);
  const { tokens } = grant;
  const keys = tokens.dpopKeys === undefined ? undefined : await dpopKeysFromText(tokens.dpopKeys);
  const dpop = keys && { handle: dpopOf(keys), isRequired: true };
  const now = base.clock.nowUnixMs();
  const leftMs = (tokens.notAfterUnixMs ?? Infinity) - now;
  if (tokens.accessToken !== undefined && leftMs > renewalMs) {
    return {
      value: tokens.accessToken,
      ...(tokens.notAfterUnixMs !== undefined && {
        notAfterUnixMs: tokens.notAfterUnixMs,
        renewAtUnixMs: tokens.notAfterUnixMs - renewalMs,
      }),
      dpop: dpop?.handle,
    };
  }
  const answer = await refreshed(grant, { located, dpop }, options);
  // On disk before it is used: with rotation the old one counts no more.
  store.renew(grant, { ...tokens, notAfterUnixMs: undefined, ...tokensOf(answer, now) });
  return accessToken(answer, dpop, now);
}

/** Renewed this long before its end. */
const renewalMs = 30_000;

async function refreshed(
  grant: Grant,
  {
    located,
    dpop,
  }: { readonly located: Located; readonly dpop: { readonly handle: ReturnType<typeof dpopOf> } | undefined },
  options: UserGrantsOptions,
): Promise<TokenEndpointResponse> {
  const { server, store, log } = options;
  const { refreshToken } = grant.tokens;
  const dropped = (cause: string): Refusal => {
    store.remove(server, grant.holder, grant.id);
    log.info("grant.ended", { server, holder: grant.holder, cause });
    return grantNeeded(server, "needs the consent of a person again");
  };
  if (refreshToken === undefined) throw dropped("no_refresh_token");
  const { as, resource } = located;
  const { client, auth, options: sending } = partyOf(clientOf(grant, options));
  const sent = { ...sending, additionalParameters: { resource }, ...(dpop && { DPoP: dpop.handle }) };
  return await explained(as, async () => {
    try {
      return await withNonce(async () => {
        const response = await refreshTokenGrantRequest(as, client, auth, refreshToken, sent);
        return await processRefreshTokenResponse(as, client, response);
      });
    } catch (error) {
      const said = oauthError(error);
      if (said === "invalid_client") store.removeClient(as.issuer);
      if (said === "invalid_grant" || said === "invalid_client") throw dropped(said);
      throw error;
    }
  });
}

/** The client the grant was given to; a registration that changed since can't use it. */
function clientOf({ tokens }: Grant, { base, registered }: UserGrantsOptions): OauthClient {
  return registered?.clientId === tokens.clientId ? { ...base, ...registered } : asClient(tokens, base);
}

/** RFC 7009, where it is offered. Here the grant is gone already, so a failure is told to the operator alone. */
export async function tellRevoked(grant: Grant, options: UserGrantsOptions): Promise<void> {
  const { accessToken: access, refreshToken } = grant.tokens;
  const token = refreshToken ?? access;
  try {
    const { as } = await options.locate();
    if (as.issuer !== grant.issuer || as.revocation_endpoint === undefined || token === undefined) return;
    const { client, auth, options: sending } = partyOf(clientOf(grant, options));
    await explained(as, async () =>
      processRevocationResponse(await revocationRequest(as, client, auth, token, sending)),
    );
  } catch (error) {
    const cause = error instanceof Refusal ? (error.facts["cause"] ?? error.code) : "unknown";
    options.log.warn("grant.revocation_failed", { server: grant.server, holder: grant.holder, cause });
  }
}
