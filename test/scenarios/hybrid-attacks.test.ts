/** Who breaks one of the two signature algorithms of a link impersonates nobody on it. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type tls from "node:tls";

import { makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { openTunnel } from "../../src/app/connect.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { certificateFacts, parseCertificate } from "../../src/crypto/certificate.ts";
import { generateKeyPair, signingKey } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { join, renew } from "../../src/host/net/enrol-client.ts";
import { bindingOf, linkProofPath } from "../../src/host/net/link-proof.ts";
import { postOnLink } from "../../src/host/net/post-on-link.ts";
import { systemClock } from "../../src/host/system.ts";
import type { Purpose } from "../../src/identity/authority.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import { proveLink } from "../../src/identity/link-proof.ts";
import { toBase64 } from "../../src/kernel/bytes.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { falseGateway, forgedClassical, type ForgedClassical, forgedMlDsa } from "../support/forger.ts";
import {
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  rawLink,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { agent, call, editIdentity, hybrid, sidecar, tunnelOf, withoutClassical } from "../support/hybrid.ts";
import { logged } from "../support/records.ts";

const gatewayId = "spiffe://latticegate.local/gateway";

interface Scene {
  readonly gateway: TestGateway;
  readonly link: tls.TLSSocket;
  readonly enrolment: Enrolment;
  /** The classical identity of the link's client. */
  readonly own: ForgedClassical;
}

async function scene(t: TestContext): Promise<Scene> {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { dear: { url: "${stub.url}", ${hybrid} } }\n${openPolicy}`);
  const { config, address, clock } = gateway;
  const token = readJoinToken(await makeJoinToken(config, { path: "agent/test", address }, clock));
  const key = generateKeyPair(config.profile.identity);
  const classicalKey = generateKeyPair(config.profile.classical);
  const csr = createSigningRequest(key);
  const identity = await join(token, csr, config.profile, createSigningRequest(classicalKey));
  const enrolment = { identity, key, credentials: credentialsOf(key, identity.certificate) };
  const link = await rawLink(gateway, enrolment);
  atEnd(t, () => link.destroy());
  const certificate = identity.classical?.certificate ?? assert.fail("no classical certificate");
  return { gateway, link, enrolment, own: { certificate, key: signingKey(classicalKey) } };
}

async function proofOn(link: tls.TLSSocket, own: ForgedClassical, role: Purpose = "client"): Promise<string> {
  const { certificate, signature } = await proveLink(bindingOf(link, "client"), role, own);
  return JSON.stringify({ certificate, signature: toBase64(signature) });
}

async function postProof(link: tls.TLSSocket, proof: string): Promise<number> {
  const body = Buffer.from(proof);
  const asked = { path: linkProofPath, body, maxAnswerBytes: 16_384, timeoutMs: 5000 };
  return (await postOnLink(link, asked)).status;
}

/** A call to the server that asks for both identities. */
async function statusOfCall(link: tls.TLSSocket): Promise<number> {
  const body = Buffer.from(JSON.stringify(toolCall("echo")));
  return (await postOnLink(link, { path: "/mcp/dear", body, maxAnswerBytes: 65_536, timeoutMs: 5000 }))
    .status;
}

test("a proof made for its link opens what asks for both identities", async (t) => {
  const { link, own } = await scene(t);
  assert.equal(await postProof(link, await proofOn(link, own)), 200);
  assert.equal(await statusOfCall(link), 200);
});

const refusedProofs: readonly (readonly [string, (scene: Scene) => Promise<string>, RegExp])[] = [
  [
    "of another connection of the same client",
    async ({ gateway, enrolment, own }) => {
      const other = await rawLink(gateway, enrolment);
      const proof = await proofOn(other, own);
      other.destroy();
      return proof;
    },
    /isn't one over this link/,
  ],
  [
    "signed for the server's role",
    ({ link, own }) => proofOn(link, own, "server"),
    /isn't one over this link/,
  ],
  [
    "with a server's certificate of the same name",
    async ({ gateway, link }) =>
      proofOn(link, await forgedClassical(gateway, { ...agent, purpose: "server" }, "the gateway's")),
    /isn't one of a client/,
  ],
  [
    "of another identity",
    async ({ gateway, link }) => {
      const other = { ...agent, spiffeId: "spiffe://latticegate.local/agent/other" };
      return proofOn(link, await forgedClassical(gateway, other, "the gateway's"));
    },
    /agent\/other's, and the link/,
  ],
  [
    "under roots of the prover's own",
    async ({ gateway, link }) => proofOn(link, await forgedClassical(gateway, agent, "own")),
    /no classical client root vouches/,
  ],
  [
    "with the link's ML-DSA certificate instead of a classical one",
    ({ link, enrolment, own }) => proofOn(link, { ...own, certificate: enrolment.identity.certificate }),
    /its key is ML-DSA-65, not Ed25519/,
  ],
  ["that is no JSON", () => Promise.resolve("{"), /docs\/formats\/link-proof.md/],
  ["that is longer than any", () => Promise.resolve(" ".repeat(20_000)), /longer than/],
];
for (const [what, make, reason] of refusedProofs) {
  test(`a proof ${what} is refused, and its link is cut`, async (t) => {
    const all = await scene(t);
    const status = await postProof(all.link, await make(all));
    assert.ok(status >= 400, `status ${status}`);
    const [refusal, ...more] = logged(all.gateway, "link.proof_refused");
    assert.match(String(refusal?.["reason"]), reason);
    assert.equal(more.length, 0);
    await eventually("the end of the link", () => all.link.closed || all.link.readableEnded);
  });
}

test("a proof that is sent again is refused, and its link is cut", async (t) => {
  const { link, own, gateway } = await scene(t);
  const proof = await proofOn(link, own);
  assert.equal(await postProof(link, proof), 200);
  assert.equal(await postProof(link, proof), 400);
  assert.match(String(logged(gateway, "link.proof_refused")[0]?.["reason"]), /proven once/);
  await eventually("the end of the link", () => link.closed || link.readableEnded);
});

test("who breaks ML-DSA alone gets a link in a victim's name, and nothing that asks for both identities", async (t) => {
  const { gateway, enrolment } = await scene(t);
  const credentials = await forgedMlDsa(gateway, agent);
  const link = await rawLink(gateway, { ...enrolment, credentials });
  assert.equal(await statusOfCall(link), 403);
  link.destroy();
  const again = await rawLink(gateway, { ...enrolment, credentials });
  assert.equal(
    await postProof(again, await proofOn(again, await forgedClassical(gateway, agent, "own"))),
    401,
  );
  again.destroy();
});

test("who breaks the classical algorithm alone can't prove a victim's name on a link of another", async (t) => {
  const { gateway } = await scene(t);
  const link = await rawLink(gateway, await enrol(gateway, "agent/mallory"));
  const forged = await forgedClassical(gateway, agent, "the gateway's");
  assert.equal(await postProof(link, await proofOn(link, forged)), 401);
  link.destroy();
});

test("an open link ends when either of the two certificates it proved is revoked", async (t) => {
  const { link, own, gateway } = await scene(t);
  assert.equal(await postProof(link, await proofOn(link, own)), 200);
  assert.equal(await statusOfCall(link), 200);
  const parsed = parseCertificate(own.certificate) ?? assert.fail("no certificate");
  assert.ok(revokeCertificates(gateway.config, certificateFacts(parsed).serial, systemClock));
  await eventually("the end of the link", () => link.destroyed);
});

/** What a man in the middle for whom ML-DSA is broken may answer to the proof of a sidecar. */
const falseAnswers: readonly (readonly [
  string,
  (gateway: TestGateway, link: tls.TLSSocket, body: Buffer) => Promise<{ status: number; body: string }>,
  RegExp,
])[] = [
  ["strips the proof", () => Promise.resolve({ status: 403, body: "{}" }), /offers no proof/],
  ["answers with nothing", () => Promise.resolve({ status: 200, body: "{}" }), /isn't one of docs/],
  [
    "hands the sidecar's own proof back",
    (_gateway, _link, body) => Promise.resolve({ status: 200, body: body.toString() }),
    /isn't one of a server/,
  ],
  [
    "proves an identity under roots of its own",
    async (gateway, link) => {
      const victim = { spiffeId: gatewayId, purpose: "server" } as const;
      const { certificate, key } = await forgedClassical(gateway, victim, "own");
      const { signature } = await proveLink(bindingOf(link, "server"), "server", { certificate, key });
      return { status: 200, body: JSON.stringify({ certificate, signature: toBase64(signature) }) };
    },
    /no classical server root vouches/,
  ],
  [
    "proves another server's classical identity",
    async (gateway, link) => {
      const victim = { spiffeId: "spiffe://latticegate.local/server/pipe", purpose: "server" } as const;
      const { certificate, key } = await forgedClassical(gateway, victim, "the gateway's");
      const { signature } = await proveLink(bindingOf(link, "server"), "server", { certificate, key });
      return { status: 200, body: JSON.stringify({ certificate, signature: toBase64(signature) }) };
    },
    /server\/pipe's, and the link/,
  ],
  [
    "hands the proof on to the gateway",
    async (gateway, _link, body) => {
      const credentials = await forgedMlDsa(gateway, agent);
      const { identity, key } = await enrol(gateway, "agent/mallory");
      const onward = await rawLink(gateway, { identity, key, credentials });
      const asked = { path: linkProofPath, body, maxAnswerBytes: 16_384, timeoutMs: 5000 };
      const answer = await postOnLink(onward, asked);
      onward.destroy();
      return { status: answer.status, body: Buffer.from(answer.body).toString() };
    },
    /answered with status 401/,
  ],
  [
    "hands the gateway's proof for a link of its own on to the sidecar",
    async (gateway) => {
      const credentials = await forgedMlDsa(gateway, agent);
      const { identity, key } = await enrol(gateway, "agent/mallory");
      const onward = await rawLink(gateway, { identity, key, credentials });
      const forged = await forgedClassical(gateway, agent, "the gateway's");
      const body = Buffer.from(await proofOn(onward, forged));
      const answer = await postOnLink(onward, {
        path: linkProofPath,
        body,
        maxAnswerBytes: 16_384,
        timeoutMs: 5000,
      });
      onward.destroy();
      assert.equal(answer.status, 200);
      return { status: 200, body: Buffer.from(answer.body).toString() };
    },
    /isn't one over this link/,
  ],
];
for (const [what, answer, reason] of falseAnswers) {
  test(`a man in the middle who breaks ML-DSA and ${what} is sent no call`, async (t) => {
    const stub = await stubServer(t);
    const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
    const options = await sidecar(t, gateway, "stub");
    await (await openTunnel(options)).close();
    const man = await falseGateway(t, gateway, (link, _path, body) => answer(gateway, link, body));
    await editIdentity(options, (identity) => ({ ...identity, address: man.address }));
    await assert.rejects(call(await tunnelOf(t, options)), reason);
    assert.deepEqual(new Set(man.asked), new Set([linkProofPath]));
    assert.equal(stub.seen.length, 0);
  });
}

test("a man in the middle who breaks ML-DSA can't put roots of his own into a renewal", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const roots = await forgedClassical(gateway, agent, "own");
  let answer = "";
  const man = await falseGateway(t, gateway, (_link, path) =>
    Promise.resolve(path === "/identity/profile" ? { status: 405, body: "" } : { status: 200, body: answer }),
  );
  const before = await editIdentity(options, (identity) => ({ ...identity, address: man.address }));
  const { address: _address, ...mine } = before;
  const later: Clock = { nowUnixMs: () => Date.now() + 61 * 60_000 };
  const classical = { certificate: roots.certificate, server_roots: ["his"], client_roots: ["his"] };
  const proof = { certificate: roots.certificate, signature: "AAAA" };
  const answers = [
    mine,
    withoutClassical(mine),
    { ...mine, classical },
    { ...mine, classical, link_proof: proof },
  ];
  for (const each of answers) {
    answer = JSON.stringify(each);
    await assert.rejects(
      openTunnel({ ...options, clock: later }),
      (error: unknown) => error instanceof Refusal && error.code === "bad_certificate",
    );
  }
  assert.equal(man.asked.filter((each) => each === "/identity/renew").length, answers.length);
  assert.deepEqual(await editIdentity(options, (identity) => identity), before);
});

const classicalOfOthers: readonly (readonly [string, (all: Scene) => Promise<string | undefined>, RegExp])[] =
  [
    ["without the one there was", () => Promise.resolve(undefined), /had one, which must be shown/],
    [
      "with the victim's own, which isn't for that key",
      ({ own }) => Promise.resolve(own.certificate),
      /another key/,
    ],
    [
      "with one under roots of their own",
      async ({ gateway }) => (await forgedClassical(gateway, agent, "own")).certificate,
      /didn't issue it/,
    ],
  ];
for (const [what, old, reason] of classicalOfOthers) {
  test(`who breaks ML-DSA gets no classical identity of a victim by a renewal ${what}`, async (t) => {
    const all = await scene(t);
    const { gateway, enrolment } = all;
    const { profile } = gateway.config;
    const [key, classicalKey] = [generateKeyPair(profile.identity), generateKeyPair(profile.classical)];
    const { certificate } = await forgedMlDsa(gateway, agent, key);
    const { server_roots: serverRoots, gateway: spiffeId } = enrolment.identity;
    const asked = renew({ address: gateway.address, serverRoots, spiffeId }, profile, {
      certificate,
      csr: createSigningRequest(key),
      classicalCsr: createSigningRequest(classicalKey),
      classicalCertificate: await old(all),
    });
    await assert.rejects(asked, reason);
  });
}

test("a sidecar that had the gateway's classical identity isn't asked to do without by one of before", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const refusal = JSON.stringify({ error: "bad_message", message: "unknown member" });
  const old = await falseGateway(t, gateway, () => Promise.resolve({ status: 400, body: refusal }));
  const later: Clock = { nowUnixMs: () => Date.now() + 61 * 60_000 };
  await editIdentity(options, (identity) => ({ ...identity, address: old.address }));
  await assert.rejects(openTunnel({ ...options, clock: later }), /refused: unknown member/);
  assert.deepEqual(old.asked, ["/identity/profile", "/identity/renew"], "asked once");
});
