/** The gateway as an OAuth client: how it proves itself to an authorization server, and what it makes of the answers. */
import {
  type AuthorizationServer,
  type Client,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  DPoP,
  type DPoPHandle,
  isDPoPNonceError,
  None,
  OperationProcessingError,
  PrivateKeyJwt,
  ResponseBodyError,
  TlsClientAuth,
  type TokenEndpointResponse,
  UnsupportedOperationError,
  WWWAuthenticateChallengeError,
} from "oauth4webapi";

import { jwtKeyFromPem, type JwtKeyPair } from "../../crypto/jwt-keys.ts";
import type { Clock } from "../../kernel/clock.ts";
import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { WatchedText } from "../store/watched-text.ts";
import { type BoundedFetch, type FetchFailure, oauthOptions } from "./bounded-fetch.ts";
import type { AccessToken } from "./token-cache.ts";

/** What a client shows of itself at the token endpoint. */
export type ClientProof =
  | { readonly kind: "secret"; readonly secret: () => string; readonly in: "basic" | "post" }
  /** RFC 7523: a JWT signed with that key; the algorithm follows from it. */
  | { readonly kind: "key"; readonly key: WatchedText; readonly at: string }
  /** RFC 8705: the certificate of the connection. */
  | { readonly kind: "certificate" }
  /** A public client. */
  | { readonly kind: "none" };

export interface OauthClient {
  readonly clientId: string;
  readonly proof: ClientProof;
  readonly fetch: BoundedFetch;
  /** Whether the connections show a client certificate. */
  readonly showsCertificate: boolean;
  readonly clock: Clock;
}

/** As the library takes it. */
export interface Party {
  readonly client: Client;
  readonly auth: ClientAuth;
  readonly options: ReturnType<typeof oauthOptions>;
}

export function partyOf(own: OauthClient): Party {
  return {
    client: {
      client_id: own.clientId,
      ...(own.showsCertificate && { use_mtls_endpoint_aliases: true }),
    },
    auth: authOf(own.proof),
    options: oauthOptions(own.fetch),
  };
}

function authOf(proof: ClientProof): ClientAuth {
  switch (proof.kind) {
    case "secret":
      return proof.in === "post" ? ClientSecretPost(proof.secret()) : ClientSecretBasic(proof.secret());
    case "key":
      return PrivateKeyJwt(jwtKeyFromPem(proof.key.current(), proof.at));
    case "certificate":
      return TlsClientAuth();
    default:
      return None();
  }
}

export function dpopOf(keys: JwtKeyPair): DPoPHandle {
  return DPoP({ client_id: "" } as Client, keys);
}

/** Carries a request out, once more if the authorization server asks for its nonce first (RFC 9449 §8). */
export async function withNonce<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isDPoPNonceError(error)) throw error;
    return await ask();
  }
}

/** Renewed when this part of its life is over, but no sooner than a minute before its end if it lives long. */
const renewalPart = 0.8;
const renewalMs = 60_000;
/** Nobody holds a token for longer without asking for another. */
const longestLifeS = 7 * 24 * 3600;

/** @throws Refusal `upstream_failed` for a token whose kind isn't the one asked for */
export function accessToken(
  answer: TokenEndpointResponse,
  dpop: { readonly handle: DPoPHandle; readonly isRequired: boolean } | undefined,
  nowUnixMs: number,
): AccessToken {
  const isBound = answer.token_type === "dpop";
  if (isBound ? dpop === undefined : dpop?.isRequired === true) {
    throw noToken("The authorization server gave a token of another kind than asked for.", {
      cause: "token_type",
    });
  }
  const lifeS = answer.expires_in === undefined ? undefined : Math.min(answer.expires_in, longestLifeS);
  return {
    value: answer.access_token,
    ...(lifeS !== undefined && {
      notAfterUnixMs: nowUnixMs + lifeS * 1000,
      renewAtUnixMs: nowUnixMs + Math.max(lifeS * 1000 * renewalPart, lifeS * 1000 - renewalMs),
    }),
    dpop: isBound ? dpop?.handle : undefined,
  };
}

/** What the authorization server answered, as its own word for it; undefined if it is another failure. */
export function oauthError(error: unknown): string | undefined {
  if (error instanceof ResponseBodyError) return printable(error.error, 64);
  if (error instanceof WWWAuthenticateChallengeError) {
    return printable(error.cause[0]?.parameters.error ?? "invalid_client", 64);
  }
  return undefined;
}

/** Runs `ask` and makes a refusal with a clear reason of whatever goes wrong. */
export async function explained<T>(
  as: Pick<AuthorizationServer, "issuer">,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const said = oauthError(error);
    const issuer = as.issuer;
    if (said !== undefined) {
      throw noToken("The authorization server refuses the gateway.", { cause: said, issuer }, error);
    }
    if (error instanceof OperationProcessingError || error instanceof UnsupportedOperationError) {
      const cause = error.code ?? "unknown";
      throw noToken("The authorization server's answer can't be used.", { cause, issuer }, error);
    }
    throw error;
  }
}

export function noToken(why: string, facts: Readonly<Record<string, string>>, cause?: unknown): Refusal {
  return new Refusal("upstream_failed", `The gateway got no token for this server. ${why}`, {
    ...(cause !== undefined && { cause }),
    facts: { ...facts, sent: false },
  });
}

/** Why no token could be asked for. */
export function notAsked({ url, cause, why, error }: FetchFailure): Refusal {
  const text = `The gateway got no token for this server: ${url.host} was asked. ${why}`;
  const facts = { host: url.host, cause, sent: false };
  return new Refusal("upstream_failed", text, { ...(error !== undefined && { cause: error }), facts });
}
