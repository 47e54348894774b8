/** A real authorization server (oidc-provider) with resource indicators, JWT access tokens, DPoP and client metadata documents. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, generateKeyPair } from "jose";
// @ts-expect-error it brings no types
import OidcProvider from "oidc-provider";

import { atEnd, type Cleanup } from "./cleanup.ts";

interface Grant {
  readonly addOIDCScope: (scope: string) => void;
  readonly addResourceScope: (resource: string, scope: string) => void;
  readonly save: () => Promise<string>;
}

/** What of oidc-provider is used here. */
interface Provider {
  readonly Grant: new (of: { readonly accountId: string; readonly clientId: string }) => Grant;
  readonly callback: () => (request: http.IncomingMessage, response: http.ServerResponse) => void;
  readonly interactionDetails: (
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ) => Promise<{
    readonly prompt: { readonly name: string };
    readonly params: Readonly<Record<string, unknown>>;
    readonly session?: { readonly accountId: string };
  }>;
  readonly interactionFinished: (
    request: http.IncomingMessage,
    response: http.ServerResponse,
    result: object,
  ) => Promise<void>;
}

export const redirectUri = "http://127.0.0.1:3000/callback";

/** A client that its metadata document registers (CIMD), and one that was registered before. */
export const documentedClient = "https://client.acme.test/client.json";
export const registeredClient = "registered-app";
/** Logs people in at the control room, on any port of localhost. */
export const pageClient = { id: "control-room", secret: "only-for-tests" } as const;

export interface AuthorizationServer {
  readonly url: string;
  /** Resources that tokens were asked for, in order. */
  readonly resources: readonly string[];
  /** As a user's browser: signs in as alice, agrees to what is asked, and comes back with the answer. */
  readonly browse: (url: URL) => Promise<URLSearchParams>;
}

const metadata = {
  application_type: "native",
  redirect_uris: [redirectUri],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
} as const;

interface AuthorizationServerOptions {
  readonly resource: string;
  /** Space-separated, of all resources. */
  readonly scopes: string;
  /** What ID tokens say of alice otherwise; `groups` to whom asks for the scope of that name. */
  readonly claims?: () => object;
}

export async function authorizationServer(
  t: Cleanup,
  { resource, scopes, claims = () => ({}) }: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const resources: string[] = [];
  const server = http.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const provider = new (OidcProvider as new (issuer: string, configuration: object) => Provider)(url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "ES256", use: "sig", kid: "1" }] },
    clients: [
      { client_id: registeredClient, ...metadata },
      {
        ...metadata,
        client_id: pageClient.id,
        client_secret: pageClient.secret,
        redirect_uris: ["http://localhost/login"],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
    conformIdTokenClaims: false,
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    cookies: { keys: ["only for tests"] },
    scopes: ["openid", "email", "groups", ...scopes.split(" ")],
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@acme.test`, email_verified: true, ...claims() }),
    }),
    fetch: (asked: URL | string) =>
      Promise.resolve(
        String(asked) === documentedClient
          ? Response.json({ client_id: documentedClient, client_name: "Documented", ...metadata })
          : new Response(null, { status: 404 }),
      ),
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, asked: string) => {
          resources.push(asked);
          if (asked !== resource) throw new Error(`no such resource: ${asked}`);
          const format = { accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } };
          return { scope: scopes, audience: asked, accessTokenTTL: 300, ...format };
        },
      },
    },
  });
  const serve = provider.callback();
  server.on("request", (request, response) => {
    if (!request.url?.startsWith("/interaction/")) return serve(request, response);
    void agree(provider, request, response);
  });
  return { url, resources, browse };
}

/** Signs alice in, and grants what was asked for. */
async function agree(
  provider: Provider,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId: "alice" } });
    return;
  }
  const of = { accountId: session?.accountId ?? "", clientId: String(params["client_id"]) };
  const grant = new provider.Grant(of);
  grant.addOIDCScope(String(params["scope"]));
  grant.addResourceScope(String(params["resource"]), String(params["scope"]));
  const result = { consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
}

async function browse(start: URL): Promise<URLSearchParams> {
  const cookies = new Map<string, string>();
  const end = start.searchParams.get("redirect_uri") ?? redirectUri;
  let url = start;
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ""] = set.split(";", 1);
      const at = pair.indexOf("=");
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const next = answer.headers.get("location");
    if (next === null) throw new Error(`no way on from ${url.pathname}: ${await answer.text()}`);
    url = new URL(next, url);
    if (url.href.startsWith(end)) return url.searchParams;
  }
  throw new Error("too many redirects");
}
