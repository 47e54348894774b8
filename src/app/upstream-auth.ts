/** From a server's `auth` in the config to the credentials and connections with which it is reached. */
import path from "node:path";

import type tls from "node:tls";

import { Agent } from "undici";

import { jwtKeyFromPem } from "../crypto/jwt-keys.ts";
import {
  certifiedAgent,
  certifiedConnections,
  type ClientCertificate,
} from "../host/net/certified-connections.ts";
import { pathConnector } from "../host/net/path-connector.ts";
import type { UpstreamCredential } from "../host/net/upstream-credential.ts";
import type { OnLink } from "../host/net/proven-links.ts";
import {
  type Connections,
  webConnections,
  type WebLinkOptions,
  type WebLinks,
} from "../host/net/web-links.ts";
import { boundedFetch } from "../host/oauth/bounded-fetch.ts";
import { type ClientProof, notAsked, type OauthClient } from "../host/oauth/client.ts";
import { delegatedTokens, type IdentityProvider } from "../host/oauth/delegated-tokens.ts";
import { type Located, locator } from "../host/oauth/locate.ts";
import { serviceTokens } from "../host/oauth/service-tokens.ts";
import { notAccepted, tokenCredential, type TokenSource } from "../host/oauth/token-source.ts";
import { type UserGrants, userGrants } from "../host/oauth/user-grants.ts";
import type { GrantStore } from "../host/store/state-grants.ts";
import { type TextSource, type WatchedText, watchedText } from "../host/store/watched-text.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Assertions } from "./caller-assertions.ts";
import type { ServerAtUrl } from "./config.ts";
import { certificateOf } from "./config/servers.ts";
import type { UpstreamAuth } from "./config/upstream-auth.ts";

/** Where grants of callers are kept, and under which name they are asked for. */
export interface GrantsOptions {
  readonly store: GrantStore;
  readonly clientName: string;
}

export interface AuthOptions {
  /** Relative paths count from here. */
  readonly folder: string;
  readonly webTerms: WebLinkOptions["terms"];
  /** Where the links to MCP servers are noted. */
  readonly webLinks: WebLinks;
  readonly answerTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent where there can be none. */
  readonly grants?: GrantsOptions | undefined;
  /** How callers are vouched for; absent where nobody is. */
  readonly assertions?: Assertions | undefined;
  readonly seen?: SeenServers | undefined;
  /** The numeric address of the server's host, where not every one may be connected to. */
  readonly resolve?: ((host: string) => Promise<string>) | undefined;
  /** Shown each new TLS link to the server itself. */
  readonly onLink: (link: tls.TLSSocket) => void;
}

/** Who remembers the servers. */
export interface SeenServers {
  /** What is told of each link to a server: one with a certificate of ours, one that is shown ours, or any other. */
  readonly onLink: (peer: string, kind: "svid" | "certified" | "web") => OnLink;
  /** In what its newest link is less than before, in short, where it is used all the same. */
  readonly regression: (peer: string) => string | undefined;
}

export interface AuthorizedServer {
  readonly connections: Connections;
  /** Of a server for which each caller needs its own. */
  readonly grants?: UserGrants;
  readonly credential?: UpstreamCredential;
}

/** How long an authorization server may take, whatever the MCP servers may. */
const askTimeoutMs = 10_000;

/** @throws Refusal `bad_config` if a secret isn't there */
export function authorizedServer(
  name: string,
  server: Pick<ServerAtUrl, "link" | "url">,
  auth: UpstreamAuth,
  options: AuthOptions,
): AuthorizedServer {
  const url = new URL(server.url);
  const at = `servers.${name}.auth`;
  const own = clientCertificate(auth, at, options);
  const { onLink, resolve } = options;
  const kind = own === undefined ? "web" : "certified";
  const link = { ...webLink(name, server, kind, options), onLink, resolve };
  const connections =
    own === undefined ? webConnections(url, link) : certifiedConnections(url.origin, own, link);
  if (auth.kind === "mtls") return { connections };
  if (auth.kind === "bearer") {
    const token = watchedSecret(auth.token, `${at}.token`, options);
    return { connections, credential: tokenCredential(staticToken(token), url) };
  }
  const asking = own === undefined ? anyOrigin() : certifiedAgent(own, options.webTerms);
  const timeoutMs = Math.min(askTimeoutMs, options.answerTimeoutMs);
  const fetch = boundedFetch({ dispatcher: asking.dispatcher, timeoutMs, failed: notAsked });
  const base = { fetch, showsCertificate: own !== undefined, clock: options.clock };
  const { issuer, resource } = auth;
  const locate = locator({ url, issuer, resource, fetch, clock: options.clock });
  const source = tokenSource({ name, auth, base, locate }, options);
  return {
    connections: {
      dispatcher: connections.dispatcher,
      close: async () => {
        await Promise.all([connections.close(), asking.close()]);
      },
    },
    credential: tokenCredential(source, url),
    ...("begin" in source && { grants: source }),
  };
}

/** What a link to a server that isn't ours may negotiate: by itself nothing without ML-KEM. */
export function webLink(
  name: string,
  { link, url }: Pick<ServerAtUrl, "link" | "url">,
  kind: "certified" | "web",
  { webTerms: terms, webLinks: links, seen }: Pick<AuthOptions, "webTerms" | "webLinks" | "seen">,
): WebLinkOptions {
  const keyExchange = link.key_exchange ?? "hybrid-required";
  return { terms, keyExchange, links, seen: seen?.onLink(webPeer(name, new URL(url)), kind) };
}

type OauthAuth = Exclude<UpstreamAuth, { readonly kind: "mtls" | "bearer" }>;

interface Asking {
  readonly name: string;
  readonly auth: OauthAuth;
  readonly base: Omit<OauthClient, "clientId" | "proof">;
  readonly locate: () => Promise<Located>;
}

function tokenSource({ name, auth, base, locate }: Asking, options: AuthOptions): TokenSource | UserGrants {
  const at = `servers.${name}.auth`;
  const { scopes, dpop } = auth;
  if (auth.kind !== "authorization_code") {
    const own: OauthClient = { ...base, clientId: auth.client_id, proof: proofOf(auth, at, options) };
    const service = { own, locate, scopes, dpop };
    if (!("signed_with" in auth)) return serviceTokens(service);
    if (options.assertions === undefined) {
      throw new Refusal("bad_config", `${at}: callers are vouched for by a gateway alone.`);
    }
    const assertion = options.assertions(auth.signed_with);
    const idp = auth.kind === "id_jag" ? identityProvider(auth.idp, base, `${at}.idp`, options) : undefined;
    return delegatedTokens({ ...service, assertion, idp });
  }
  if (options.grants === undefined) {
    throw new Refusal("bad_config", `${at}: grants of callers are kept by a gateway alone.`);
  }
  const { client_id: clientId, client_metadata: metadataUrl, register: mayRegister } = auth;
  return userGrants({
    server: name,
    base,
    locate,
    scopes,
    dpop,
    registered: clientId === undefined ? undefined : { clientId, proof: proofOf(auth, at, options) },
    metadataUrl,
    mayRegister,
    log: options.log,
    ...options.grants,
  });
}

function identityProvider(
  idp: Extract<UpstreamAuth, { readonly kind: "id_jag" }>["idp"],
  base: Asking["base"],
  at: string,
  options: AuthOptions,
): IdentityProvider {
  const { fetch, clock } = base;
  const locate = locator({ url: new URL(idp.issuer), issuer: idp.issuer, fetch, clock });
  return {
    own: { ...base, clientId: idp.client_id, proof: proofOf(idp, at, options) },
    metadata: async () => (await locate()).as,
  };
}

function staticToken(token: WatchedText): TokenSource {
  return {
    token: () => Promise.resolve({ value: token.current() }),
    refused: () => undefined, // Whoever renews the file knows.
    useless: notAccepted,
  };
}

interface ProofConfig {
  readonly secret?: TextSource | undefined;
  readonly secret_in?: "basic" | "post";
  readonly key?: TextSource | undefined;
  readonly tls?: unknown;
}

function proofOf(auth: ProofConfig, at: string, options: AuthOptions): ClientProof {
  if (auth.key !== undefined) {
    const key = watchedSecret(auth.key, `${at}.key`, options);
    jwtKeyFromPem(key.current(), `${at}.key`); // Now, rather than at the first call.
    return { kind: "key", key, at: `${at}.key` };
  }
  if (auth.secret === undefined) return { kind: auth.tls === undefined ? "none" : "certificate" };
  const secret = watchedSecret(auth.secret, `${at}.secret`, options);
  return { kind: "secret", secret: secret.current, in: auth.secret_in ?? "basic" };
}

function clientCertificate(
  auth: UpstreamAuth,
  at: string,
  options: AuthOptions,
): ClientCertificate | undefined {
  const files = certificateOf(auth);
  if (files === undefined) return undefined;
  const place = auth.kind === "mtls" ? at : `${at}.tls`;
  return {
    certificate: watchedSecret(files.certificate, `${place}.certificate`, options),
    key: watchedSecret(files.key, `${place}.key`, options),
    ca: files.ca && watchedSecret(files.ca, `${place}.ca`, options),
  };
}

function watchedSecret(source: TextSource, at: string, { folder }: AuthOptions): WatchedText {
  return watchedText("env" in source ? source : { file: path.resolve(folder, source.file) }, at);
}

/** How a server that isn't ours is called where peers are remembered. */
export function webPeer(name: string, { origin }: URL): string {
  return `${name} ${origin}`;
}

function anyOrigin(): Connections {
  const agent = new Agent({ connect: pathConnector() });
  return { dispatcher: () => agent, close: () => agent.destroy() };
}
