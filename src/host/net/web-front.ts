/**
 * What stands before a call on a listener for clients with tokens: whom the request is for, where it comes from, who
 * sends it. Strangers learn how to get a token (RFC 9728) and nothing else, and no body of theirs is read.
 */
import { proofAlgorithms } from "../../crypto/suites/jose.ts";
import type { Received, TokenCaller } from "../../gate/call.ts";
import { Refusal, type RefusalCode, refusalRow } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import {
  challengeHeaders,
  mcpPath,
  metadataPath,
  metadataUri,
  resourceUri,
} from "../../wire/protected-resource.ts";
import { targetHeader } from "../../wire/target-url.ts";
import type { AccessTokens } from "../oauth/access-tokens.ts";
import { isBrief } from "./body.ts";
import { valueOf } from "./headers.ts";
import type { Admission } from "./mcp-http.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

export interface WebFrontOptions {
  /** Public origin, e.g. `https://mcp.acme.test`. */
  readonly origin: string;
  /** Origins of pages whose scripts may call. */
  readonly allowedOrigins: readonly string[];
  readonly tokens: AccessTokens;
  /** Identifiers of the authorization servers. */
  readonly authorizationServers: readonly string[];
  /** The scopes there are for a server, or for all if none is named. */
  readonly scopesFor: (server?: string) => readonly string[];
  /** Whether a token for the whole origin counts. */
  readonly hasCommonAudience: boolean;
  readonly needsBinding: boolean;
  readonly asksCertificates: boolean;
  /** What the next proof is to contain, where it is to contain anything. */
  readonly nonce?: () => string;
  /** A good token came in on a connection. */
  readonly onProven: (call: Received) => void;
  /**
   * What is known of the link, now that its caller is known.
   * @throws Refusal `link_regressed` for one that is less than the caller was seen to be capable of, `link_denied`
   */
  readonly linkOf: (call: Received, caller: TokenCaller) => Channel;
}

/** What a page may read of our answers, and send. */
const exposedHeaders = "WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id, Mcp-Protocol-Version, Retry-After";
const allowedHeader =
  /^(authorization|dpop|content-type|accept|last-event-id|traceparent|tracestate|baggage|mcp-[a-z0-9!#$%&'*+.^_`|~-]+)$/;
const maxAgeSeconds = 7200;

export function webFront(options: WebFrontOptions): Admission {
  return {
    beside: (request, response) => answerBeside(request, response, options),
    admit: (call, request) => admit(call, request, options),
    hides: (name) => name.startsWith("access-control-") || name === "dpop-nonce",
  };
}

/** Metadata and preflights; everything that isn't for a server is nowhere. True if it was answered. */
function answerBeside(request: ServedRequest, response: ServedResponse, options: WebFrontOptions): boolean {
  const [path = ""] = (request.url ?? "").split("?", 1);
  if (!isForUs(request, options)) return end(request, response, 403);
  if (serverIn(path, mcpPath) === undefined) {
    return answerMetadata(request, response, metadataAt(path, options));
  }
  // RFC 9449 §8.2: with every answer, so that no request is refused only to hand out another one.
  if (options.nonce !== undefined && request.headers["dpop"] !== undefined) {
    response.setHeader("dpop-nonce", options.nonce());
  }
  const isPreflight = request.method === "OPTIONS";
  const { origin } = request.headers;
  if (origin === undefined || !options.allowedOrigins.includes(origin)) {
    return isPreflight ? end(request, response, 403) : false;
  }
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "Origin");
  response.setHeader("access-control-expose-headers", exposedHeaders);
  return isPreflight ? preflight(request, response) : false;
}

function answerMetadata(
  request: ServedRequest,
  response: ServedResponse,
  metadata: object | undefined,
): true {
  const isAsked = request.method === "GET" || request.method === "OPTIONS";
  if (metadata === undefined || !isAsked) return end(request, response, 404);
  response.setHeader("access-control-allow-origin", "*");
  if (request.method === "OPTIONS") return preflight(request, response);
  response.setHeader("content-type", "application/json");
  response.setHeader("cache-control", "max-age=300");
  return end(request, response, 200, JSON.stringify(metadata));
}

function preflight(request: ServedRequest, response: ServedResponse): true {
  const asked = (request.headers["access-control-request-headers"] ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  response.setHeader("access-control-allow-methods", "GET, POST, DELETE");
  response.setHeader(
    "access-control-allow-headers",
    asked.filter((name) => allowedHeader.test(name)),
  );
  response.setHeader("access-control-max-age", maxAgeSeconds);
  return end(request, response, 204);
}

function end(request: ServedRequest, response: ServedResponse, status: number, body?: string): true {
  if (!isBrief(request)) response.shouldKeepAlive = false;
  response.writeHead(status).end(body);
  return true;
}

/** RFC 9728 §2. Any name has one: who hasn't come with a token isn't told which servers there are. */
function metadataAt(path: string, options: WebFrontOptions): object | undefined {
  const server = serverIn(path, metadataPath + mcpPath);
  const isCommon = path === metadataPath && options.hasCommonAudience;
  if (server === undefined && !isCommon) return undefined;
  const scopes = options.scopesFor(server);
  return {
    resource: server === undefined ? options.origin : resourceUri(options.origin, server),
    authorization_servers: options.authorizationServers,
    ...(scopes.length > 0 && { scopes_supported: scopes }),
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: proofAlgorithms,
    // A token may be bound to a certificate instead, where one is asked for.
    dpop_bound_access_tokens_required: options.needsBinding && !options.asksCertificates,
    tls_client_certificate_bound_access_tokens: options.asksCertificates,
  };
}

/** The name in `<prefix><name>`, and nothing behind it. */
function serverIn(path: string, prefix: string): string | undefined {
  const name = path.startsWith(prefix) ? path.slice(prefix.length) : "";
  return /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name) ? name : undefined;
}

/** Who was brought to us under another name came by a trick (DNS rebinding). */
function isForUs({ rawHeaders }: ServedRequest, { origin }: WebFrontOptions): boolean {
  const hosts = valuesOf(rawHeaders, "host");
  return hosts.length === 1 && hosts[0]?.toLowerCase() === origin.slice("https://".length);
}

/** @throws Refusal with the challenge that says how to do better */
async function admit(call: Received, request: ServedRequest, options: WebFrontOptions): Promise<Received> {
  const { origin } = request.headers;
  if (origin !== undefined && !options.allowedOrigins.includes(origin)) {
    throw new Refusal("bad_origin", "Pages of this origin may not call here.");
  }
  const { peer } = call.channel;
  try {
    const presented = await options.tokens.judge({
      server: call.server,
      method: request.method ?? "",
      authorization: valuesOf(request.rawHeaders, "authorization"),
      dpop: valuesOf(request.rawHeaders, "dpop"),
      thumbprint: peer.kind === "anonymous" ? peer.thumbprint : undefined,
    });
    options.onProven(call);
    // INVARIANT: a forward server's client sends its token on; this one was meant for us.
    if (valueOf(request.rawHeaders, targetHeader) !== undefined) {
      throw new Refusal("target_refused", "Clients with tokens can't name an address by themselves.");
    }
    return { ...call, channel: options.linkOf(call, presented), presented };
  } catch (error) {
    throw error instanceof Refusal && refusalRow(error.code).http === 401
      ? challenged(error, call, options)
      : error;
  }
}

/** RFC 6750 §3.1 and RFC 9449 §7.1; who presented nothing is told no error. */
const errors: Partial<Record<RefusalCode, { readonly scheme: "Bearer" | "DPoP"; readonly error: string }>> = {
  bad_token: { scheme: "Bearer", error: "invalid_token" },
  bad_proof: { scheme: "DPoP", error: "invalid_dpop_proof" },
  proof_nonce: { scheme: "DPoP", error: "use_dpop_nonce" },
};

function challenged(refusal: Refusal, call: Received, options: WebFrontOptions): Refusal {
  const { code, message, facts } = refusal;
  const error = errors[code];
  const headers = challengeHeaders({
    resourceMetadata: metadataUri(options.origin, call.server),
    // The narrowest: who needs more is told when it does (MCP 2026-07-28 authorization, step-up).
    scopes: options.scopesFor(call.server).slice(0, 1),
    proofAlgorithms,
    ...(error !== undefined && { problem: { ...error, description: message } }),
  });
  return new Refusal(code, message, {
    cause: refusal,
    facts,
    headers,
  });
}

function valuesOf(raw: readonly string[], lowerCaseName: string): readonly string[] {
  return raw.flatMap((name, i) =>
    i % 2 === 0 && name.toLowerCase() === lowerCaseName ? [raw[i + 1] ?? ""] : [],
  );
}
