/**
 * A person logs in at an OpenID provider: authorization code with PKCE, state and nonce (OpenID Connect Core §3.1, RFC 7636,
 * RFC 9207), the ID token's signature checked.
 */
import {
  type AuthorizationServer,
  authorizationCodeGrantRequest,
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  discoveryRequest,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  getValidatedIdTokenClaims,
  OperationProcessingError,
  processAuthorizationCodeResponse,
  processDiscoveryResponse,
  ResponseBodyError,
  UnsupportedOperationError,
  validateApplicationLevelSignature,
  validateAuthResponse,
  WWWAuthenticateChallengeError,
} from "oauth4webapi";

import { sha256Base64url } from "../../crypto/hash.ts";
import type { Clock } from "../../kernel/clock.ts";
import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isSecureUrl } from "./bounded-fetch.ts";
import { type OauthClient, oauthError, partyOf } from "./client.ts";

export interface OidcLoginOptions {
  readonly issuer: string;
  /** How the gateway proves itself there. */
  readonly own: OauthClient;
  readonly clock: Clock;
  /** Where the ID token lists groups, and the scope that is asked for to be told them. Absent: nobody wants to know. */
  readonly groups?: { readonly claim: string; readonly scope?: string | undefined } | undefined;
}

/** What the ID token says of somebody's groups. */
export type ToldGroups =
  | { readonly kind: "told"; readonly names: readonly string[] }
  | { readonly kind: "missing" }
  /** More than anybody looks through, or no list of names. */
  | { readonly kind: "unusable" };

/** Who the provider says it is. */
export interface OidcIdentity {
  readonly sub: string;
  /** Undefined unless the provider says that it is verified. */
  readonly email: string | undefined;
  readonly groups: ToldGroups;
}

export interface OidcLogin {
  /**
   * @returns where the person goes, and what only this browser may know until it comes back
   * @throws Refusal `upstream_failed`
   */
  readonly begin: (redirectUri: string) => Promise<{ readonly url: string; readonly flow: string }>;
  /**
   * @param parameters the query with which the browser came back; a flow counts once
   * @throws Refusal `denied`, `upstream_failed`
   */
  readonly finish: (flow: string, parameters: URLSearchParams) => Promise<OidcIdentity>;
}

interface Begun {
  readonly as: AuthorizationServer;
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly expiresAtUnixMs: number;
}

/** People look for their second factor. */
const flowLifetimeMs = 10 * 60_000;
/** More than the pace of logging in lets through in that time. */
const maxFlows = 1024;
/** Providers leave the claim out, or cut it, somewhere around 200. */
const maxGroups = 500;
const maxGroupChars = 256;

export function oidcLogin(options: OidcLoginOptions): OidcLogin {
  const { clock } = options;
  /** By the digests of what their browsers keep. */
  const flows = new Map<string, Begun>();
  return {
    begin: async (redirectUri) => {
      const as = await explained(() => provider(options));
      const begun: Begun = {
        as,
        redirectUri,
        state: generateRandomState(),
        nonce: generateRandomNonce(),
        verifier: generateRandomCodeVerifier(),
        expiresAtUnixMs: clock.nowUnixMs() + flowLifetimeMs,
      };
      const flow = generateRandomState();
      flows.set(sha256Base64url(flow), begun);
      const [oldest] = flows.keys();
      if (flows.size > maxFlows && oldest !== undefined) flows.delete(oldest);
      return { url: await loginPage(begun, options), flow };
    },
    finish: async (flow, parameters) => {
      const key = sha256Base64url(flow);
      const begun = flows.get(key);
      flows.delete(key);
      if (begun === undefined || clock.nowUnixMs() >= begun.expiresAtUnixMs)
        throw new Refusal("denied", "This login wasn't begun here, or too long ago; begin again.");
      return await explained(() => redeem(begun, parameters, options));
    },
  };
}

async function provider({ issuer, own }: OidcLoginOptions): Promise<AuthorizationServer> {
  const expected = new URL(issuer);
  const response = await discoveryRequest(expected, { algorithm: "oidc", ...partyOf(own).options });
  return await processDiscoveryResponse(expected, response);
}

async function loginPage(begun: Begun, { own, groups }: OidcLoginOptions): Promise<string> {
  const endpoint = begun.as.authorization_endpoint ?? "";
  if (!isSecureUrl(endpoint)) throw failed("It names no login page that can be used.");
  const url = new URL(endpoint);
  const query: Readonly<Record<string, string>> = {
    response_type: "code",
    client_id: own.clientId,
    redirect_uri: begun.redirectUri,
    scope: ["openid", "email", ...(groups?.scope === undefined ? [] : [groups.scope])].join(" "),
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: await calculatePKCECodeChallenge(begun.verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

async function redeem(
  begun: Begun,
  parameters: URLSearchParams,
  { own, groups }: OidcLoginOptions,
): Promise<OidcIdentity> {
  const { as, state, redirectUri, verifier, nonce } = begun;
  const { client, auth, options } = partyOf(own);
  const answer = answered(() => validateAuthResponse(as, client, parameters, state));
  const response = await authorizationCodeGrantRequest(
    as,
    client,
    auth,
    answer,
    redirectUri,
    verifier,
    options,
  );
  const expected = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await processAuthorizationCodeResponse(as, client, response, expected);
  await validateApplicationLevelSignature(as, response, options);
  const claims = getValidatedIdTokenClaims(tokens);
  if (claims === undefined) throw failed("It gave no ID token.");
  const { sub, email, email_verified: isVerified } = claims;
  return {
    sub,
    email: typeof email === "string" && isVerified === true ? email : undefined,
    groups: groups === undefined ? { kind: "missing" } : toldGroups(claims[groups.claim]),
  };
}

/** A list of names, or the one name of who is in one group. */
function toldGroups(claim: unknown): ToldGroups {
  if (claim === undefined || claim === null) return { kind: "missing" };
  const names: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  const isList = names.every((name) => typeof name === "string" && name.length <= maxGroupChars);
  if (!isList || names.length > maxGroups) return { kind: "unusable" };
  return { kind: "told", names: names.map(String) };
}

/** @throws Refusal `denied` for what isn't the provider's answer to what was asked here */
function answered(check: () => URLSearchParams): URLSearchParams {
  try {
    return check();
  } catch (cause) {
    const said = cause instanceof AuthorizationResponseError ? printable(cause.error, 64) : undefined;
    const text =
      said === undefined ? "The answer isn't the login provider's to what was asked." : `It says: ${said}.`;
    throw new Refusal("denied", `You aren't logged in. ${text}`, { cause });
  }
}

async function explained<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const isTheirs =
      error instanceof OperationProcessingError ||
      error instanceof UnsupportedOperationError ||
      error instanceof ResponseBodyError ||
      error instanceof WWWAuthenticateChallengeError;
    if (!isTheirs) throw error;
    const said = oauthError(error);
    throw failed(said === undefined ? "Its answer can't be used." : `It says: ${said}.`, error);
  }
}

function failed(why: string, cause?: unknown): Refusal {
  return new Refusal("upstream_failed", `The login provider can't log you in. ${why}`, {
    ...(cause !== undefined && { cause }),
  });
}
