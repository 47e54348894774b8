/** A real authorization server (oidc-provider) on loopback, and MCP servers that take its tokens alone. */
import type { X509Certificate } from "node:crypto";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";

import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, type JWTPayload, SignJWT } from "jose";
// @ts-expect-error it brings no types
import OidcProvider from "oidc-provider";

import { atEnd, type Cleanup } from "./cleanup.ts";
import type { Issued } from "./certificates.ts";
import { type Answering, echoResult } from "./gateway.ts";

/** What of oidc-provider is used here. */
interface Provider {
  readonly callback: () => (request: http.IncomingMessage, response: http.ServerResponse) => void;
  readonly interactionDetails: (
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ) => Promise<{
    readonly prompt: { readonly name: string; readonly details: Readonly<Record<string, unknown>> };
    readonly params: Readonly<Record<string, string>>;
    readonly session?: { readonly accountId: string };
  }>;
  readonly interactionFinished: (
    request: http.IncomingMessage,
    response: http.ServerResponse,
    result: object,
    options: object,
  ) => Promise<void>;
  readonly Grant: new (of: object) => GrantModel;
  readonly registerGrantType: (
    name: string,
    handler: (ctx: GrantContext) => Promise<void>,
    parameters: readonly string[],
  ) => void;
}

interface GrantModel {
  readonly addOIDCScope: (scope: string) => void;
  readonly addResourceScope: (resource: string, scope: string) => void;
  readonly save: () => Promise<string>;
}

export interface GrantContext {
  body: unknown;
  status: number;
  readonly oidc: {
    readonly params: Readonly<Record<string, string | undefined>>;
    readonly client: { readonly clientId: string };
  };
}

export interface AuthorizationServer {
  readonly issuer: string;
  /** Paths that were asked for, in order. */
  readonly seen: readonly { readonly path: string; readonly body: string }[];
  /** Answers in the provider's stead where it returns true. */
  intercept: (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
  readonly verify: (token: string, audience: string) => Promise<JWTPayload>;
  /** Signs in the provider's name what it wouldn't give out by itself. */
  readonly sign: (claims: object, type: string) => Promise<string>;
  readonly provider: Provider;
  readonly stop: () => void;
  readonly start: () => Promise<void>;
}

export interface AuthorizationServerOptions {
  readonly clients?: readonly object[];
  /** How long access tokens live, in seconds. */
  readonly lifeS?: number;
  /** Serves https, and takes client certificates of that authority. */
  readonly tls?: Issued & { readonly ca: string };
  /** Kinds of grants beside the usual ones; the test says how they are answered. */
  readonly grantTypes?: readonly string[];
}

export async function authorizationServer(
  t: Cleanup,
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> {
  const seen: { path: string; body: string }[] = [];
  const keys = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(keys.privateKey)), kid: "as", alg: "ES256", use: "sig" };
  const publicJwk = { ...(await exportJWK(keys.publicKey)), kid: "as", alg: "ES256" };
  const keySet = createLocalJWKSet({ keys: [publicJwk] });
  const { tls } = options;
  const handler = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const entry = { path: (request.url ?? "").split("?", 1)[0] ?? "", body: "" };
    seen.push(entry);
    request.on("data", (chunk: Buffer) => (entry.body += chunk.toString()));
    if (fixture.intercept(request, response)) return;
    if (entry.path.startsWith("/interaction/")) void consent(fixture.provider, request, response);
    else callback(request, response);
  };
  const server =
    tls === undefined
      ? http.createServer(handler)
      : https.createServer(
          { cert: tls.certificate, key: tls.key, ca: tls.ca, requestCert: true, rejectUnauthorized: false },
          handler,
        );
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => void server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const provider = new (OidcProvider as new (issuer: string, configuration: object) => Provider)(
    issuer,
    configuration(options, jwk),
  );
  for (const type of options.grantTypes ?? []) provider.registerGrantType(type, () => Promise.resolve(), []);
  const callback = provider.callback();
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  atEnd(t, stop);
  const fixture: AuthorizationServer = {
    issuer,
    seen,
    intercept: () => false,
    verify: async (token, audience) => (await jwtVerify(token, keySet, { issuer, audience })).payload,
    sign: (claims, typ) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "as", typ })
        .setIssuer(issuer)
        .setIssuedAt()
        .setExpirationTime("10m")
        .sign(keys.privateKey),
    provider,
    stop,
    start: () => listen(port),
  };
  return fixture;
}

function configuration({ clients = [], lifeS = 600 }: AuthorizationServerOptions, jwk: object): object {
  return {
    clients,
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    jwks: { keys: [jwk] },
    cookies: { keys: ["a secret of this test"] },
    clientAuthMethods: [
      "client_secret_basic",
      "client_secret_post",
      "private_key_jwt",
      "tls_client_auth",
      "none",
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: ["ES256", "PS256", "EdDSA", "Ed25519", "ML-DSA-65"],
    },
    scopes: ["openid", "offline_access"],
    ttl: { ClientCredentials: lifeS, AccessToken: lifeS },
    issueRefreshToken: () => true,
    rotateRefreshToken: () => true,
    findAccount: (_ctx: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_ctx: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      revocation: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx: unknown, resource: string) => ({
          scope: "tools:read tools:write",
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: lifeS,
        }),
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: ({ socket }: CertificateContext) => socket.getPeerX509Certificate?.()?.toString(),
        certificateAuthorized: ({ socket }: CertificateContext) => socket.authorized === true,
        certificateSubjectMatches: ({ socket }: CertificateContext, _property: string, expected: string) =>
          socket.getPeerX509Certificate?.()?.subject === expected,
      },
    },
  };
}

interface CertificateContext {
  readonly socket: {
    readonly authorized?: boolean;
    readonly getPeerX509Certificate?: () => X509Certificate | undefined;
  };
}

/** Whoever comes is "alice" and consents to everything. */
async function consent(
  provider: Provider,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const finish = (result: object): Promise<void> =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  if (prompt.name === "login") return await finish({ login: { accountId: "alice" } });
  const grant = new provider.Grant({ accountId: session?.accountId, clientId: params["client_id"] });
  grant.addOIDCScope("openid offline_access");
  if (params["resource"] !== undefined) grant.addResourceScope(params["resource"], params["scope"] ?? "");
  await finish({ consent: { grantId: await grant.save() } });
}

export interface ProtectedServer {
  readonly url: string;
  /** Of each request that came with a token: what the token says. */
  readonly admitted: readonly JWTPayload[];
  readonly headers: readonly http.IncomingHttpHeaders[];
  /** Tokens that count no more. */
  readonly revoked: Set<string>;
  readonly server: http.Server;
}

/** An MCP server that names its authorization server and answers who shows a token of it that is meant for this server. */
export async function protectedServer(
  t: Cleanup,
  as: AuthorizationServer,
  options: {
    readonly tls?: Issued & { readonly ca: string };
    readonly dpop?: boolean;
    readonly answer?: Answering;
  } = {},
): Promise<ProtectedServer> {
  const admitted: JWTPayload[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const revoked = new Set<string>();
  const { tls } = options;
  const take = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const { origin, pathname } = new URL(request.url ?? "", url);
    if (pathname === "/.well-known/oauth-protected-resource/mcp") {
      response.setHeader("content-type", "application/json").end(
        JSON.stringify({
          resource: `${origin}/mcp`,
          authorization_servers: [as.issuer],
          scopes_supported: ["tools:read"],
          ...(options.dpop === true && { dpop_signing_alg_values_supported: ["ES256"] }),
        }),
      );
      return;
    }
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => void serve(request, response, body));
  };
  const serve = async (
    request: http.IncomingMessage,
    response: http.ServerResponse,
    body: string,
  ): Promise<void> => {
    const [, scheme = "", token = ""] =
      /^(Bearer|DPoP) (\S+)$/.exec(request.headers.authorization ?? "") ?? [];
    try {
      if (revoked.has(token)) throw new Error("revoked");
      const claims = await as.verify(token, url);
      checkBinding(claims, scheme, request);
      admitted.push(claims);
      headers.push(request.headers);
      (options.answer ?? echoResult)(request, response, body);
    } catch {
      const metadata = `resource_metadata="${new URL(url).origin}/.well-known/oauth-protected-resource/mcp"`;
      const error = token === "" ? "" : 'error="invalid_token", ';
      response.writeHead(401, { "www-authenticate": `Bearer ${error}${metadata}` }).end();
    }
  };
  const server =
    tls === undefined
      ? http.createServer(take)
      : https.createServer(
          { cert: tls.certificate, key: tls.key, ca: tls.ca, requestCert: true, rejectUnauthorized: true },
          take,
        );
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const url = `${tls === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return { url, admitted, headers, revoked, server };
}

/** A token that is bound to a key is worth nothing without it (RFC 8705 §3, RFC 9449 §7). */
function checkBinding(claims: JWTPayload, scheme: string, request: http.IncomingMessage): void {
  const cnf = claims["cnf"] as { readonly jkt?: string; readonly "x5t#S256"?: string } | undefined;
  const proof = request.headers["dpop"];
  if (cnf?.jkt !== undefined && (scheme !== "DPoP" || typeof proof !== "string")) throw new Error("no proof");
  const shown = (request as unknown as CertificateContext).socket.getPeerX509Certificate?.();
  const hash =
    shown === undefined
      ? ""
      : Buffer.from(shown.fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
  if (cnf?.["x5t#S256"] !== undefined && cnf["x5t#S256"] !== hash) throw new Error("another certificate");
}
