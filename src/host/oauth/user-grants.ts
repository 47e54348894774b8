/**
 * One server's grants of its callers (RFC 6749 §4.1 with PKCE, RFC 8252, RFC 9207): begun for a caller, redeemed for
 * that caller, renewed while they last, used for nobody else.
 */
import {
  authorizationCodeGrantRequest,
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomState,
  processAuthorizationCodeResponse,
  processRefreshTokenResponse,
  processRevocationResponse,
  refreshTokenGrantRequest,
  revocationRequest,
  type TokenEndpointResponse,
  validateAuthResponse,
} from "oauth4webapi";

import { dpopKeysFromText, dpopKeysToText, newDpopKeys } from "../../crypto/jwt-keys.ts";
import type { Log } from "../../kernel/log.ts";
import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Caller, holderOf } from "../../model/caller.ts";
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
import { type Pending, pendingConsents } from "./pending-consents.ts";
import { asClient, clientAt, type RegistrationOptions } from "./registration.ts";
import type { DpopUse } from "./service-tokens.ts";
import { type AccessToken, tokenCache } from "./token-cache.ts";
import type { TokenSource } from "./token-source.ts";

export interface UserGrantsOptions extends Omit<RegistrationOptions, "store"> {
  /** Name of the server. */
  readonly server: string;
  readonly locate: () => Promise<Located>;
  readonly scopes: readonly string[];
  readonly dpop: DpopUse;
  readonly store: GrantStore;
  readonly log: Log;
}

/** What a person is asked to consent to, and where. */
export interface Consent {
  readonly state: string;
  readonly authorizeUrl: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientName: string;
  readonly resource: string;
  readonly scope: string;
}

export interface UserGrants extends TokenSource {
  /** @param redirectUri on loopback, of the process that will receive the code */
  readonly begin: (caller: Caller, redirectUri: string) => Promise<Consent>;
  /** @param parameters the query with which the person came back. @throws Refusal `denied` if it isn't the answer to what this caller began */
  readonly finish: (caller: Caller, parameters: URLSearchParams) => Promise<GrantFacts>;
  /** @returns whether there was one */
  readonly revoke: (holder: string) => Promise<boolean>;
}

/** What a caller's person is told to do. */
function grantNeeded(server: string, why = "needs the consent of a person"): Refusal {
  return new Refusal(
    "grant_needed",
    `"${server}" ${why}: run "latticegate grant ${server}" on the machine of this client, then try again.`,
  );
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
    useless: () => grantNeeded(server, "doesn't accept what was consented to"),
    begin: async (caller, redirectUri) => {
      const holder = holderOf(caller);
      const begun = await beginConsent({ holder, redirectUri, wanted: wanted.get(holder) }, options);
      pending.add(begun.pending);
      return begun.consent;
    },
    finish: async (caller, parameters) => {
      const holder = holderOf(caller);
      const grant = await redeem(pending.take(parameters.get("state") ?? "", holder), parameters, options);
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

async function beginConsent(
  of: { readonly holder: string; readonly redirectUri: string; readonly wanted: string | undefined },
  options: UserGrantsOptions,
): Promise<{ readonly consent: Consent; readonly pending: Pending }> {
  const located = await options.locate();
  const { as, resource, takesDpop } = located;
  const endpoint = URL.parse(as.authorization_endpoint ?? "");
  if (endpoint === null || as.code_challenge_methods_supported?.includes("S256") !== true) {
    throw new Refusal("upstream_failed", "Its authorization server can't be asked for consent with PKCE.", {
      facts: { cause: "no_pkce", issuer: as.issuer },
    });
  }
  const client = await clientAt(as, options);
  const [state, verifier] = [generateRandomState(), generateRandomCodeVerifier()];
  const isBound =
    options.dpop === "required" ||
    (options.dpop === "auto" && takesDpop && as.dpop_signing_alg_values_supported !== undefined);
  const dpopKeys = isBound ? await dpopKeysToText(await newDpopKeys()) : undefined;
  const scope = scopeFor(located, [...options.scopes, ...(of.wanted?.split(" ") ?? [])]);
  const query: Readonly<Record<string, string>> = {
    response_type: "code",
    client_id: client.clientId,
    redirect_uri: of.redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    resource,
    ...(scope !== "" && { scope }),
    // OpenID Connect Core §11: a refresh token for later is consented to each time.
    ...(scope.split(" ").includes("offline_access") && { prompt: "consent" }),
  };
  for (const [name, value] of Object.entries(query)) endpoint.searchParams.set(name, value);
  const { holder, redirectUri } = of;
  return {
    consent: {
      state,
      authorizeUrl: endpoint.href,
      issuer: as.issuer,
      clientId: client.clientId,
      clientName: options.clientName,
      resource,
      scope,
    },
    pending: { state, holder, redirectUri, verifier, client, located, scope, dpopKeys },
  };
}

/** What the config or the server names, and what makes it last. */
function scopeFor({ as, scope }: Located, configured: readonly string[]): string {
  const asked = configured.length === 0 ? (scope?.split(" ") ?? []) : configured;
  const lasting = as.scopes_supported?.includes("offline_access") === true ? ["offline_access"] : [];
  return [...new Set([...asked, ...lasting])].join(" ");
}

async function redeem(
  begun: Pending,
  parameters: URLSearchParams,
  { server, store, base, registered }: UserGrantsOptions,
): Promise<GrantFacts> {
  const { located, client: own, redirectUri, verifier } = begun;
  const { as, resource } = located;
  const { client, auth, options } = partyOf(own);
  const keys = begun.dpopKeys === undefined ? undefined : await dpopKeysFromText(begun.dpopKeys);
  const dpop = keys && { handle: dpopOf(keys), isRequired: true };
  const answer = await explained(as, async () => {
    const checked = checkedAnswer(() => validateAuthResponse(as, client, parameters, begun.state));
    return await withNonce(async () => {
      const sent = { ...options, additionalParameters: { resource }, ...(dpop && { DPoP: dpop.handle }) };
      const response = await authorizationCodeGrantRequest(
        as,
        client,
        auth,
        checked,
        redirectUri,
        verifier,
        sent,
      );
      return await processAuthorizationCodeResponse(as, client, response);
    });
  });
  const now = base.clock.nowUnixMs();
  accessToken(answer, dpop, now); // Whether it is of the kind that was asked for.
  const isRegistered = registered?.clientId === own.clientId;
  const secret = own.proof.kind === "secret" && !isRegistered ? own.proof.secret() : undefined;
  const facts: GrantFacts = {
    server,
    holder: begun.holder,
    id: generateRandomState(),
    issuer: as.issuer,
    resource,
    scope: printable(answer.scope ?? begun.scope, 1024),
    grantedUnixMs: now,
  };
  const tokens: GrantTokens = {
    clientId: own.clientId,
    ...(secret !== undefined && { clientSecret: secret }),
    ...(begun.dpopKeys !== undefined && { dpopKeys: begun.dpopKeys }),
    ...tokensOf(answer, now),
  };
  store.put({ ...facts, tokens });
  return facts;
}

/** RFC 6749 §4.1.2.1 and RFC 9207: whose answer it is, and what it says. */
function checkedAnswer(check: () => URLSearchParams): URLSearchParams {
  try {
    return check();
  } catch (cause) {
    const said = cause instanceof AuthorizationResponseError ? printable(cause.error, 64) : undefined;
    throw new Refusal(
      "denied",
      said === undefined
        ? "The answer isn't the authorization server's to what was asked; nothing was granted."
        : `The authorization server says: ${said}. Nothing was granted.`,
      { cause, facts: { cause: said ?? "bad_authorization_response" } },
    );
  }
}

function tokensOf(answer: TokenEndpointResponse, nowUnixMs: number): Partial<GrantTokens> {
  return {
    accessToken: answer.access_token,
    ...(answer.expires_in !== undefined && { notAfterUnixMs: nowUnixMs + answer.expires_in * 1000 }),
    ...(answer.refresh_token !== undefined && { refreshToken: answer.refresh_token }),
  };
}

/** The grant's token while it lasts, else a renewed one; a grant that can't be renewed any more is dropped. */
async function freshToken(facts: GrantFacts, options: UserGrantsOptions): Promise<AccessToken> {
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
async function tellRevoked(grant: Grant, options: UserGrantsOptions): Promise<void> {
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
