/** One consent: what is asked of a person and where (RFC 6749 §4.1, RFC 7636, RFC 8707), and what the answer is good for (RFC 9207). */
import {
  authorizationCodeGrantRequest,
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomState,
  processAuthorizationCodeResponse,
  validateAuthResponse,
} from "oauth4webapi";

import { dpopKeysFromText, dpopKeysToText, newDpopKeys } from "../../crypto/jwt-keys.ts";
import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { GrantFacts, GrantTokens } from "../store/state-grants.ts";
import { isLoopbackHost } from "../net/loopback.ts";
import { accessToken, dpopOf, explained, noToken, partyOf, withNonce } from "./client.ts";
import { tellRevoked, tokensOf, type UserGrantsOptions } from "./kept-tokens.ts";
import type { Located } from "./locate.ts";
import type { Pending } from "./pending-consents.ts";
import { clientAt } from "./registration.ts";
import { wantsDpop } from "./service-tokens.ts";

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

/** @throws Refusal `upstream_failed` if consent can't be asked for there */
export async function beginConsent(
  of: { readonly holder: string; readonly redirectUri: string; readonly wanted: string | undefined },
  options: UserGrantsOptions,
): Promise<{ readonly consent: Consent; readonly pending: Pending }> {
  const located = await options.locate();
  const { as, resource } = located;
  const endpoint = consentPageOf(as);
  const client = await clientAt(as, options);
  const [state, verifier] = [generateRandomState(), generateRandomCodeVerifier()];
  const dpopKeys = wantsDpop(options.dpop, located) ? await dpopKeysToText(await newDpopKeys()) : undefined;
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

/** Where people are asked. */
function consentPageOf(as: Located["as"]): URL {
  const endpoint = URL.parse(as.authorization_endpoint ?? "");
  if (endpoint === null || !isSafe(endpoint, as.issuer)) {
    throw noToken("Its authorization server names no page for people that can be used.", {
      cause: "bad_endpoint",
      issuer: as.issuer,
    });
  }
  if (as.code_challenge_methods_supported?.includes("S256") !== true) {
    throw new Refusal("upstream_failed", "Its authorization server can't be asked for consent with PKCE.", {
      facts: { cause: "no_pkce", issuer: as.issuer },
    });
  }
  return endpoint;
}

/** A person is sent over https, or to this machine by who is on it. */
function isSafe(endpoint: URL, issuer: string): boolean {
  return (
    endpoint.protocol === "https:" ||
    (endpoint.protocol === "http:" &&
      isLoopbackHost(endpoint.hostname) &&
      isLoopbackHost(new URL(issuer).hostname))
  );
}

/** What the config or the server names, and what makes it last. */
function scopeFor({ as, scope }: Located, configured: readonly string[]): string {
  const asked = configured.length === 0 ? (scope?.split(" ") ?? []) : configured;
  const lasting = as.scopes_supported?.includes("offline_access") === true ? ["offline_access"] : [];
  return [...new Set([...asked, ...lasting])].join(" ");
}

/** With what a person came back. */
export interface ConsentAnswer {
  /** The query. */
  readonly parameters: URLSearchParams;
  /** Throws if its caller may have nothing any more: the authorization server may take its time. */
  readonly check: () => void;
}

/**
 * Checks the answer, and turns its code into tokens that are kept.
 * @throws Refusal `denied`, `upstream_failed`
 */
export async function redeem(
  begun: Pending,
  { parameters, check }: ConsentAnswer,
  grants: UserGrantsOptions,
): Promise<GrantFacts> {
  const { server, store, base, registered } = grants;
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
  try {
    store.put({ ...facts, tokens }, check);
  } catch (error) {
    await tellRevoked({ ...facts, tokens }, grants);
    throw error;
  }
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
