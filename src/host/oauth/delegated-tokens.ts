/**
 * Tokens for one caller each, without a person: the gateway vouches for the caller to an authorization server, which
 * gives a token in exchange (RFC 8693), or an assertion with which another one does (ID-JAG, RFC 7523 §2.1).
 */
import {
  type AuthorizationServer,
  genericTokenEndpointRequest,
  processGenericTokenEndpointResponse,
  type TokenEndpointResponse,
} from "oauth4webapi";

import { type Caller, holderOf } from "../../model/caller.ts";
import { accessToken, explained, noToken, type OauthClient, partyOf, withNonce } from "./client.ts";
import type { Located } from "./locate.ts";
import { dpopHandles, type ServiceTokensOptions } from "./service-tokens.ts";
import { type AccessToken, tokenCache } from "./token-cache.ts";
import { notAccepted, type TokenSource } from "./token-source.ts";

/** A short-lived JWT of the gateway's that says who the caller is, for that authorization server alone. */
export type CallerAssertion = (caller: Caller, audience: string) => Promise<string>;

/** The identity provider that turns what the gateway says into an assertion others accept. */
export interface IdentityProvider {
  readonly own: OauthClient;
  readonly metadata: () => Promise<AuthorizationServer>;
}

export interface DelegatedTokensOptions extends ServiceTokensOptions {
  readonly assertion: CallerAssertion;
  /** Asked first, for an identity assertion authorization grant; absent where the server's own is asked at once. */
  readonly idp?: IdentityProvider | undefined;
}

const urn = {
  exchange: "urn:ietf:params:oauth:grant-type:token-exchange",
  jwtBearer: "urn:ietf:params:oauth:grant-type:jwt-bearer",
  jwt: "urn:ietf:params:oauth:token-type:jwt",
  accessToken: "urn:ietf:params:oauth:token-type:access_token",
  idJag: "urn:ietf:params:oauth:token-type:id-jag",
} as const;

export function delegatedTokens(options: DelegatedTokensOptions): TokenSource {
  const cache = tokenCache(options.own.clock);
  const proofs = dpopHandles(options.dpop);
  return {
    token: (caller) => cache.get(holderOf(caller), () => fetchToken(caller, options, proofs)),
    refused: (caller, token) => cache.drop(holderOf(caller), token),
    useless: (caller) => cache.useless(holderOf(caller), notAccepted()),
  };
}

async function fetchToken(
  caller: Caller,
  options: DelegatedTokensOptions,
  proofs: ReturnType<typeof dpopHandles>,
): Promise<AccessToken> {
  const { own, scopes, idp } = options;
  const located = await options.locate();
  const { as, resource } = located;
  const scope = scopes.length === 0 ? located.scope : scopes.join(" ");
  const target = { resource, ...(scope !== undefined && { scope }) };
  const dpop = await proofs(located);
  const grant: Exchange =
    idp === undefined
      ? { type: urn.exchange, parameters: await exchangeOf(caller, as, options), issues: urn.accessToken }
      : {
          type: urn.jwtBearer,
          parameters: { assertion: await identityGrant(caller, idp, { located, target }, options) },
        };
  const answer = await exchange(as, own, { ...grant, parameters: { ...target, ...grant.parameters } }, dpop);
  return accessToken(answer, dpop, own.clock.nowUnixMs());
}

async function exchangeOf(
  caller: Caller,
  as: AuthorizationServer,
  { assertion }: DelegatedTokensOptions,
): Promise<Readonly<Record<string, string>>> {
  return {
    subject_token: await assertion(caller, as.issuer),
    subject_token_type: urn.jwt,
    requested_token_type: urn.accessToken,
  };
}

/** draft-ietf-oauth-identity-assertion-authz-grant §4.3: for the server's authorization server, about the caller. */
async function identityGrant(
  caller: Caller,
  { own, metadata }: IdentityProvider,
  to: { readonly located: Located; readonly target: Readonly<Record<string, string>> },
  { assertion }: DelegatedTokensOptions,
): Promise<string> {
  const as = await metadata();
  const answer = await exchange(as, own, {
    type: urn.exchange,
    parameters: {
      ...to.target,
      audience: to.located.as.issuer,
      subject_token: await assertion(caller, as.issuer),
      subject_token_type: urn.jwt,
      requested_token_type: urn.idJag,
    },
    issues: urn.idJag,
  });
  return answer.access_token;
}

interface Exchange {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** RFC 8693 §2.2.1 */
  readonly issues?: string;
}

async function exchange(
  as: AuthorizationServer,
  own: OauthClient,
  { type, parameters, issues }: Exchange,
  dpop?: Awaited<ReturnType<ReturnType<typeof dpopHandles>>>,
): Promise<TokenEndpointResponse> {
  const { client, auth, options } = partyOf(own);
  const isAccess = issues !== urn.idJag;
  const answer = await explained(as, () =>
    withNonce(async () => {
      const sent = { ...options, ...(dpop && { DPoP: dpop.handle }) };
      const response = await genericTokenEndpointRequest(as, client, auth, type, { ...parameters }, sent);
      // RFC 8693 §2.2.1: what is no access token has no type of its own.
      return await processGenericTokenEndpointResponse(as, client, response, {
        ...(!isAccess && { recognizedTokenTypes: { n_a: () => undefined } }),
      });
    }),
  );
  if (issues !== undefined && answer["issued_token_type"] !== issues) {
    throw noToken("The authorization server gave something else than was asked for.", {
      cause: "issued_token_type",
      issuer: as.issuer,
    });
  }
  return answer;
}
