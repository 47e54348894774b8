/** The public keys of one issuer: from a file, or fetched from where its metadata says, and kept for a while. */
import { readFile, stat } from "node:fs/promises";

import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type CryptoKey,
  customFetch,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from "jose";
import * as oauth from "oauth4webapi";

import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type BoundedFetch, oauthOptions } from "./bounded-fetch.ts";

export type IssuerKeys = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

/** A key that was withdrawn counts this long at most, while its issuer answers. */
const freshMs = 600_000;
/** How long keys count when their issuer doesn't answer: an outage there shouldn't be one here. */
const staleMs = 3_600_000;
/** A key id nobody knows has the keys fetched again, but no more often than this. */
const cooldownMs = 30_000;
/** After a failure the issuer is left alone. */
const retryAfterMs = 5000;
const maxFileBytes = 256 * 1024;

interface KeySource {
  readonly issuer: string;
  readonly fetch: BoundedFetch;
  readonly clock: Clock;
}

/** Keys in a file, which is read again when it changes. */
export function keysFromFile(file: string): IssuerKeys {
  let read: { readonly mtimeMs: number; readonly keys: ReturnType<typeof createLocalJWKSet> } | undefined;
  return async (header, token) => {
    try {
      const { mtimeMs, size } = await stat(file);
      if (size > maxFileBytes) throw new Error(`more than ${maxFileBytes} bytes`);
      if (read?.mtimeMs !== mtimeMs) {
        read = {
          mtimeMs,
          keys: createLocalJWKSet(JSON.parse(await readFile(file, "utf8")) as JSONWebKeySet),
        };
      }
    } catch (cause) {
      throw issuerUnavailable({ why: `the key set ${file} can't be read` }, cause);
    }
    return await read.keys(header, token);
  };
}

/** Keys at a URL, or at the one that the issuer's metadata names. @param url undefined asks the metadata */
export function keysFromUrl(url: string | undefined, source: KeySource): IssuerKeys {
  const { clock } = source;
  let remote: ReturnType<typeof createRemoteJWKSet> | undefined;
  let loadedAtUnixMs = -Infinity;
  let retryAtUnixMs = -Infinity;
  const fetching = async (jwksUrl: string): Promise<Response> => {
    const response = await source.fetch(jwksUrl, { headers: { accept: "application/json" } });
    if (response.status === 200) loadedAtUnixMs = clock.nowUnixMs();
    return response;
  };
  const current = async (): Promise<NonNullable<typeof remote>> =>
    (remote ??= createRemoteJWKSet(new URL(url ?? (await discoveredUrl(source))), {
      [customFetch]: fetching,
      cooldownDuration: cooldownMs,
      cacheMaxAge: freshMs,
    }));
  return async (header, token) => {
    try {
      if (clock.nowUnixMs() < retryAtUnixMs) throw issuerUnavailable({ why: "it failed a moment ago" });
      return await (
        await current()
      )(header, token);
    } catch (error) {
      if (isAboutToken(error)) throw error;
      retryAtUnixMs = Math.max(retryAtUnixMs, clock.nowUnixMs() + retryAfterMs);
      const known = remote?.jwks();
      if (known === undefined || clock.nowUnixMs() > loadedAtUnixMs + staleMs) throw asUnavailable(error);
      return await createLocalJWKSet(known)(header, token);
    }
  };
}

/** RFC 8414 and OpenID Connect Discovery: both places are asked, and the issuer must name itself there. */
async function discoveredUrl({ issuer, fetch }: KeySource): Promise<string> {
  const identifier = new URL(issuer);
  for (const algorithm of ["oauth2", "oidc"] as const) {
    const response = await oauth.discoveryRequest(identifier, { algorithm, ...oauthOptions(fetch) });
    if (response.status !== 200) continue;
    const metadata = await oauth.processDiscoveryResponse(identifier, response);
    if (metadata.jwks_uri !== undefined) return metadata.jwks_uri;
  }
  throw issuerUnavailable({ why: "its metadata names no keys" });
}

/** The issuer answered, and its keys don't fit the token. */
function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JOSEAlgNotAllowed
  );
}

function asUnavailable(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return issuerUnavailable({ why: error instanceof Error ? error.message : "unknown" }, error);
}

export function issuerUnavailable(facts: Readonly<Record<string, string>>, cause?: unknown): Refusal {
  const text = "The authorization server can't be asked about this token now; try again.";
  return new Refusal("issuer_unavailable", text, { cause, facts });
}
