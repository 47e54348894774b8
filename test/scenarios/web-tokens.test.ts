/** Access tokens at the listener for clients that come with one: which count, from whom, and what a thief can do. */
import assert from "node:assert/strict";
import { createHash, createHmac, X509Certificate } from "node:crypto";
import { test, type TestContext } from "node:test";

import { readmitIdentity, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { systemClock } from "../../src/host/system.ts";
import { entriesOf, logged, recorded } from "../support/records.ts";
import { enrol, eventually, toolCall } from "../support/gateway.ts";
import {
  clientsMayAll,
  filesResource,
  origin,
  type ProofKey,
  proofKey,
  type WebAnswer,
  type WebClient,
  webClient,
  webScene,
  type WebScene,
  type WebSceneOptions,
} from "../support/web-gateway.ts";
import { webCertificate } from "../support/web-certificate.ts";

interface Scene extends WebScene {
  readonly client: WebClient;
  readonly key: ProofKey;
  /** A token bound to `key`. */
  readonly bound: (claims?: Readonly<Record<string, unknown>>) => Promise<string>;
}

async function scene(t: TestContext, options: WebSceneOptions = {}): Promise<Scene> {
  const made = await webScene(t, { listener: "dpop_nonce: false", ...options });
  const key = await proofKey();
  return {
    ...made,
    client: webClient(t, made),
    key,
    bound: (claims) => made.token({ cnf: { jkt: key.thumbprint }, ...claims }),
  };
}

const seconds = (): number => Math.floor(Date.now() / 1000);

/** Refused with that error, for that reason, before the server or the log saw anything of it. */
async function refused(
  { gateway, files }: WebScene,
  answer: WebAnswer,
  error: string,
  reason: RegExp,
): Promise<void> {
  assert.equal(answer.status, 401, answer.text);
  const challenge = answer.challenges.join("\n");
  assert.match(challenge, new RegExp(`error="${error}"`));
  assert.match(challenge, reason);
  assert.equal(files.seen.length, 0);
  assert.deepEqual(await recorded(gateway), []);
}

test("a client with a token bound to its key calls as itself, for its user, and is so recorded", async (t) => {
  const { gateway, files, client, key, bound } = await scene(t);
  const token = await bound();
  const answer = await client({ headers: await key.headers(token) });
  assert.equal(answer.status, 200, answer.text);
  const [decision, outcome] = await recorded(gateway);
  assert.equal(decision?.outcome, "allowed");
  assert.equal(decision.facts["proof"], "dpop");
  assert.equal(decision.facts["link.group"], "X25519MLKEM768");
  assert.equal(decision.facts["link.kind"], undefined);
  assert.equal(decision.principal, "oauth:corp/client/app");
  assert.equal(outcome?.outcome, "allowed");
  const [seen] = files.seen;
  assert.equal(seen?.headers.authorization, undefined, "no token passthrough");
  assert.equal(seen?.headers["dpop"], undefined);
  const [head = ""] = token.split(".", 1);
  for (const line of gateway.log) assert.ok(!line.includes(head), "tokens aren't logged");
});

test("a call without a token learns where to get one, and nothing else", async (t) => {
  const { client, files, gateway } = await scene(t);
  const answer = await client();
  assert.equal(answer.status, 401);
  assert.deepEqual(answer.challenges, [
    `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp/files"`,
    'DPoP algs="ML-DSA-44 ML-DSA-65 ML-DSA-87 Ed25519 EdDSA ES256 ES384 ES512"',
  ]);
  assert.equal(files.seen.length, 0);
  assert.deepEqual(await recorded(gateway), [], "strangers can't fill the log");
  const unknown = await client({ path: "/mcp/nowhere" });
  assert.deepEqual([unknown.status, unknown.text.length], [401, answer.text.length]);
});

const badClaims: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  ["for another server of this gateway", { aud: `${origin}/mcp/other` }, /aud/],
  ["for the whole listener", { aud: origin }, /aud/],
  ["for the server's URI with a slash", { aud: `${filesResource}/` }, /aud/],
  ["that has expired", { iat: seconds() - 400, exp: seconds() - 40 }, /expired/],
  ["that isn't valid yet", { nbf: seconds() + 3600 }, /nbf/],
  ["from the future", { iat: seconds() + 3600 }, /future/],
  ["of another issuer", { iss: "https://evil.test" }, /issuer/],
  ["of no client", { client_id: undefined }, /client_id/],
  ["of a client that names itself two", { client_id: "evil for oauth:corp/client/victim" }, /client_id/],
  ["for a user that is named like two", { sub: "x, spiffe://latticegate.local/agent/a" }, /sub/],
  ["of a client whose name doesn't print", { client_id: "app\u202e" }, /client_id/],
  ["for a user whose name ends in a blank", { sub: "alice " }, /sub/],
];
for (const [what, claims, reason] of badClaims) {
  test(`a token ${what} is refused`, async (t) => {
    const all = await scene(t);
    const token = await all.bound(claims);
    const answer = await all.client({ headers: await all.key.headers(token) });
    await refused(all, answer, "invalid_token", reason);
  });
}

test("clocks may differ by half a minute, and no more", async (t) => {
  const all = await scene(t);
  const token = await all.bound({ iat: seconds() - 60, exp: seconds() - 10 });
  assert.equal((await all.client({ headers: await all.key.headers(token) })).status, 200);
});

test("a token that isn't signed, or signed with the issuer's public key as a secret, is refused", async (t) => {
  const all = await scene(t);
  const [, body = ""] = (await all.bound()).split(".");
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const none = `${part({ alg: "none", typ: "at+jwt" })}.${body}.`;
  const head = `${part({ alg: "HS256", typ: "at+jwt", kid: "1" })}.${body}`;
  const mac = createHmac("sha256", JSON.stringify(all.issuer.publicKey())).update(head).digest("base64url");
  await refused(
    all,
    await all.client({ headers: await all.key.headers(none) }),
    "invalid_token",
    /algorithm/,
  );
  const answer = await all.client({ headers: await all.key.headers(`${head}.${mac}`) });
  await refused(all, answer, "invalid_token", /algorithm/);
});

test("a token that doesn't say it is an access token counts only where the operator says so", async (t) => {
  const all = await scene(t);
  const claims = { aud: filesResource, client_id: "app", cnf: { jkt: all.key.thumbprint } };
  const plain = await all.issuer.token(claims, { typ: "JWT" });
  await refused(all, await all.client({ headers: await all.key.headers(plain) }), "invalid_token", /typ/);
  const tolerant = await webScene(t, {
    listener: "dpop_nonce: false\nplain_jwt: true",
    issuerUrl: all.issuer.url,
  });
  const answer = await webClient(t, tolerant)({ headers: await all.key.headers(plain) });
  assert.equal(answer.status, 200, answer.text);
});

test("an audience the operator named counts for each server of the listener", async (t) => {
  const all = await scene(t, { listener: "dpop_nonce: false\naudiences: [api://mcp]" });
  const token = await all.bound({ aud: ["api://mcp"] });
  assert.equal((await all.client({ headers: await all.key.headers(token) })).status, 200);
});

test("a token that is no JWT counts where its issuer says so, with all that a JWT would have to say", async (t) => {
  const all = await scene(t, { introspects: true });
  const cnf = { jkt: all.key.thumbprint };
  const good = all.issuer.opaque({ aud: filesResource, client_id: "app", sub: "alice", cnf });
  const answer = await all.client({ headers: await all.key.headers(good) });
  assert.equal(answer.status, 200, answer.text);
  const [decision] = await recorded(all.gateway);
  assert.deepEqual([decision?.principal, decision?.facts["proof"]], ["oauth:corp/client/app", "dpop"]);
  for (const [claims, reason] of [
    [{ aud: `${origin}/mcp/other`, client_id: "app", cnf }, /aud/],
    [{ aud: filesResource, client_id: "app" }, /bound to no key/],
    [{ aud: filesResource, cnf }, /client_id/],
  ] as const) {
    const refusal = await all.client({ headers: await all.key.headers(all.issuer.opaque(claims)) });
    assert.match(refusal.challenges.join(), /invalid_token/);
    assert.match(refusal.challenges.join(), reason);
  }
});

for (const [what, name] of [
  ["client", "oauth:corp/client/app"],
  ["user", "oauth:corp/user/alice"],
] as const) {
  test(`access tokens of a ${what} that was revoked count no more, until it is readmitted`, async (t) => {
    const { gateway, client, key, bound } = await scene(t);
    const token = await bound();
    const headers = async () => await key.headers(token);
    // A call that is under way at that very moment is cut.
    const status = async (): Promise<number> =>
      await client({ headers: await headers() }).then(
        (answer) => answer.status,
        () => 0,
      );
    assert.equal(await status(), 200);
    assert.ok(revokeCertificates(gateway.config, name, systemClock));
    await eventually("a refusal", async () => (await status()) === 401);
    const entry = async () => (await entriesOf(gateway, "identity.revoke"))[0];
    await eventually("its entry", async () => (await entry())?.principal === name);
    assert.ok(readmitIdentity(gateway.config, name));
    await eventually("being back", async () => (await status()) === 200);
  });
}

test("a stolen token is worth nothing without its key", async (t) => {
  const all = await scene(t);
  const token = await all.bound();
  const thief = await proofKey();
  await refused(
    all,
    await all.client({ headers: await thief.headers(token) }),
    "invalid_dpop_proof",
    /its key isn't the one/,
  );
  const asBearer = await all.client({ headers: { authorization: `Bearer ${token}` } });
  await refused(all, asBearer, "invalid_token", /scheme Bearer/);
  const noProof = await all.client({ headers: { authorization: `DPoP ${token}` } });
  await refused(all, noProof, "invalid_dpop_proof", /one DPoP header/);
  const withThievesKey = await all.key.proof(token, {}, { jwk: thief.jwk });
  const mixed = await all.client({ headers: { authorization: `DPoP ${token}`, dpop: withThievesKey } });
  await refused(all, mixed, "invalid_dpop_proof", /its key isn't the one/);
  const claimsTheirKey = await thief.proof(token, {}, { jwk: all.key.jwk });
  const forged = await all.client({ headers: { authorization: `DPoP ${token}`, dpop: claimsTheirKey } });
  await refused(all, forged, "invalid_dpop_proof", /verified/);
});

test("a proof that was used before is refused, on any connection", async (t) => {
  const all = await scene(t);
  const headers = await all.key.headers(await all.bound());
  assert.equal((await all.client({ headers })).status, 200);
  const again = await webClient(t, all)({ headers });
  assert.equal(again.status, 401);
  assert.match(again.challenges.join(), /invalid_dpop_proof.*used before/);
  assert.equal(all.files.seen.length, 1);
});

const badProofs: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  ["for another server", { htu: `${origin}/mcp/other` }, /another URL/],
  ["for another host", { htu: "https://evil.test/mcp/files" }, /another URL/],
  ["over http", { htu: "http://mcp.acme.test/mcp/files" }, /another URL/],
  ["for no URL", { htu: undefined }, /another URL/],
  ["for another method", { htm: "GET" }, /another method/],
  ["for a method in lower case", { htm: "post" }, /another method/],
  ["for another token", { ath: createHash("sha256").update("other").digest("base64url") }, /another token/],
  ["for no token", { ath: undefined }, /another token/],
  ["that is too old", { iat: seconds() - 100 }, /too old/],
  ["from the future", { iat: seconds() + 3600 }, /future/],
  ["without a time", { iat: undefined }, /when/],
  ["without an id", { jti: undefined }, /no id/],
  ["with an endless id", { jti: "x".repeat(257) }, /no id/],
];
for (const [what, claims, reason] of badProofs) {
  test(`a proof ${what} is refused`, async (t) => {
    const all = await scene(t);
    const answer = await all.client({ headers: await all.key.headers(await all.bound(), claims) });
    await refused(all, answer, "invalid_dpop_proof", reason);
  });
}

test("a proof may be made on a clock that is off by half a minute, and name the URL in another spelling", async (t) => {
  const all = await scene(t);
  const token = await all.bound();
  for (const claims of [
    { iat: seconds() + 20 },
    { iat: seconds() - 65 },
    { htu: "HTTPS://MCP.acme.test:443/mcp/files?a=b#c" },
  ]) {
    assert.equal((await all.client({ headers: await all.key.headers(token, claims) })).status, 200);
  }
});

test("a proof of another type, algorithm or with its private key in it is refused", async (t) => {
  const all = await scene(t);
  const token = await all.bound();
  const dpop = async (header: Readonly<Record<string, unknown>>): Promise<WebAnswer> =>
    await all.client({
      headers: { authorization: `DPoP ${token}`, dpop: await all.key.proof(token, {}, header) },
    });
  await refused(all, await dpop({ typ: "jwt" }), "invalid_dpop_proof", /verified/);
  await refused(all, await dpop({ jwk: { ...all.key.jwk, d: "AA" } }), "invalid_dpop_proof", /private/);
  const proof = await all.key.proof(token);
  const [head = "", ...rest] = proof.split(".");
  const header = JSON.parse(Buffer.from(head, "base64url").toString()) as object;
  for (const alg of ["none", "HS256", "RS256"]) {
    const changed = Buffer.from(JSON.stringify({ ...header, alg })).toString("base64url");
    const answer = await all.client({
      headers: { authorization: `DPoP ${token}`, dpop: [changed, ...rest].join(".") },
    });
    await refused(all, answer, "invalid_dpop_proof", /algorithm/);
  }
});

test("keys of ML-DSA prove as others do", async (t) => {
  const all = await scene(t);
  for (const algorithm of ["ML-DSA-65", "ML-DSA-87", "Ed25519"]) {
    const key = await proofKey(algorithm);
    const token = await all.token({ cnf: { jkt: key.thumbprint } });
    const answer = await all.client({ headers: await key.headers(token) });
    assert.equal(answer.status, 200, `${algorithm}: ${answer.text}`);
  }
});

test("a proof without the gateway's nonce is refused with one, and counts with it", async (t) => {
  const clock = { now: Date.now(), nowUnixMs: () => clock.now };
  const all = await scene(t, { listener: "", clock });
  const token = await all.bound({ exp: seconds() + 3600 });
  const first = await all.client({ headers: await all.key.headers(token) });
  await refused(all, first, "use_dpop_nonce", /DPoP error="use_dpop_nonce"/);
  const nonce = String(first.headers["dpop-nonce"]);
  const at = (): { iat: number; nonce: string } => ({ iat: Math.floor(clock.now / 1000), nonce });
  assert.equal((await all.client({ headers: await all.key.headers(token, at()) })).status, 200);
  clock.now += 6 * 60_000;
  const stale = await all.client({ headers: await all.key.headers(token, at()) });
  assert.match(stale.challenges.join(), /use_dpop_nonce/);
  assert.notEqual(stale.headers["dpop-nonce"], nonce);
  const [step = "", mac = ""] = String(stale.headers["dpop-nonce"]).split(".");
  const ahead = `${(Number.parseInt(step, 36) + 1).toString(36)}.${mac}`;
  const forged = `${step}.${nonce.split(".")[1]}`;
  for (const other of [ahead, forged, step, "", 1]) {
    const answer = await all.client({ headers: await all.key.headers(token, { ...at(), nonce: other }) });
    assert.match(answer.challenges.join(), /use_dpop_nonce/);
  }
});

test("a token that is bound to nothing is refused, or where it is tolerated recorded as such", async (t) => {
  const all = await scene(t);
  const token = await all.token();
  const headers = { authorization: `Bearer ${token}` };
  await refused(all, await all.client({ headers }), "invalid_token", /bound to no key/);
  const tolerant = await webScene(t, {
    listener: "sender_constraint: preferred",
    issuerUrl: all.issuer.url,
  });
  const client = webClient(t, tolerant);
  assert.equal((await client({ headers })).status, 200);
  const [decision] = await recorded(tolerant.gateway);
  assert.equal(decision?.facts["proof"], "bearer");
  for (const cnf of [{ jwk: {} }, { kid: "1" }, {}, [], "x", null, { jkt: "x", kid: "1" }]) {
    const odd = await all.token({ cnf });
    const unknown = await client({ headers: { authorization: `Bearer ${odd}` } });
    assert.match(unknown.challenges.join(), /invalid_token.*isn't known/, JSON.stringify(cnf));
  }
  const asBound = await client({ headers: await all.key.headers(token) });
  assert.match(asBound.challenges.join(), /invalid_token.*bound to no key/);
});

test("a token bound to a certificate counts on a connection that showed it, and on no other", async (t) => {
  const all = await scene(t);
  const { identity, credentials } = await enrol(all.gateway);
  const own = webCertificate("ecdsa", "client.acme.test");
  for (const shown of [
    { cert: own.certificate, key: own.key },
    { cert: identity.certificate, key: credentials.privateKey },
  ]) {
    const { raw } = new X509Certificate(shown.cert);
    const x5t = createHash("sha256").update(raw).digest("base64url");
    const headers = { authorization: `Bearer ${await all.token({ cnf: { "x5t#S256": x5t } })}` };
    const without = await all.client({ headers });
    assert.match(without.challenges.join(), /invalid_token.*none was shown/);
    const other = webCertificate("ecdsa", "thief.acme.test");
    const thief = webClient(t, all, { cert: other.certificate, key: other.key });
    assert.match((await thief({ headers })).challenges.join(), /invalid_token.*another certificate/);
    const answer = await webClient(t, all, shown)({ headers });
    assert.equal(answer.status, 200, answer.text);
  }
  const proofs = (await recorded(all.gateway)).flatMap(({ facts }) => facts["proof"] ?? []);
  assert.deepEqual(proofs, ["mtls", "mtls"]);
});

test("a token bound to a key and a certificate needs both", async (t) => {
  const all = await scene(t);
  const own = webCertificate("ecdsa", "client.acme.test");
  const x5t = createHash("sha256").update(new X509Certificate(own.certificate).raw).digest("base64url");
  const token = await all.bound({ cnf: { jkt: all.key.thumbprint, "x5t#S256": x5t } });
  const keyOnly = await all.client({ headers: await all.key.headers(token) });
  assert.match(keyOnly.challenges.join(), /none was shown/);
  const client = webClient(t, all, { cert: own.certificate, key: own.key });
  assert.equal((await client({ headers: { authorization: `Bearer ${token}` } })).status, 401);
  assert.equal((await client({ headers: await all.key.headers(token) })).status, 200);
});

test("a token in the query or the body is no token, and two of them are none", async (t) => {
  const all = await scene(t, { listener: "sender_constraint: preferred" });
  const token = await all.token();
  const query = await all.client({ path: `/mcp/files?access_token=${token}` });
  assert.deepEqual([query.status, query.challenges.join().includes("error=")], [401, false]);
  const twice = await all.client({
    headers: { authorization: [`Bearer ${token}`, `Bearer ${token}`] },
  });
  await refused(all, twice, "invalid_token", /two Authorization headers/);
  for (const value of ["Basic YTpi", "Bearer", `Bearer ${token} x`, `Bearer  ,${token}`]) {
    await refused(all, await all.client({ headers: { authorization: value } }), "invalid_token", /expected/);
  }
  const bound = await all.bound();
  const { dpop } = await all.key.headers(bound);
  const twoProofs = await all.client({
    headers: { authorization: `DPoP ${bound}`, dpop: [dpop, await all.key.proof(bound)] },
  });
  await refused(all, twoProofs, "invalid_dpop_proof", /one DPoP header/);
});

test("an issuer that is down, slow to end or endless is told as unavailable, and nobody is let in", async (t) => {
  const all = await scene(t);
  const headers = await all.key.headers(await all.bound());
  const faults: readonly Parameters<typeof all.issuer.answering>[0][] = [
    (_request, response) => void response.writeHead(500).end(),
    (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      for (let i = 0; i < 40; i++) response.write("x".repeat(16_384));
    },
  ];
  for (const fault of faults) {
    all.issuer.answering(fault);
    const answer = await all.client({ headers });
    assert.equal(answer.status, 503, answer.text);
  }
  assert.equal(all.files.seen.length, 0);
  all.issuer.answering(undefined);
});

test("a token is judged with each request: one that ends while its connection stays opens nothing more", async (t) => {
  const clock = { now: Date.now(), nowUnixMs: () => clock.now };
  const all = await scene(t, { clock });
  const token = await all.bound({ exp: seconds() + 20 });
  assert.equal((await all.client({ headers: await all.key.headers(token) })).status, 200);
  clock.now += 55_000;
  const claims = { iat: Math.floor(clock.now / 1000) };
  const late = await all.client({ headers: await all.key.headers(token, claims) });
  assert.match(late.challenges.join(), /invalid_token.*expired/);
});

const scoped = `dpop_nonce: false
scopes:
  "files:read": ["files/read_*"]
  "files:write": ["files/*"]
`;

test("a call beyond the token's scopes gets one challenge that names what it needs", async (t) => {
  const all = await scene(t, { listener: scoped });
  const post = async (name: string, scope: unknown): Promise<WebAnswer> => {
    const token = await all.bound({ scope });
    return await all.client({
      headers: await all.key.headers(token),
      body: JSON.stringify(toolCall(name)),
    });
  };
  assert.equal((await post("read_file", "files:read openid")).status, 200);
  assert.equal((await post("write_file", ["files:write"])).status, 200);
  const answer = await post("write_file", "files:read openid");
  assert.equal(answer.status, 403);
  assert.deepEqual(answer.challenges, [
    `Bearer error="insufficient_scope", error_description="The token's scopes don't cover this.", ` +
      `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp/files", scope="files:read files:write"`,
  ]);
  const entries = await recorded(all.gateway);
  const last = entries.at(-1);
  assert.deepEqual(
    [last?.event, last?.outcome, last?.facts["reason"]],
    ["call.outcome", "denied", "insufficient_scope"],
  );
  assert.equal((await post("read_file", undefined)).status, 403);
  assert.equal(all.files.seen.length, 2);
  const challenge = await all.client();
  assert.match(challenge.challenges.join(), /scope="files:read"/);
});

test("what no scope is good for is refused, and nobody is sent to ask for one", async (t) => {
  const policies = clientsMayAll.replaceAll('["files/*"]', '["*"]');
  const all = await scene(t, { listener: scoped, policies });
  const htu = `${origin}/mcp/other`;
  const token = await all.bound({ aud: htu, scope: "files:write" });
  const answer = await all.client({ path: "/mcp/other", headers: await all.key.headers(token, { htu }) });
  assert.deepEqual([answer.status, answer.challenges], [403, []]);
});

test("what a rule denies is denied whatever the scopes, and scopes allow nothing by themselves", async (t) => {
  const all = await scene(t, { listener: scoped, policies: "policies: []" });
  const token = await all.bound({ scope: "files:write" });
  const answer = await all.client({ headers: await all.key.headers(token) });
  assert.equal(answer.status, 200);
  assert.match(answer.text, /Denied by policy/);
  assert.equal(all.files.seen.length, 0);
});

test("a client that claims in _meta to be somebody else is refused", async (t) => {
  const all = await scene(t);
  const claimed = async (clientId: string): Promise<WebAnswer> => {
    const call = { ...toolCall("read_file") } as { params: object };
    const body = { ...call, params: { ...call.params, _meta: { "com.acme/client-id": clientId } } };
    const token = await all.bound();
    return await all.client({ headers: await all.key.headers(token), body: JSON.stringify(body) });
  };
  assert.equal((await claimed("oauth:corp/client/app")).status, 200);
  assert.equal((await claimed("oauth:corp/client/other")).status, 403);
  assert.equal((await claimed("spiffe://latticegate.local/agent/test")).status, 403);
  assert.equal(logged(all.gateway, "call.refused").at(-1)?.["code"], "false_claim");
});

test("a session is its caller's: the same client for another user can't use it", async (t) => {
  const all = await scene(t);
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "a", version: "1" } },
  };
  all.files.server.removeAllListeners("request").on("request", (request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s1" });
    response.end('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}');
  });
  const as = async (sub: string, session?: string): Promise<WebAnswer> => {
    const headers = await all.key.headers(await all.bound({ sub }));
    const body = JSON.stringify(session === undefined ? initialize : toolCall("read_file"));
    return await all.client({ headers: { ...headers, ...(session && { "mcp-session-id": session }) }, body });
  };
  const opened = await as("alice");
  const session = String(opened.headers["mcp-session-id"]);
  assert.equal((await as("alice", session)).status, 200);
  assert.equal((await as("bob", session)).status, 404);
});
