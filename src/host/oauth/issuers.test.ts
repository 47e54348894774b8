/** Tokens of issuers: each thing that can be wrong with one, and issuers that don't answer as they should. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import type { JWTHeaderParameters } from "jose";

import { tokenIssuer, type TokenIssuer } from "../../../test/support/token-issuer.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type ExpectedToken, type IssuerSpec, type Issuers, openIssuers } from "./issuers.ts";

const audience = "spiffe://acme.test/gateway";
const expected: ExpectedToken = { issuers: ["corp"], audience: [audience] };

interface Scene {
  readonly issuer: TokenIssuer;
  readonly issuers: Issuers;
  readonly clock: { now: number };
}

async function scene(t: TestContext, part: Partial<IssuerSpec> = {}, algorithm?: string): Promise<Scene> {
  const issuer = await tokenIssuer(t, algorithm);
  const clock = { now: Date.now() };
  const spec = { issuer: issuer.url, clockSkewMs: 30_000, ...part };
  const issuers = openIssuers(new Map([["corp", spec]]), { nowUnixMs: () => clock.now });
  return { issuer, issuers, clock };
}

const seconds = (clock: { readonly now: number }): number => Math.floor(clock.now / 1000);

const because =
  (code: string, reason: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, code);
    assert.match(`${error.message} ${JSON.stringify(error.facts)}`, reason);
    return true;
  };

for (const algorithm of ["ES256", "RS256", "PS384", "EdDSA", "ML-DSA-65"]) {
  test(`a token signed with ${algorithm} is proven by the key its issuer publishes`, async (t) => {
    const { issuer, issuers } = await scene(t, {}, algorithm);
    const token = await issuer.token({ aud: audience, sub: "alice" });
    const verified = await issuers.verify(token, expected);
    assert.deepEqual([verified.issuer, verified.claims.sub], ["corp", "alice"]);
  });
}

/** Claims as of `now`, in seconds: when the test runs, not when this file was read. */
type ClaimsAt = (now: number) => Readonly<Record<string, unknown>>;

const refused: readonly (readonly [string, ClaimsAt, RegExp, Partial<JWTHeaderParameters>?])[] = [
  ["that has expired", (now) => ({ exp: now - 40, iat: now - 300 }), /expired/],
  ["that isn't valid yet", (now) => ({ nbf: now + 40 }), /nbf/],
  ["from the future", (now) => ({ iat: now + 40 }), /future/],
  ["without an end", () => ({ exp: undefined }), /exp/],
  ["for somebody else", () => ({ aud: "https://other.test" }), /aud/],
  ["for nobody", () => ({ aud: undefined }), /aud/],
  ["of another issuer", () => ({ iss: "https://evil.test" }), /issuer isn't accepted/],
  ["without an issuer", () => ({ iss: undefined }), /issuer isn't accepted/],
  ["signed with a key nobody knows", () => ({}), /no such key/, { kid: "99" }],
];
for (const [what, claims, reason, header] of refused) {
  test(`a token ${what} is refused, and the reason given`, async (t) => {
    const { issuer, issuers, clock } = await scene(t);
    const token = await issuer.token({ aud: audience, ...claims(seconds(clock)) }, header);
    await assert.rejects(issuers.verify(token, expected), because("bad_token", reason));
  });
}

test("clocks may differ by what the operator allows, and not by a second more", async (t) => {
  const { issuer, issuers, clock } = await scene(t);
  const now = seconds(clock);
  const token = await issuer.token({ aud: audience, exp: now + 100 });
  clock.now = (now + 129) * 1000;
  await issuers.verify(token, expected);
  clock.now = (now + 131) * 1000;
  await assert.rejects(issuers.verify(token, expected), because("bad_token", /expired/));
});

test("an unsigned token, and one signed with the public key as a shared secret, are refused", async (t) => {
  const { issuer, issuers } = await scene(t);
  const [, body = ""] = (await issuer.token({ aud: audience })).split(".");
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const none = `${encoded({ alg: "none", kid: "1" })}.${body}.`;
  const head = `${encoded({ alg: "HS256", kid: "1" })}.${body}`;
  const mac = createHmac("sha256", JSON.stringify(issuer.publicKey())).update(head).digest("base64url");
  for (const token of [none, `${head}.${mac}`]) {
    await assert.rejects(issuers.verify(token, expected), because("bad_token", /algorithm isn't accepted/));
  }
});

test("a changed token, no token and an endless one are refused", async (t) => {
  const { issuer, issuers } = await scene(t);
  const token = await issuer.token({ aud: audience, sub: "alice" });
  const [head = "", , signature = ""] = token.split(".");
  const [, other = ""] = (await issuer.token({ aud: audience, sub: "mallory" })).split(".");
  await assert.rejects(
    issuers.verify(`${head}.${other}.${signature}`, expected),
    because("bad_token", /signature is wrong/),
  );
  for (const text of ["", "a.b.c", "x".repeat(20_000)]) {
    await assert.rejects(issuers.verify(text, expected), because("bad_token", /no JWT|longer/));
  }
});

test("type and lifetime are what was asked for, where something was asked for", async (t) => {
  const { issuer, issuers } = await scene(t);
  const types = ["at+jwt"];
  const token = await issuer.token({ aud: audience }, { typ: "application/AT+JWT" });
  await issuers.verify(token, { ...expected, types });
  const other = await issuer.token({ aud: audience }, { typ: "id_token" });
  await assert.rejects(issuers.verify(other, { ...expected, types }), because("bad_token", /typ/));
  await assert.rejects(
    issuers.verify(token, { ...expected, maxLifetimeMs: 60_000 }),
    because("bad_token", /lives longer/),
  );
});

test("a key that was replaced counts no more, and the new one at once", async (t) => {
  const { issuer, issuers } = await scene(t);
  await issuers.verify(await issuer.token({ aud: audience }), expected);
  assert.equal(issuer.keysAsked(), 1);
  await issuer.rotate();
  const token = await issuer.token({ aud: audience });
  // Within the cooldown strangers can't have the keys fetched again and again.
  await assert.rejects(issuers.verify(token, expected), because("bad_token", /no such key/));
  assert.equal(issuer.keysAsked(), 1);
});

test("keys in a file are read again when it changes", async (t) => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "latticegate-")), "jwks.json");
  const { issuer, issuers } = await scene(t, { keys: { file } });
  await assert.rejects(
    issuers.verify(await issuer.token({ aud: audience }), expected),
    because("issuer_unavailable", /jwks.json/),
  );
  writeFileSync(file, JSON.stringify({ keys: [issuer.publicKey()] }));
  await issuers.verify(await issuer.token({ aud: audience }), expected);
  await issuer.rotate();
  writeFileSync(file, JSON.stringify({ keys: [issuer.publicKey()] }));
  utimesSync(file, 1, 1);
  await issuers.verify(await issuer.token({ aud: audience }), expected);
  assert.equal(issuer.keysAsked(), 0);
});

test("an outage of the issuer is none here for an hour", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const { issuer, issuers, clock } = await scene(t);
  const pass = (ms: number): void => {
    t.mock.timers.tick(ms);
    clock.now += ms;
  };
  const token = await issuer.token({ aud: audience, exp: seconds(clock) + 36_000 });
  await issuers.verify(token, expected);
  issuer.answering((_request, response) => void response.writeHead(500).end());
  pass(3_500_000);
  await issuers.verify(token, expected);
  assert.equal(issuer.keysAsked(), 2);
  const unknown = await issuer.token({ aud: audience, exp: seconds(clock) + 36_000 }, { kid: "2" });
  await assert.rejects(issuers.verify(unknown, expected), because("bad_token", /no such key/));
  pass(110_000);
  await assert.rejects(issuers.verify(token, expected), because("issuer_unavailable", /now/));
});

async function asking(t: TestContext): Promise<Scene> {
  const issuer = await tokenIssuer(t);
  const clock = { now: Date.now() };
  const introspection = {
    url: `${issuer.url}/introspect`,
    clientId: "gateway",
    clientSecret: "secret",
    cacheMs: 10_000,
  };
  const spec = { issuer: issuer.url, clockSkewMs: 30_000, introspection };
  return {
    issuer,
    clock,
    issuers: openIssuers(new Map([["corp", spec]]), { nowUnixMs: () => clock.now }),
  };
}

test("what an opaque token is, its issuer is asked, and not again for a while", async (t) => {
  const { issuer, issuers, clock } = await asking(t);
  const token = issuer.opaque({ aud: [audience, "other"], sub: "alice", exp: seconds(clock) + 300 });
  for (const _ of [1, 2, 3]) assert.equal((await issuers.verify(token, expected)).claims.sub, "alice");
  assert.equal(issuer.tokensAsked(), 1);
  clock.now += 11_000;
  await issuers.verify(token, expected);
  assert.equal(issuer.tokensAsked(), 2);
});

const inactive: readonly (readonly [string, ClaimsAt, RegExp])[] = [
  ["for somebody else", () => ({ aud: "other" }), /aud/],
  ["for nobody", () => ({ aud: undefined }), /aud/],
  ["of another issuer", () => ({ iss: "https://evil.test" }), /issuer/],
  ["that has expired", (now) => ({ exp: now - 40 }), /expired/],
  ["that isn't valid yet", (now) => ({ nbf: now + 40 }), /valid yet/],
  ["from the future", (now) => ({ iat: now + 40 }), /future/],
  ["that isn't active", () => ({ active: false }), /active/],
];
for (const [what, claims, reason] of inactive) {
  test(`an opaque token ${what} is refused, and the reason given`, async (t) => {
    const { issuer, issuers, clock } = await asking(t);
    const token = issuer.opaque({ aud: audience, ...claims(seconds(clock)) });
    await assert.rejects(issuers.verify(token, expected), because("bad_token", reason));
  });
}

test("an opaque token of an issuer that can't be asked about it is refused", async (t) => {
  const { issuer, issuers } = await scene(t);
  await assert.rejects(issuers.verify(issuer.opaque({}), expected), because("bad_token", /no JWT/));
});

test("an issuer that doesn't say what a token is has it refused for now, and is asked again", async (t) => {
  const { issuer, issuers } = await asking(t);
  const token = issuer.opaque({ aud: audience });
  issuer.answering((_request, response) => void response.writeHead(500).end());
  await assert.rejects(issuers.verify(token, expected), because("issuer_unavailable", /500|OAUTH|response/i));
  issuer.answering(undefined);
  await issuers.verify(token, expected);
});

const unusable: readonly (readonly [string, Parameters<TokenIssuer["answering"]>[0], RegExp])[] = [
  ["is down", (_request, response) => void response.writeHead(503).end(), /names no keys/],
  ["hangs up", (request) => void request.socket.destroy(), /SOCKET/],
  [
    "answers endlessly",
    (_request, response) => void response.writeHead(200).end("x".repeat(300_000)),
    /too_large/,
  ],
  [
    "redirects",
    (_request, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    /redirect/,
  ],
  [
    "answers something else",
    (_request, response) => void response.writeHead(200).end("<html>"),
    /JSON|content-type/,
  ],
];
for (const [what, answer, why] of unusable) {
  test(`an issuer that ${what} has its tokens refused for now, not for good`, async (t) => {
    const { issuer, issuers, clock } = await scene(t);
    const token = await issuer.token({ aud: audience });
    issuer.answering(answer);
    await assert.rejects(issuers.verify(token, expected), because("issuer_unavailable", why));
    issuer.answering(undefined);
    await assert.rejects(issuers.verify(token, expected), because("issuer_unavailable", /a moment ago/));
    clock.now += 6000;
    await issuers.verify(token, expected);
  });
}

test("an issuer whose metadata names another one isn't taken for it", async (t) => {
  const { issuer, issuers } = await scene(t);
  issuer.answering((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ issuer: "https://other.test", jwks_uri: `${issuer.url}/jwks` }));
  });
  const token = await issuer.token({ aud: audience });
  await assert.rejects(issuers.verify(token, expected), because("issuer_unavailable", /issuer/));
});
