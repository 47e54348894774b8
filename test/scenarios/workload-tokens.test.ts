/** Workloads that enrol with a token of their platform: who gets which identity, and every token that gets none. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type http from "node:http";
import { test, type TestContext } from "node:test";

import { base64url, exportSPKI, importJWK } from "jose";

import { gatewayAnchor, readmitIdentity, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { enrolWorkload, renew } from "../../src/host/net/enrol-client.ts";
import { systemClock } from "../../src/host/system.ts";
import { readAnchor } from "../../src/identity/anchor.ts";
import { clientOf, eventually, openPolicy, stubServer, testGateway, toolCall } from "../support/gateway.ts";
import { recorded } from "../support/records.ts";
import { tokenIssuer } from "../support/token-issuer.ts";
import { githubClaims, gitlabClaims, kubernetesClaims } from "../support/workload-tokens.ts";
import { enrolAs, newKey, refusalOf, svidProof, tokenProof, workloadScene } from "../support/workload.ts";

const hour = 3_600_000;
const domain = "spiffe://latticegate.local";
const now = (): number => Math.floor(Date.now() / 1000);

test("a Kubernetes workload gets the identity of its service account, and its calls are judged by it", async (t) => {
  const stub = await stubServer(t);
  const { gateway, issuer } = await workloadScene(t, {
    yaml: `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`,
  });
  const token = await issuer.token(kubernetesClaims());
  const key = newKey();
  const identity = await enrolAs(gateway, tokenProof(token), key);
  assert.equal(identity.spiffe_id, `${domain}/agent/k8s/builder`);
  const credentials = credentialsOf(key, identity.certificate);
  const answer = await clientOf(t, gateway, { identity, key, credentials }).post("stub", toolCall("echo"));
  assert.equal(answer.status, 200);
  assert.equal(stub.seen.length, 1);
});

test("the audit log says how an identity was proven and by whose token, and never the token", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const token = await issuer.token(kubernetesClaims());
  await enrolAs(gateway, tokenProof(token));
  const entries = await recorded(gateway, "identity");
  const issued = entries.find(({ facts }) => facts["how"] === "token:k8s-agents");
  assert.equal(issued?.principal, `${domain}/agent/k8s/builder`);
  assert.equal(issued.facts["issuer"], issuer.url);
  assert.equal(issued.facts["subject"], "system:serviceaccount:agents:builder");
  for (const part of token.split(".")) {
    assert.ok(!JSON.stringify(entries).includes(part));
    assert.ok(!gateway.log.join("").includes(part));
  }
});

test("a job of GitHub Actions gets the identity of its repository: the part behind the owner that was named", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const identity = await enrolAs(gateway, tokenProof(await issuer.token(githubClaims(), { typ: "JWT" })));
  assert.equal(identity.spiffe_id, `${domain}/agent/ci/deploy-bot`);
});

test("a job of GitLab gets the identity of its group and its project", async (t) => {
  const { gateway, issuer } = await workloadScene(t, {
    enrolment: `
  - name: gitlab
    token: { issuer: cluster }
    match: { project_path: "acme/{group}/{project}", ref_protected: "true" }
    identity: "agent/ci/{group}/{project}"`,
  });
  const identity = await enrolAs(gateway, tokenProof(await issuer.token(gitlabClaims(), { typ: "JWT" })));
  assert.equal(identity.spiffe_id, `${domain}/agent/ci/tools/linter`);
});

/** Claims of a token that is right but for this. */
const wrong: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  ["that has expired", { iat: now() - 400, exp: now() - 60 }, /expired/],
  ["that isn't valid yet", { nbf: now() + 60 }, /nbf/],
  ["from the future", { iat: now() + 60, exp: now() + 120 }, /future/],
  ["for another audience", { aud: ["https://kubernetes.default.svc"] }, /aud/],
  ["for this trust domain's neighbour", { aud: [`${domain}.evil/gateway`] }, /aud/],
  ["without an audience", { aud: undefined }, /aud/],
  ["without an end", { exp: undefined }, /exp/],
  ["that doesn't say when it was made", { iat: undefined }, /when it was made/],
  ["that lives for a day", { exp: now() + 86_400 }, /lives longer/],
  ["of another issuer", { iss: "https://issuer.example" }, /no entry takes tokens/],
  ["of an issuer that isn't text", { iss: ["https://issuer.example"] }, /names no issuer|no JWT/],
  ["without the claim that is asked for", { "kubernetes.io": { namespace: "agents" } }, /missing/],
  ["of another namespace", { "kubernetes.io": serviceAccount("builder", "default") }, /doesn't match/],
  ["of another subject", { sub: "system:serviceaccount:agents-2:builder" }, /sub doesn't match/],
  [
    "with an array where a text is expected",
    { sub: ["system:serviceaccount:agents:builder"] },
    /no text|can't/,
  ],
  [
    "with a nested array where a text is expected",
    { "kubernetes.io": serviceAccount(["builder"]) },
    /no text/,
  ],
  ...[
    "../../gateway",
    "..",
    ".",
    "%2e%2e",
    "a%2fb",
    "a/b",
    "a\\b",
    "",
    " ",
    "a b",
    "ä",
    "a\0b",
    "x".repeat(254),
    "x".repeat(3000),
  ].map(
    (name) =>
      [
        `whose service account is ${JSON.stringify(name.length > 20 ? `${name.slice(0, 3)}… of ${name.length}` : name)}`,
        { "kubernetes.io": serviceAccount(name) },
        /doesn't match/,
      ] as const,
  ),
];

test("no token that is wrong gets an identity: the newcomer isn't told why, the log is", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  for (const [what, claims, reason] of wrong) {
    await t.test(`a token ${what}`, async () => {
      const token = await issuer.token({ ...kubernetesClaims(), ...claims });
      const verdict = await refusalOf(gateway, enrolAs(gateway, tokenProof(token)));
      assert.equal(verdict.code, "proof_refused");
      assert.match(verdict.told, /the gateway's log says what is wrong/);
      assert.match(verdict.logged, reason);
      assert.doesNotMatch(verdict.told, reason);
    });
  }
  await enrolAs(gateway, tokenProof(await issuer.token(kubernetesClaims())));
});

function serviceAccount(name: unknown, namespace = "agents"): object {
  return { namespace, serviceaccount: { name, uid: "1" } };
}

test("clocks may differ by the skew that is configured, and by no more", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const early = { nbf: now() + 20, iat: now() + 20, exp: now() + 300 };
  const late = { iat: now() - 300, exp: now() - 10 };
  for (const claims of [early, late]) {
    await enrolAs(gateway, tokenProof(await issuer.token({ ...kubernetesClaims(), ...claims })));
  }
  for (const claims of [{ nbf: now() + 45 }, { iat: now() - 300, exp: now() - 35 }]) {
    const token = await issuer.token({ ...kubernetesClaims(), ...claims });
    assert.equal((await refusalOf(gateway, enrolAs(gateway, tokenProof(token)))).code, "proof_refused");
  }
});

test("what isn't signed by the issuer's key gets no identity", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const other = await tokenIssuer(t, "RS256");
  const claims = { ...kubernetesClaims(), iss: issuer.url };
  const payload = { ...claims, iat: now(), exp: now() + 300 };
  const publicPem = await exportSPKI(await rsaPublicKey(issuer.publicKey()));
  const unsigned = (header: object): string =>
    `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}`;
  const hs256 = unsigned({ alg: "HS256", kid: "1" });
  const [header, body, signature] = (await issuer.token(claims)).split(".");
  const changed = base64url.encode(JSON.stringify({ ...payload, sub: "system:serviceaccount:agents:admin" }));
  for (const [what, token, reason] of [
    ["alg none", `${unsigned({ alg: "none" })}.`, /no JWT/],
    ["alg none with a signature", `${unsigned({ alg: "none" })}.AAAA`, /algorithm/],
    [
      "HS256 with the public key as secret",
      `${hs256}.${createHmac("sha256", publicPem).update(hs256).digest("base64url")}`,
      /algorithm/,
    ],
    ["an unknown key id", await issuer.token(claims, { kid: "9" }), /no such key/],
    ["another issuer's key", await other.token(claims), /signature/],
    ["changed claims", `${header}.${changed}.${signature}`, /signature/],
    ["a cut signature", `${header}.${body}.${signature?.slice(4)}`, /signature/],
    ["the type of an access token", await issuer.token(claims, { typ: "at+jwt" }), /typ/],
    ["the type of a proof", await issuer.token(claims, { typ: "dpop+jwt" }), /typ/],
    [
      "a critical header nobody knows",
      await issuer.token(claims, { crit: ["x"], x: 1 }).catch(() => "a.b.c"),
      /verified|no JWT/,
    ],
    ["no form at all", "x".repeat(100), /no JWT/],
  ] as const) {
    await t.test(what, async () => {
      const verdict = await refusalOf(gateway, enrolAs(gateway, tokenProof(token)));
      assert.equal(verdict.code, "proof_refused");
      assert.match(verdict.logged, reason);
    });
  }
});

for (const [what, claims] of [
  ["with an id", kubernetesClaims()],
  ["without an id", { ...kubernetesClaims(), jti: undefined }],
] as const) {
  test(`a token ${what} counts once, also for the same key`, async (t) => {
    const { gateway, issuer } = await workloadScene(t);
    const token = await issuer.token(claims);
    const key = newKey();
    await enrolAs(gateway, tokenProof(token), key);
    for (const again of [key, newKey()]) {
      const verdict = await refusalOf(gateway, enrolAs(gateway, tokenProof(token), again));
      assert.equal(verdict.code, "proof_refused");
      assert.match(verdict.logged, /used before/);
      assert.doesNotMatch(verdict.told, /used before/);
    }
    await enrolAs(gateway, tokenProof(await issuer.token({ ...kubernetesClaims() })));
  });
}

test("a token without an id counts once however its signature is written", async (t) => {
  const issuer = await tokenIssuer(t, "ES256");
  const gateway = await testGateway(
    t,
    `issuers: { cluster: { issuer: "${issuer.url}" } }
enrolment: [{ name: k8s, token: { issuer: cluster }, match: { sub: "system:*:{account}" }, identity: "agent/{account}" }]`,
  );
  const token = await issuer.token({ ...kubernetesClaims(), jti: undefined });
  await enrolAs(gateway, tokenProof(token));
  const verdict = await refusalOf(gateway, enrolAs(gateway, tokenProof(otherSignature(token))));
  assert.match(verdict.logged, /used before/);
});

test("of many that come with one token at once, one gets an identity", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const token = await issuer.token(kubernetesClaims());
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, () => enrolAs(gateway, tokenProof(token))),
  );
  assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
  const issued = (await recorded(gateway, "identity")).filter(
    ({ facts }) => facts["how"] === "token:k8s-agents",
  );
  assert.equal(issued.length, 1);
});

test("a token counts once across a restart of the gateway", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const token = await issuer.token(kubernetesClaims());
  await enrolAs(gateway, tokenProof(token));
  await gateway.stop();
  const yaml = `issuers: { cluster: { issuer: "${issuer.url}" } }
enrolment: [{ name: k8s, token: { issuer: cluster }, match: { sub: "system:*" }, identity: agent/any }]`;
  const again = await testGateway(t, yaml, { folder: gateway.folder });
  const verdict = await refusalOf(again, enrolAs(again, tokenProof(token)));
  assert.match(verdict.logged, /used before/);
});

test("a token is never sent to a gateway with another root", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const { gateway: impostor } = await workloadScene(t);
  const anchor = readAnchor(await gatewayAnchor(gateway.config, impostor.address));
  const proof = tokenProof(await issuer.token(kubernetesClaims()));
  const { profile } = gateway.config;
  await assert.rejects(
    enrolWorkload(anchor, proof, { csr: createSigningRequest(newKey()) }, profile),
    /Nothing was sent to it/,
  );
  assert.doesNotMatch(impostor.log.join(""), /identity\.refused/);
  await enrolAs(gateway, proof);
});

test("an anchor counts as long as one of its roots does", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const anchor = readAnchor(await gatewayAnchor(gateway.config, gateway.address));
  const two = { ...anchor, serverRootHashes: [new Uint8Array(32), ...anchor.serverRootHashes] };
  const proof = tokenProof(await issuer.token(kubernetesClaims()));
  await enrolWorkload(two, proof, { csr: createSigningRequest(newKey()) }, gateway.config.profile);
});

const troubles: readonly (readonly [string, http.RequestListener])[] = [
  ["that is down", (request) => request.socket.destroy()],
  ["that fails", (_, response) => response.writeHead(500).end()],
  ["that never answers", () => undefined],
  ["that answers without end", (_, response) => endless(response)],
  ["whose keys are nonsense", (_, response) => response.writeHead(200).end("[]")],
];
for (const [what, answer] of troubles) {
  test(`an issuer ${what} keeps out its own workloads, with a reason, and nobody else`, async (t) => {
    const { gateway, issuer, spire } = await workloadScene(t);
    issuer.answering(answer);
    const token = await issuer.token(kubernetesClaims());
    const stuck = refusalOf(gateway, enrolAs(gateway, tokenProof(token)));
    await enrolAs(gateway, svidProof(spire.issue({})));
    const verdict = await stuck;
    assert.equal(verdict.code, "issuer_unavailable");
    assert.match(verdict.told, /try again/);
    assert.match(verdict.logged, /issuer_unavailable/);
  });
}

function endless(response: http.ServerResponse): void {
  response.writeHead(200);
  const more = (): void => {
    while (!response.destroyed && response.write("x".repeat(65_536)));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

test("a certificate that a token got is renewed for a day, then the workload has to prove itself again", async (t) => {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const { gateway, issuer } = await workloadScene(t, { clock });
  const key = newKey();
  const first = await enrolAs(gateway, tokenProof(await issuer.token(kubernetesClaims())), key);
  assert.ok(first.renewable_until !== undefined);
  assert.ok(Math.abs(Date.parse(first.renewable_until) - Date.now() - 24 * hour) < 60_000);
  const known = { address: gateway.address, serverRoots: first.server_roots, spiffeId: first.gateway };
  const again = (certificate: string) =>
    renew(known, gateway.config.profile, { certificate, csr: createSigningRequest(key) });
  ahead = hour / 2;
  const second = await again(first.certificate);
  assert.equal(second.renewable_until, first.renewable_until, "renewing proves nothing");
  ahead = 24 * hour - 60_000;
  await again(second.certificate);
  ahead = 24 * hour + 1000;
  for (const certificate of [first.certificate, second.certificate]) {
    const verdict = await refusalOf(gateway, again(certificate));
    assert.match(verdict.told, /has to prove itself again/);
  }
  const renewed = (await recorded(gateway, "identity")).find(({ facts }) => facts["how"] === "renew");
  assert.equal(renewed?.facts["proven"], "token:k8s-agents");
});

test("a revoked identity doesn't come back by proving itself, until it is readmitted", async (t) => {
  const { gateway, issuer } = await workloadScene(t);
  const { spiffe_id: spiffeId } = await enrolAs(gateway, tokenProof(await issuer.token(kubernetesClaims())));
  revokeCertificates(gateway.config, spiffeId, systemClock);
  const token = await issuer.token(kubernetesClaims());
  const verdict = await refusalOf(gateway, enrolAs(gateway, tokenProof(token)));
  assert.equal(verdict.code, "proof_refused");
  assert.match(verdict.logged, /was revoked/);
  await enrolAs(gateway, tokenProof(await issuer.token(kubernetesClaims("other"))));
  assert.equal(readmitIdentity(gateway.config, spiffeId), true);
  await enrolAs(gateway, tokenProof(token));
  assert.equal(readmitIdentity(gateway.config, spiffeId), false);
});

test("the issuer's new key counts as soon as it signs with it", async (t: TestContext) => {
  const { gateway, issuer } = await workloadScene(t);
  await issuer.rotate();
  await enrolAs(gateway, tokenProof(await issuer.token(kubernetesClaims())));
  await eventually("its keys were asked for", () => issuer.keysAsked() > 0);
});

/** ECDSA: with (r, s) also (r, n − s) is a signature of the same text. */
function otherSignature(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const [header, payload, signature = ""] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const s = order - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]);
  return `${header}.${payload}.${other.toString("base64url")}`;
}

async function rsaPublicKey(jwk: Parameters<typeof importJWK>[0]) {
  const key = await importJWK(jwk, "RS256", { extractable: true });
  if (key instanceof Uint8Array) throw new Error("expected a public key");
  return key;
}
