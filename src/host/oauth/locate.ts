/**
 * Which authorization server gives out tokens for an MCP server: as configured, or as the server itself says
 * (RFC 9728, by its 401 or at the well-known places), with the metadata of RFC 8414 or OpenID Connect.
 */
import {
  allowInsecureRequests,
  type AuthorizationServer,
  customFetch,
  discoveryRequest,
  processDiscoveryResponse,
} from "oauth4webapi";
import { z } from "zod";

import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isLoopbackHost } from "../net/loopback.ts";
import type { BoundedFetch } from "./bounded-fetch.ts";
import { explained } from "./client.ts";

export interface LocateOptions {
  /** The MCP server. */
  readonly url: URL;
  /** The issuer the operator names, whatever the server says. */
  readonly issuer?: string | undefined;
  /** The resource indicator the operator names (RFC 8707). */
  readonly resource?: string | undefined;
  readonly fetch: BoundedFetch;
  readonly clock: Clock;
}

export interface Located {
  readonly as: AuthorizationServer;
  /** RFC 8707: what tokens are asked for. */
  readonly resource: string;
  /** What the server's challenge or metadata names, where it names any. */
  readonly scope?: string | undefined;
  /** Whether the server says that it takes tokens bound to a key (RFC 9449). */
  readonly takesDpop: boolean;
}

const resourceSchema = z.object({
  resource: z.string().max(2048),
  authorization_servers: z.array(z.string().max(2048)).min(1).max(16),
  scopes_supported: z.array(z.string().max(256)).max(256).optional(),
  dpop_signing_alg_values_supported: z.array(z.string()).max(64).optional(),
  dpop_bound_access_tokens_required: z.boolean().optional(),
});
type ResourceMetadata = z.output<typeof resourceSchema> & { readonly challengedScope?: string | undefined };

/** Metadata is asked for again after this. */
const keepMs = 600_000;

/** Asks once for all who wait; what was found is kept for ten minutes. @throws Refusal `upstream_failed` */
export function locator(options: LocateOptions): () => Promise<Located> {
  let found: { readonly located: Promise<Located>; readonly untilUnixMs: number } | undefined;
  return () => {
    const now = options.clock.nowUnixMs();
    if (found !== undefined && now < found.untilUnixMs) return found.located;
    const located = locate(options);
    found = { located, untilUnixMs: now + keepMs };
    located.catch(() => (found = undefined));
    return located;
  };
}

async function locate(options: LocateOptions): Promise<Located> {
  const { url, issuer: pinned, resource } = options;
  const metadata = await resourceMetadata(options);
  const issuer = pinned ?? namedIssuer(metadata, url);
  const as = await metadataOf(issuer, options);
  if (metadata === undefined) return { as, resource: resource ?? canonical(url), takesDpop: false };
  return {
    as,
    resource: resource ?? metadata.resource,
    scope: metadata.challengedScope ?? metadata.scopes_supported?.join(" "),
    takesDpop:
      metadata.dpop_bound_access_tokens_required === true ||
      metadata.dpop_signing_alg_values_supported !== undefined,
  };
}

function namedIssuer(metadata: ResourceMetadata | undefined, url: URL): string {
  if (metadata === undefined) {
    throw unusable(
      "The server doesn't say who gives out its tokens; name the issuer in the config.",
      "no_resource_metadata",
    );
  }
  const [named = ""] = metadata.authorization_servers;
  const issuer = URL.parse(named);
  // A server elsewhere that names an address on this machine would have us talk to what isn't for it.
  if (issuer === null || (isLoopbackHost(issuer.hostname) && !isLoopbackHost(url.hostname))) {
    throw unusable("The server names no authorization server that can be used.", "bad_issuer");
  }
  return named;
}

/** RFC 8414 first, then OpenID Connect Discovery; the issuer in it must be the one asked for. */
async function metadataOf(issuer: string, { fetch }: LocateOptions): Promise<AuthorizationServer> {
  const expected = new URL(issuer);
  for (const algorithm of ["oauth2", "oidc"] as const) {
    const response = await discoveryRequest(expected, {
      algorithm,
      [customFetch]: fetch,
      [allowInsecureRequests]: true, // `fetch` takes http on loopback alone.
    });
    if (response.status === 404 && algorithm === "oauth2") continue;
    const as = await explained({ issuer }, () => processDiscoveryResponse(expected, response));
    checkEndpoints(as, expected);
    return as;
  }
  throw unusable("The authorization server has no metadata.", "no_metadata");
}

/** An issuer elsewhere has no business on this machine. */
function checkEndpoints(as: AuthorizationServer, issuer: URL): void {
  for (const endpoint of [as.token_endpoint, as.registration_endpoint, as.revocation_endpoint]) {
    const url = endpoint === undefined ? undefined : URL.parse(endpoint);
    if (
      url === undefined ||
      (url !== null && (!isLoopbackHost(url.hostname) || isLoopbackHost(issuer.hostname)))
    )
      continue;
    throw unusable("The authorization server names an endpoint that can't be used.", "bad_endpoint");
  }
}

/** Undefined if the server has none; a server that can't be asked now is another matter. */
async function resourceMetadata({ url, fetch }: LocateOptions): Promise<ResourceMetadata | undefined> {
  const challenge = await challengeOf(url, fetch);
  const path = url.pathname === "/" ? "" : url.pathname;
  const named = /resource_metadata="([^"]+)"/i.exec(challenge)?.[1];
  const places = [
    ...(named === undefined ? [] : [named]),
    `${url.origin}/.well-known/oauth-protected-resource${path}${url.search}`,
    `${url.origin}/.well-known/oauth-protected-resource`,
  ];
  for (const place of places) {
    const target = URL.parse(place);
    // Only the server itself says who gives out its tokens.
    if (target?.origin !== url.origin) continue;
    const response = await fetch(place, { headers: { accept: "application/json" } });
    if (response.status >= 500)
      throw unusable("The server can't be asked who gives them out.", "server_error");
    if (response.status !== 200) continue;
    const metadata = resourceSchema.safeParse(await response.json().catch(() => undefined));
    if (!metadata.success || !covers(metadata.data.resource, url)) {
      throw unusable(
        "The server's metadata is of another resource, or can't be read.",
        "bad_resource_metadata",
      );
    }
    return { ...metadata.data, challengedScope: /\bscope="([^"]+)"/i.exec(challenge)?.[1] };
  }
  return undefined;
}

/** What the server says to somebody without a token; nothing of a caller's is sent along. */
async function challengeOf(url: URL, fetch: BoundedFetch): Promise<string> {
  const response = await fetch(url.href, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: "discovery", method: "ping" }),
  });
  return response.status === 401 ? (response.headers.get("www-authenticate") ?? "") : "";
}

/** RFC 9728 §3.3: the resource is the server, or what it is a part of. */
function covers(resource: string, url: URL): boolean {
  const named = URL.parse(resource);
  if (named === null || named.origin !== url.origin || named.hash !== "") return false;
  const folder = named.pathname.endsWith("/") ? named.pathname : `${named.pathname}/`;
  return url.pathname === named.pathname || url.pathname.startsWith(folder) || `${url.pathname}/` === folder;
}

/** MCP authorization: the server's URL, without a slash at the end of a bare origin. */
function canonical(url: URL): string {
  const { origin, pathname, search } = url;
  return origin + (pathname === "/" ? "" : pathname) + search;
}

function unusable(text: string, cause: string): Refusal {
  return new Refusal("upstream_failed", `The gateway got no token for this server. ${text}`, {
    facts: { cause, sent: false },
  });
}
