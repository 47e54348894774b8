/** The whole way of a client of the official SDK that knows nothing but a server's URL, with a real authorization server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import {
  Client,
  DpopSession,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { Agent, buildConnector, fetch as undiciFetch } from "undici";

import { fixtureHttpServer } from "../fixture/http.ts";
import {
  type AuthorizationServer,
  authorizationServer,
  documentedClient,
  redirectUri,
  registeredClient,
} from "../support/authorization-server.ts";
import { atEnd } from "../support/cleanup.ts";
import { recorded } from "../support/records.ts";
import { filesResource, webAddress, webScene, type WebScene } from "../support/web-gateway.ts";

const scopes = "files:read files:all";

interface Scene extends WebScene {
  readonly as: AuthorizationServer;
  /** Leads the listener's public name to where it is. */
  readonly fetch: typeof fetch;
}

async function scene(t: TestContext): Promise<Scene> {
  const mcp = fixtureHttpServer();
  await once(mcp.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    mcp.closeAllConnections();
    mcp.close();
  });
  const as = await authorizationServer(t, { resource: filesResource, scopes });
  const made = await webScene(t, {
    issuerUrl: as.url,
    filesUrl: `http://127.0.0.1:${(mcp.address() as AddressInfo).port}/mcp`,
    listener: `
scopes:
  "files:read": ["files/test_simple_text"]
  "files:all": ["files/*"]
`,
  });
  const connect = buildConnector({ ca: made.certificate.certificate });
  const { host, port } = webAddress(made.gateway);
  const dispatcher = new Agent({
    connect: (options, callback) =>
      options.hostname === "mcp.acme.test"
        ? connect({ ...options, hostname: host, port: String(port), servername: "mcp.acme.test" }, callback)
        : connect(options, callback),
  });
  atEnd(t, () => dispatcher.destroy());
  const through = ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher })) as typeof fetch;
  return { ...made, as, fetch: through };
}

interface User {
  readonly provider: OAuthClientProvider;
  readonly tokens: () => StoredOAuthTokens | undefined;
  /** What came back with the user, once for each time they were sent away. */
  readonly takeCallback: () => URLSearchParams | undefined;
}

/** A client that is registered by its document, or was before. */
function user(as: AuthorizationServer, registered: boolean, dpop: DpopSession | undefined): User {
  const clients = new Map<string, StoredOAuthClientInformation>();
  let tokens: StoredOAuthTokens | undefined;
  let verifier = "";
  let discovered: OAuthDiscoveryState | undefined;
  let callback: URLSearchParams | undefined;
  return {
    tokens: () => tokens,
    takeCallback: () => {
      const taken = callback;
      callback = undefined;
      return taken;
    },
    provider: {
      redirectUrl: redirectUri,
      clientMetadataUrl: documentedClient,
      clientMetadata: {
        client_name: "test",
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: "none",
      },
      clientInformation: (of) =>
        registered ? { client_id: registeredClient, issuer: as.url } : clients.get(of?.issuer ?? ""),
      saveClientInformation: (information, of) => void clients.set(of?.issuer ?? "", information),
      tokens: () => tokens,
      saveTokens: (given) => void (tokens = given),
      saveCodeVerifier: (given) => void (verifier = given),
      codeVerifier: () => verifier,
      redirectToAuthorization: async (url) => void (callback = await as.browse(url)),
      saveDiscoveryState: (given) => void (discovered = given),
      discoveryState: () => discovered,
      ...(dpop && { dpop: () => dpop }),
    },
  };
}

/** Does it, after the user agreed to it if that is what it takes. */
async function asking<T>(
  {
    transport,
    takeCallback,
  }: { transport: StreamableHTTPClientTransport; takeCallback: User["takeCallback"] },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const callback = takeCallback();
    if (!(error instanceof UnauthorizedError) || callback === undefined) throw error;
    await transport.finishAuth(callback);
    return await work();
  }
}

interface Session {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

async function connected(
  t: TestContext,
  all: Scene,
  { provider, takeCallback }: User,
  mode: "auto" | "legacy",
): Promise<Session> {
  for (let attempt = 0; ; attempt++) {
    const transport = new StreamableHTTPClientTransport(new URL(filesResource), {
      authProvider: provider,
      fetch: all.fetch,
    });
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
    try {
      await client.connect(transport);
      atEnd(t, () => client.close());
      return { client, transport };
    } catch (error) {
      const callback = takeCallback();
      if (!(error instanceof UnauthorizedError) || callback === undefined || attempt > 0) throw error;
      await transport.finishAuth(callback);
    }
  }
}

for (const [how, registered, id] of [
  ["its metadata document", false, documentedClient],
  ["an operator beforehand", true, registeredClient],
] as const) {
  for (const mode of ["auto", "legacy"] as const) {
    test(`a client registered by ${how} finds its way from a URL to a call, with DPoP and PKCE (${mode})`, async (t) => {
      const all = await scene(t);
      const someone = user(all.as, registered, await DpopSession.create());
      const session = await connected(t, all, someone, mode);
      assert.equal(someone.tokens()?.token_type, "DPoP");
      assert.equal(someone.tokens()?.scope, "files:read");
      assert.deepEqual(new Set(all.as.resources), new Set([filesResource]));
      const { tools } = await session.client.listTools();
      assert.ok(tools.some(({ name }) => name === "test_simple_text"));
      const { content } = await session.client.callTool({ name: "test_simple_text" });
      assert.match(JSON.stringify(content), /text/);
      const entries = await recorded(all.gateway);
      const decided = entries.filter(({ tool }) => tool === "files/test_simple_text");
      assert.deepEqual(
        decided.map(({ outcome, principal }) => [outcome, principal]),
        Array.from({ length: 2 }, () => ["allowed", `oauth:corp/client/${id}`]),
      );
      assert.equal(decided[0]?.facts["proof"], "dpop");
    });
  }
}

test("a client that was granted little asks its user for more when it needs it, and goes on", async (t) => {
  const all = await scene(t);
  const someone = user(all.as, false, await DpopSession.create());
  const session = await connected(t, all, someone, "auto");
  const { takeCallback } = someone;
  const { content } = await asking({ ...session, takeCallback }, () =>
    session.client.callTool({ name: "test_image_content" }),
  );
  assert.match(JSON.stringify(content), /image/);
  assert.deepEqual(new Set(someone.tokens()?.scope?.split(" ")), new Set(["files:read", "files:all"]));
});

test("a client without DPoP gets a token, and the gateway takes it from nobody", async (t) => {
  const all = await scene(t);
  const someone = user(all.as, true, undefined);
  await assert.rejects(connected(t, all, someone, "auto"));
  assert.equal(someone.tokens()?.token_type, "Bearer");
  assert.deepEqual(await recorded(all.gateway), []);
});
