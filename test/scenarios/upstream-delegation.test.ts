/** Tokens for one caller each, for which the gateway vouches: in exchange (RFC 8693), and by way of an identity provider (ID-JAG). */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { createLocalJWKSet, type JSONWebKeySet, jwtVerify, type JWTPayload } from "jose";

import { subjectOf } from "../../src/app/caller-assertions.ts";
import { parseConfig } from "../../src/app/config.ts";
import type { Cleanup } from "../support/cleanup.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import {
  type AuthorizationServer,
  authorizationServer,
  type GrantContext,
  protectedServer,
} from "../support/upstream-authorization-server.ts";

const exchangeType = "urn:ietf:params:oauth:grant-type:token-exchange";
const bearerType = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const idJagType = "urn:ietf:params:oauth:token-type:id-jag";
const secret = "a-client-secret-of-the-gateway-77aa";
const client = {
  client_id: "gateway",
  client_secret: secret,
  grant_types: [exchangeType, bearerType],
  redirect_uris: [],
  response_types: [],
};

/** Verifies what the gateway says of its callers, with the keys it publishes. */
function verifierOf(folder: string): (jwt: string, audience: string) => Promise<JWTPayload> {
  return async (jwt, audience) => {
    const text = await readFile(path.join(folder, "state", "assertion-keys.json"), "utf8");
    const keys = createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
    const issuer = "spiffe://latticegate.local/gateway";
    return (
      await jwtVerify(jwt, keys, { issuer, audience, maxTokenAge: "1m", requiredClaims: ["jti", "exp"] })
    ).payload;
  };
}

/** Lets an authorization server answer a grant of that kind with what `give` makes of the request. */
function takes(
  as: AuthorizationServer,
  type: string,
  give: (parameters: GrantContext["oidc"]["params"]) => Promise<object>,
): void {
  const names = [
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "audience",
    "resource",
    "scope",
    "assertion",
  ];
  as.provider.registerGrantType(
    type,
    async (ctx) => {
      try {
        ctx.body = await give(ctx.oidc.params);
      } catch {
        ctx.status = 400;
        ctx.body = { error: "invalid_grant" };
      }
    },
    names,
  );
}

interface Scene {
  readonly house: TestGateway;
  readonly call: (name: string) => Promise<{ readonly status: number; readonly text: string }>;
}

async function scene(t: Cleanup, folder: string, server: string): Promise<Scene> {
  await writeFile(path.join(folder, "secret"), secret);
  const house = await testGateway(t, `servers: { s: ${server} }\n${openPolicy}`, { folder });
  return {
    house,
    call: async (name) => await clientOf(t, house, await enrol(house, name)).post("s", toolCall("a")),
  };
}

for (const suite of ["Ed25519", "ML-DSA-65"] as const) {
  test(`each caller's token is given in exchange for what the gateway says of that caller, signed with ${suite}`, async (t) => {
    const folder = await temporaryFolder(t);
    const verify = verifierOf(folder);
    const as = await authorizationServer(t, { clients: [client], grantTypes: [exchangeType, bearerType] });
    takes(as, exchangeType, async ({ subject_token: token = "", resource = "", scope }) => {
      const { sub = "" } = await verify(token, as.issuer);
      return {
        access_token: await as.sign({ sub, aud: resource, scope }, "at+jwt"),
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
        token_type: "Bearer",
        expires_in: 600,
      };
    });
    const upstream = await protectedServer(t, as);
    const auth = `{ kind: token_exchange, issuer: "${as.issuer}", client_id: gateway, secret: { file: secret }, signed_with: ${suite} }`;
    const { house, call } = await scene(t, folder, `{ url: "${upstream.url}", auth: ${auth} }`);
    for (const name of ["agent/one", "agent/two", "agent/one"]) {
      const answer = await call(name);
      assert.equal(answer.status, 200, answer.text + house.log.join(""));
    }
    const id = "spiffe://latticegate.local/agent";
    assert.deepEqual(
      upstream.admitted.map(({ sub, scope }) => [sub, scope]),
      [
        [`${id}/one`, "tools:read"],
        [`${id}/two`, "tools:read"],
        [`${id}/one`, "tools:read"],
      ],
    );
    assert.equal(as.seen.filter(({ path }) => path === "/token").length, 2, "one for each caller");
  });
}

test("a token of another type than was asked for isn't used", async (t) => {
  const folder = await temporaryFolder(t);
  const as = await authorizationServer(t, { clients: [client], grantTypes: [exchangeType, bearerType] });
  takes(as, exchangeType, async ({ resource = "" }) => ({
    access_token: await as.sign({ sub: "x", aud: resource }, "at+jwt"),
    issued_token_type: "urn:ietf:params:oauth:token-type:refresh_token",
    token_type: "Bearer",
  }));
  const upstream = await protectedServer(t, as);
  const auth = `{ kind: token_exchange, issuer: "${as.issuer}", client_id: gateway, secret: { file: secret } }`;
  const { house, call } = await scene(t, folder, `{ url: "${upstream.url}", auth: ${auth} }`);
  assert.equal((await call("agent/one")).status, 502);
  assert.match(house.log.join(""), /"cause":"issued_token_type"/);
  assert.equal(upstream.admitted.length, 0);
});

test("an identity provider turns what the gateway says into an assertion that the server's own authorization server accepts", async (t) => {
  const folder = await temporaryFolder(t);
  const verify = verifierOf(folder);
  const idp = await authorizationServer(t, { clients: [client], grantTypes: [exchangeType, bearerType] });
  const as = await authorizationServer(t, { clients: [client], grantTypes: [exchangeType, bearerType] });
  takes(idp, exchangeType, async (asked) => {
    assert.equal(asked["requested_token_type"], idJagType);
    const { sub } = await verify(asked["subject_token"] ?? "", idp.issuer);
    const claims = {
      sub,
      aud: asked["audience"],
      resource: asked["resource"],
      client_id: "gateway",
      scope: asked["scope"],
    };
    return {
      access_token: await idp.sign(claims, "oauth-id-jag+jwt"),
      issued_token_type: idJagType,
      token_type: "N_A",
      expires_in: 300,
    };
  });
  takes(as, bearerType, async ({ assertion = "" }) => {
    const { sub = "", resource, scope } = await idp.verify(assertion, as.issuer);
    return {
      access_token: await as.sign({ sub, aud: String(resource), scope }, "at+jwt"),
      token_type: "Bearer",
      expires_in: 600,
    };
  });
  const upstream = await protectedServer(t, as);
  const proof = "client_id: gateway, secret: { file: secret }";
  const auth = `{ kind: id_jag, issuer: "${as.issuer}", ${proof}, idp: { issuer: "${idp.issuer}", ${proof} } }`;
  const { house, call } = await scene(t, folder, `{ url: "${upstream.url}", auth: ${auth} }`);
  const answer = await call("agent/one");
  assert.equal(answer.status, 200, answer.text + house.log.join(""));
  assert.equal(upstream.admitted[0]?.sub, "spiffe://latticegate.local/agent/one");
  assert.ok(
    !as.seen.some(({ body }) => body.includes("subject_token")),
    "the gateway's own word goes to the provider alone",
  );
});

test("an identity provider that says no ends the call with a reason, and the server isn't asked", async (t) => {
  const folder = await temporaryFolder(t);
  const idp = await authorizationServer(t, { clients: [client], grantTypes: [exchangeType, bearerType] });
  const as = await authorizationServer(t, { clients: [client], grantTypes: [exchangeType, bearerType] });
  takes(idp, exchangeType, () => Promise.reject(new Error("no")));
  const upstream = await protectedServer(t, as);
  const proof = "client_id: gateway, secret: { file: secret }";
  const auth = `{ kind: id_jag, issuer: "${as.issuer}", ${proof}, idp: { issuer: "${idp.issuer}", ${proof} } }`;
  const { house, call } = await scene(t, folder, `{ url: "${upstream.url}", auth: ${auth} }`);
  assert.equal((await call("agent/one")).status, 502);
  assert.match(house.log.join(""), new RegExp(`"cause":"invalid_grant","issuer":"${idp.issuer}"`));
  assert.equal(as.seen.filter(({ path }) => path === "/token").length, 0);
});

test("an assertion names who began as its subject, and who acts for it outermost", () => {
  assert.deepEqual(subjectOf({ id: "a", chain: [] }), { sub: "a" });
  assert.deepEqual(subjectOf({ id: "a", chain: ["user"] }), { sub: "user", act: { sub: "a" } });
  assert.deepEqual(subjectOf({ id: "b", chain: ["user", "a"] }), {
    sub: "user",
    act: { sub: "b", act: { sub: "a" } },
  });
});

for (const kind of ["token_exchange", "id_jag"]) {
  test(`${kind} without anything that proves the gateway is a config error`, () => {
    const idp =
      kind === "id_jag" ? 'idp: { issuer: "https://idp.test", client_id: a, secret: { env: HOME } },' : "";
    const yaml = `servers: { s: { url: "https://s.test/mcp", auth: { kind: ${kind}, issuer: "https://as.test", ${idp} client_id: a } } }`;
    assert.throws(() => parseConfig(yaml, "/nowhere/latticegate.yaml"), /a secret, a key, or a certificate/);
  });
}
