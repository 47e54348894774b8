/** The gateway's own credentials at protected servers, end to end: a real authorization server, real tokens, real sockets. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";

import { parseConfig } from "../../src/app/config.ts";
import { sessionGroupId } from "../../src/host/net/session-group.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import {
  clientOf,
  type Client,
  echoResult,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { outsideAuthority, type OutsideAuthority } from "../support/certificates.ts";
import {
  type AuthorizationServer,
  authorizationServer,
  protectedServer,
  type ProtectedServer,
} from "../support/upstream-authorization-server.ts";

const secret = "a-client-secret-of-the-gateway-5e3f";
const json = { "content-type": "application/json" };
const machineClient = {
  client_id: "gateway",
  client_secret: secret,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};

interface Scene {
  readonly house: TestGateway;
  readonly client: Client;
}

async function scene(
  t: Cleanup,
  folder: string,
  servers: string,
  { limits = "", clock }: { readonly limits?: string | undefined; readonly clock?: Clock | undefined } = {},
): Promise<Scene> {
  const yaml = `servers: { ${servers} }\n${limits}\n${openPolicy}`;
  const house = await testGateway(t, yaml, { folder, ...(clock && { clock }) });
  return { house, client: clientOf(t, house, await enrol(house)) };
}

async function secretFile(folder: string, name: string, text: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return file;
}

interface MachineScene extends Scene {
  readonly as: AuthorizationServer;
  readonly upstream: ProtectedServer;
  readonly folder: string;
}

/** A gateway with a client secret before one protected server. */
async function machineScene(
  t: Cleanup,
  options: { readonly limits?: string; readonly dpop?: boolean; readonly clock?: Clock } = {},
): Promise<MachineScene> {
  const as = await authorizationServer(t, { clients: [machineClient] });
  const upstream = await protectedServer(t, as, { dpop: options.dpop ?? false });
  const folder = await temporaryFolder(t);
  await secretFile(folder, "secret", `${secret}\n`);
  const auth = `{ kind: client_credentials, client_id: gateway, secret: { file: secret }, issuer: "${as.issuer}" }`;
  const made = await scene(t, folder, `s: { url: "${upstream.url}", auth: ${auth} }`, options);
  return { ...made, as, upstream, folder };
}

function tokensAsked(as: AuthorizationServer): number {
  return as.seen.filter(({ path }) => path === "/token").length;
}

test("a bearer token from a file is shown to the server, and another one as soon as the file has it", async (t) => {
  const folder = await temporaryFolder(t);
  const file = await secretFile(folder, "token", "first-token\n");
  const stub = await stubServer(t);
  const { client } = await scene(
    t,
    folder,
    `s: { url: "${stub.url}", auth: { kind: bearer, token: { file: token } } }`,
  );
  assert.equal((await client.post("s", toolCall("a"))).status, 200);
  await writeFile(file, "second-token-now\n");
  assert.equal((await client.post("s", toolCall("a"))).status, 200);
  assert.deepEqual(
    stub.seen.map(({ headers }) => headers.authorization),
    ["Bearer first-token", "Bearer second-token-now"],
  );
});

test("the gateway shows the server a token of its own for that very server, of the scopes it names, and keeps it", async (t) => {
  const { client, upstream, as, house } = await machineScene(t);
  const answer = await client.post("s", toolCall("a"), { authorization: "Bearer the-callers-own-token" });
  assert.equal(answer.status, 200, answer.text + house.log.join(""));
  assert.equal(upstream.admitted[0]?.["client_id"], "gateway");
  assert.equal(upstream.admitted[0]?.["scope"], "tools:read");
  assert.ok(!JSON.stringify(upstream.headers).includes("the-callers-own-token"));
  assert.equal(tokensAsked(as), 1);
  await client.post("s", toolCall("a"));
  assert.equal(tokensAsked(as), 1, "the token is kept");
});

test("a client secret is sent in the form where the config says so", async (t) => {
  const as = await authorizationServer(t, {
    clients: [{ ...machineClient, token_endpoint_auth_method: "client_secret_post" }],
  });
  const upstream = await protectedServer(t, as);
  const folder = await temporaryFolder(t);
  await secretFile(folder, "secret", secret);
  const auth = `{ kind: client_credentials, client_id: gateway, secret: { file: secret }, secret_in: post, issuer: "${as.issuer}", scopes: ["tools:write"] }`;
  const { client } = await scene(t, folder, `s: { url: "${upstream.url}", auth: ${auth} }`);
  assert.equal((await client.post("s", toolCall("a"))).status, 200);
  assert.equal(upstream.admitted[0]?.["scope"], "tools:write");
});

for (const [alg, make] of [
  ["Ed25519", () => generateKeyPairSync("ed25519")],
  ["ES256", () => generateKeyPairSync("ec", { namedCurve: "prime256v1" })],
  ["PS256", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ["ML-DSA-65", () => generateKeyPairSync("ml-dsa-65")],
] as const) {
  test(`at the authorization server that the server names, a client proves itself by a JWT of its key: ${alg}`, async (t) => {
    const { publicKey, privateKey } = make();
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k", alg };
    const { client_secret: _, ...metadata } = machineClient;
    const as = await authorizationServer(t, {
      clients: [
        {
          ...metadata,
          token_endpoint_auth_method: "private_key_jwt",
          token_endpoint_auth_signing_alg: alg,
          jwks: { keys: [jwk] },
        },
      ],
    });
    const upstream = await protectedServer(t, as);
    const folder = await temporaryFolder(t);
    await secretFile(folder, "key.pem", privateKey.export({ type: "pkcs8", format: "pem" }));
    const auth = `{ kind: private_key_jwt, client_id: gateway, key: { file: key.pem } }`;
    const { client, house } = await scene(t, folder, `s: { url: "${upstream.url}", auth: ${auth} }`);
    const answer = await client.post("s", toolCall("a"));
    assert.equal(answer.status, 200, answer.text + house.log.join(""));
    assert.equal(upstream.admitted.length, 1);
  });
}

test("tokens are bound to a key of the gateway's where the server and its authorization server take that", async (t) => {
  const { client, upstream } = await machineScene(t, { dpop: true });
  assert.equal((await client.post("s", toolCall("a"))).status, 200);
  assert.match(JSON.stringify(upstream.admitted[0]?.["cnf"]), /"jkt":/);
  assert.match(upstream.headers[0]?.authorization ?? "", /^DPoP /);
});

for (const keyType of ["ec", "ml-dsa-65"] as const) {
  test(`a token is bound to the gateway's client certificate, whose key is ${keyType}`, async (t) => {
    const authority = outsideAuthority("outside");
    const serving = { ...authority.issue("server"), ca: authority.certificate };
    const { client_secret: _, ...metadata } = machineClient;
    const as = await authorizationServer(t, {
      tls: serving,
      clients: [
        {
          ...metadata,
          token_endpoint_auth_method: "tls_client_auth",
          tls_client_auth_subject_dn: "CN=gateway",
          tls_client_certificate_bound_access_tokens: true,
        },
      ],
    });
    const upstream = await protectedServer(t, as, { tls: serving });
    const folder = await temporaryFolder(t);
    const own = authority.issue("gateway", keyType);
    await secretFile(folder, "own.pem", own.certificate);
    await secretFile(folder, "own.key", own.key);
    await secretFile(folder, "ca.pem", authority.certificate);
    const tls = "tls: { certificate: { file: own.pem }, key: { file: own.key }, ca: { file: ca.pem } }";
    const auth = `{ kind: client_credentials, client_id: gateway, ${tls} }`;
    const { client, house } = await scene(t, folder, `s: { url: "${upstream.url}", auth: ${auth} }`);
    const answer = await client.post("s", toolCall("a"));
    assert.equal(answer.status, 200, answer.text + house.log.join(""));
    assert.match(JSON.stringify(upstream.admitted[0]?.["cnf"]), /"x5t#S256":/);
  });
}

for (const keyType of ["ec", "ml-dsa-65"] as const) {
  test(`a client certificate alone opens a server that asks for one (${keyType}); hybrid, and renewed with its files`, async (t) => {
    const authority = outsideAuthority("outside");
    const names: string[] = [];
    const groups: unknown[] = [];
    const server = https.createServer(
      {
        ...serverTls(authority),
        ca: authority.certificate,
        requestCert: true,
        rejectUnauthorized: true,
        ecdhCurve: "X25519MLKEM768:X25519",
      },
      (request, response) => {
        const socket = request.socket as TLSSocket;
        names.push(socket.getPeerX509Certificate()?.subject ?? "none");
        groups.push(sessionGroupId(socket.getSession()));
        let body = "";
        request.on("data", (chunk: Buffer) => (body += chunk.toString()));
        request.on("end", () => echoResult(request, response, body));
      },
    );
    const url = await listening(t, server);
    const folder = await temporaryFolder(t);
    const write = async (name: string): Promise<void> => {
      const own = authority.issue(name, keyType);
      await secretFile(folder, "own.pem", own.certificate);
      await secretFile(folder, "own.key", own.key);
    };
    await write("first");
    await secretFile(folder, "ca.pem", authority.certificate);
    const auth =
      "{ kind: mtls, certificate: { file: own.pem }, key: { file: own.key }, ca: { file: ca.pem } }";
    const { client } = await scene(t, folder, `s: { url: "${url}", auth: ${auth} }`);
    assert.equal((await client.post("s", toolCall("a"))).status, 200);
    await write("second");
    assert.equal((await client.post("s", toolCall("a"))).status, 200);
    assert.deepEqual(names, ["CN=first", "CN=second"]);
    assert.deepEqual(groups, [0x11ec, 0x11ec]);
  });
}

test("a server under another root than the configured one is shown no token and told nothing", async (t) => {
  const [right, wrong] = [outsideAuthority("right"), outsideAuthority("wrong")];
  let requests = 0;
  const server = https.createServer(serverTls(wrong), (_request, response) => {
    requests += 1;
    response.end();
  });
  const url = await listening(t, server);
  const folder = await temporaryFolder(t);
  const own = right.issue("gateway");
  await secretFile(folder, "own.pem", own.certificate);
  await secretFile(folder, "own.key", own.key);
  await secretFile(folder, "ca.pem", right.certificate);
  await secretFile(folder, "token", "secret-token");
  const tls = "tls: { certificate: { file: own.pem }, key: { file: own.key }, ca: { file: ca.pem } }";
  const auth = `{ kind: bearer, token: { file: token }, ${tls} }`;
  const { client, house } = await scene(t, folder, `s: { url: "${url}", auth: ${auth} }`);
  assert.equal((await client.post("s", toolCall("a"))).status, 502);
  assert.match(house.log.join(""), /UNABLE_TO_VERIFY|SELF_SIGNED|DEPTH_ZERO/);
  assert.equal(requests, 0);
});

test("20 calls at once ask for one token, and for one more when it has ended", async (t) => {
  let now = Date.now();
  const { client, as, house, upstream } = await machineScene(t, { clock: { nowUnixMs: () => now } });
  const twenty = (): Promise<readonly number[]> =>
    Promise.all(
      Array.from({ length: 20 }, async (_, id) => (await client.post("s", toolCall("a", id))).status),
    );
  assert.deepEqual([...new Set(await twenty())], [200], house.log.join(""));
  assert.equal(tokensAsked(as), 1);
  now += 601_000;
  assert.deepEqual([...new Set(await twenty())], [200]);
  assert.equal(tokensAsked(as), 2);
  assert.equal(upstream.admitted.length, 40);
});

test("a token is renewed before it ends, without a call that waits for it", async (t) => {
  let now = Date.now();
  const { client, as, upstream } = await machineScene(t, { clock: { nowUnixMs: () => now } });
  await client.post("s", toolCall("a"));
  now += 560_000;
  as.intercept = (request) => request.url === "/token"; // Never answered.
  assert.equal((await client.post("s", toolCall("a"))).status, 200);
  assert.equal(tokensAsked(as), 2);
  assert.equal(upstream.admitted.length, 2);
});

test("a token the server refuses with 401 leads to one fresh one and one more try, and to no loop", async (t) => {
  const now = Date.now();
  const { client, as, upstream, house } = await machineScene(t, { clock: { nowUnixMs: () => now } });
  await client.post("s", toolCall("a"));
  upstream.revoked.add(upstream.headers[0]?.authorization?.slice("Bearer ".length) ?? "");
  assert.equal((await client.post("s", toolCall("a"))).status, 200, "with a fresh one");
  assert.equal(tokensAsked(as), 2);
  upstream.revoked.has = () => true;
  const refused = await client.post("s", toolCall("a"));
  assert.equal(refused.status, 502);
  assert.equal(refused.headers["www-authenticate"], undefined, "no client takes it for its own affair");
  assert.equal(tokensAsked(as), 3);
  assert.equal((await client.post("s", toolCall("a"))).status, 502);
  assert.equal(tokensAsked(as), 3, "and for a moment none is asked for");
  assert.match(house.log.join(""), /"cause":"invalid_token"/);
});

const troubles: readonly (readonly [string, (response: http.ServerResponse) => void, RegExp])[] = [
  ["slow", () => undefined, /"cause":"timeout"/],
  [
    "huge",
    (response) => void response.writeHead(200, json).end(Buffer.alloc(2 ** 20, 0x20)),
    /"cause":"too_large"/,
  ],
  [
    "redirecting",
    (response) => void response.writeHead(307, { location: "http://127.0.0.1:9/elsewhere" }).end(),
    /"cause":"redirect"/,
  ],
  ["speaking something else than JSON", (response) => void response.end("hello"), /OAUTH_/],
];
for (const [what, answer, expected] of troubles) {
  test(`a token endpoint that is ${what} ends the call with a reason, and isn't asked again at once`, async (t) => {
    const { client, as, house, upstream } = await machineScene(t, {
      limits: "limits: { answer_timeout: 500ms }",
    });
    as.intercept = (request, response) => {
      if (request.url !== "/token") return false;
      answer(response);
      return true;
    };
    for (let tries = 0; tries < 3; tries++) {
      const refused = await client.post("s", toolCall("a"));
      assert.equal(refused.status, 502);
      assert.match(refused.text, /The gateway got no token for this server/);
    }
    assert.equal(tokensAsked(as), 1);
    assert.match(house.log.join(""), expected);
    assert.equal(upstream.admitted.length, 0);
    assert.ok(!house.log.join("").includes(secret));
  });
}

test("an authorization server that is down is asked again later and later, and used when it is back", async (t) => {
  let now = Date.now();
  const { client, as } = await machineScene(t, { clock: { nowUnixMs: () => now } });
  as.stop();
  const call = async (): Promise<number> => (await client.post("s", toolCall("a"))).status;
  assert.equal(await call(), 502);
  await as.start();
  assert.equal(await call(), 502, "within the back-off");
  now += 1001;
  assert.equal(await call(), 200);
});

test("an authorization server that calls itself by another issuer than was asked for gets no secret", async (t) => {
  const { client, as, house } = await machineScene(t);
  as.intercept = (request, response) => {
    if (request.url?.includes("/.well-known/") !== true) return false;
    const other = { issuer: "http://127.0.0.1:9", token_endpoint: `${as.issuer}/token` };
    response.setHeader("content-type", "application/json").end(JSON.stringify(other));
    return true;
  };
  assert.equal((await client.post("s", toolCall("a"))).status, 502);
  assert.equal(tokensAsked(as), 0);
  assert.match(house.log.join(""), /OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED/);
});

const wrongConfigs: readonly (readonly [string, string, RegExp])[] = [
  [
    "auth and an Authorization header",
    'url: "https://s.test/mcp", headers: { Authorization: { env: HOME } }, auth: { kind: bearer, token: { env: HOME } }',
    /two credentials/,
  ],
  ["a secret in the clear", 'url: "https://s.test/mcp", auth: { kind: bearer, token: "abc" }', /auth\.token/],
  [
    "a token sent in the clear",
    'url: "http://s.test/mcp", auth: { kind: bearer, token: { env: HOME } }',
    /expected https/,
  ],
  [
    "a client certificate over http",
    'url: "http://127.0.0.1:1/mcp", auth: { kind: mtls, certificate: { file: a }, key: { file: b } }',
    /in TLS alone/,
  ],
  [
    "auth on an exposed server",
    'url: "https://s.test/mcp", peer: "spiffe://a/server/b", auth: { kind: bearer, token: { env: HOME } }',
    /own identity/,
  ],
  [
    "auth over HTTP+SSE",
    'url: "https://s.test/sse", transport: http+sse, auth: { kind: bearer, token: { env: HOME } }',
    /streamable-http/,
  ],
  [
    "client credentials without any",
    'url: "https://s.test/mcp", auth: { kind: client_credentials, client_id: a }',
    /a secret, or a certificate/,
  ],
  [
    "an issuer in the clear",
    'url: "https://s.test/mcp", auth: { kind: client_credentials, client_id: a, secret: { env: HOME }, issuer: "http://as.test" }',
    /https/,
  ],
  ["a kind there is none of", 'url: "https://s.test/mcp", auth: { kind: basic }', /auth\.kind/],
];
for (const [what, server, expected] of wrongConfigs) {
  test(`${what} is a config error that says what is wrong`, () => {
    assert.throws(
      () => parseConfig(`servers: { s: { ${server} } }`, "/nowhere/latticegate.yaml"),
      (error) => {
        assert.match(String(error), expected);
        return true;
      },
    );
  });
}

function serverTls(authority: OutsideAuthority): { readonly cert: string; readonly key: string } {
  const { certificate, key } = authority.issue("server");
  return { cert: certificate, key };
}

async function listening(t: Cleanup, server: https.Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}
