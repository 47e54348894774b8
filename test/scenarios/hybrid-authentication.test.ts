/** Links that prove a classical identity beside the ML-DSA one: what they are needed for, and who can't pretend it. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type tls from "node:tls";

import { listCertificates, makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, openTunnel, type Tunnel } from "../../src/app/connect.ts";
import { type Exposed, startExpose } from "../../src/app/expose.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { certificateFacts, parseCertificate } from "../../src/crypto/certificate.ts";
import { generateKeyPair, signingKey } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { join } from "../../src/host/net/enrol-client.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { valueOf } from "../../src/host/net/headers.ts";
import { collected } from "../../src/host/net/http-exchange.ts";
import { bindingOf, linkProofPath } from "../../src/host/net/link-proof.ts";
import { postOnLink } from "../../src/host/net/post-on-link.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Purpose } from "../../src/identity/authority.ts";
import { proveLink } from "../../src/identity/link-proof.ts";
import { toBase64 } from "../../src/kernel/bytes.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { falseGateway, forgedClassical, type ForgedClassical, forgedMlDsa } from "../support/forger.ts";
import {
  type Answering,
  clientOf,
  enrol,
  type Enrolment,
  openPolicy,
  eventually,
  rawLink,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, logged } from "../support/records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const hybrid = "link: { authentication: hybrid-mtls }";
const both = "ML-DSA-65+Ed25519";
const agent = { spiffeId: "spiffe://latticegate.local/agent/test", purpose: "client" } as const;
const gatewayId = "spiffe://latticegate.local/gateway";

interface SidecarChoices {
  readonly name?: string;
  readonly clock?: Clock;
}

async function sidecar(
  t: TestContext,
  gateway: TestGateway,
  target: string,
  { name = "agent/test", clock = systemClock }: SidecarChoices = {},
): Promise<ConnectOptions> {
  const joinToken = await makeJoinToken(gateway.config, { path: name, address: gateway.address }, clock);
  const state = path.join(await temporaryFolder(t), "sidecar");
  return { target, state, joinToken, clock, log: silent, patienceMs: 0 };
}

async function tunnelOf(t: TestContext, options: ConnectOptions): Promise<Tunnel> {
  const tunnel = await openTunnel(options);
  atEnd(t, tunnel.close);
  return tunnel;
}

async function call(
  tunnel: Tunnel,
  message: unknown = toolCall("echo"),
  more: readonly string[] = [],
): Promise<{ readonly status: number; readonly headers: readonly string[]; readonly text: string }> {
  const accept = "application/json, text/event-stream";
  const headers = ["content-type", "application/json", "accept", accept, ...more];
  const body = Buffer.from(JSON.stringify(message));
  const answer = await collected(await tunnel.send({ method: "POST", headers, body }));
  const chunks = answer.kind === "whole" ? [answer.body] : await Array.fromAsync(answer.chunks);
  return { status: answer.status, headers: answer.headers, text: Buffer.concat(chunks).toString() };
}

/** The stored identity of a sidecar, changed. */
async function editIdentity(
  { state }: ConnectOptions,
  change: (identity: Record<string, unknown>) => Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const file = statePaths(state).identity;
  const identity = change(JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>);
  await writeFile(file, JSON.stringify(identity));
  return identity;
}

const withoutClassical = ({ classical: _, ...rest }: Record<string, unknown>): Record<string, unknown> =>
  rest;

async function linkAuths(gateway: TestGateway): Promise<readonly (string | undefined)[]> {
  const decisions = (await checkLog(gateway)).filter(({ event }) => event === "call.decision");
  return decisions.map(({ facts }) => facts["link.auth"]);
}

test("a sidecar proves both identities by itself, and the record says so", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}", ${hybrid} } }\n${openPolicy}`);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "stub"));
  for (let calls = 0; calls < 6; calls++) assert.equal((await call(tunnel)).status, 200);
  assert.equal(stub.seen.length, 6);
  assert.deepEqual(await linkAuths(gateway), Array(6).fill(both));
  const proofs = logged(gateway, "link.proven").length;
  assert.ok(proofs >= 1 && proofs <= 3, `once for each connection, not for each call: ${proofs}`);
});

test("a server that asks for both identities refuses a link with one, says why, and records it", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { dear: { url: "${stub.url}", ${hybrid} }, plain: { url: "${stub.url}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const refused = await client.post("dear", toolCall("echo"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /"dear\\" asks for a link that proves a classical identity .*use a sidecar of/);
  assert.equal(stub.seen.length, 0);
  assert.equal((await client.post("plain", toolCall("echo"))).status, 200);
  assert.deepEqual(await linkAuths(gateway), ["ML-DSA-65"]);
  const [outcome] = (await checkLog(gateway)).filter(({ facts }) => facts["server"] === "dear");
  assert.deepEqual([outcome?.outcome, outcome?.facts["reason"]], ["denied", "link_too_weak"]);
});

/** A server of one tool, as a virtual server asks for it. */
const oneTool: Answering = (_request, response, body) => {
  const { id, method } = JSON.parse(body === "" ? "{}" : body) as { id?: number; method?: string };
  if (id === undefined) return void response.writeHead(202).end();
  const serverInfo = { name: "stub", version: "1" };
  const results: Record<string, object> = {
    initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
    "tools/list": { tools: [{ name: "echo", inputSchema: { type: "object" } }] },
  };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[method ?? ""] ?? { content: [] } }));
};

test("a session that began on a link with both identities is worth nothing on one without, through a virtual server too", async (t) => {
  const stub = await stubServer(t, oneTool);
  const servers = `servers: { dear: { url: "${stub.url}", ${hybrid} } }`;
  const virtual = "virtual_servers: { all: { servers: [dear] } }";
  const gateway = await testGateway(t, `${servers}\n${virtual}\n${openPolicy}`);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "all"));
  const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } };
  const begun = await call(tunnel, { jsonrpc: "2.0", id: 1, method: "initialize", params: hello });
  const session = valueOf(begun.headers, "mcp-session-id") ?? assert.fail(begun.text);
  const inSession = ["mcp-session-id", session];
  await call(tunnel, { jsonrpc: "2.0", id: 2, method: "tools/list", params: {} }, inSession);
  assert.match((await call(tunnel, toolCall("echo", 3), inSession)).text, /"content"/);
  const before = stub.seen.length;
  const other = clientOf(t, gateway, await enrol(gateway));
  const refused = await other.post("all", toolCall("echo", 4), { "mcp-session-id": session });
  assert.equal(refused.status, 403);
  assert.match(refused.text, /"dear\\" asks for a link/);
  assert.equal(stub.seen.length, before);
  const last = (await checkLog(gateway)).at(-1);
  assert.deepEqual([last?.outcome, last?.facts["reason"]], ["denied", "link_too_weak"]);
});

test("a listener that asks for both identities takes no call on a link with one", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { stub: { url: "${stub.url}" } }`;
  const listen = `{ address: "127.0.0.1:0", authentication: hybrid-mtls }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { listen });
  const refused = await clientOf(t, gateway, await enrol(gateway)).post("stub", toolCall("echo"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /This listener asks for a link/);
  assert.equal(stub.seen.length, 0);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "stub", { name: "agent/new" }));
  assert.equal((await call(tunnel)).status, 200);
});

interface Behind {
  readonly exposed: Exposed;
  readonly options: ConnectOptions;
  /** The gateway that gave out the exposed server's identity; its successor serves `behind`. */
  readonly first: TestGateway;
}

async function behind(
  t: TestContext,
  choices: { readonly authentication?: "hybrid-mtls"; readonly isOld?: boolean; readonly allow?: string },
): Promise<Behind> {
  const stub = await stubServer(t);
  const first = await testGateway(t, openPolicy);
  const options = await sidecar(t, first, "", { name: "server/pipe" });
  const { authentication, isOld = false, allow } = choices;
  const start = (): Promise<Exposed> =>
    startExpose({
      ...options,
      server: { url: stub.url },
      listen: "127.0.0.1:0",
      allow: allow === undefined ? [] : [allow],
      ...(authentication && { authentication }),
    });
  if (!isOld) {
    const exposed = await start();
    atEnd(t, exposed.stop);
    await first.stop();
    return { exposed, options, first };
  }
  await (await start()).stop();
  await editIdentity(options, withoutClassical);
  await first.stop(); // So that it can't renew into one that has both.
  const exposed = await start();
  atEnd(t, exposed.stop);
  return { exposed, options, first };
}

function served({ exposed }: Behind, more = ""): string {
  return `servers: { behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}"${more} } }\n${openPolicy}`;
}

async function exposedAuths({ options }: Behind): Promise<readonly string[]> {
  const auths: string[] = [];
  for await (const { bytes } of openLogReader(statePaths(options.state).log).forwards()) {
    auths.push(
      ...[
        ...Buffer.from(bytes)
          .toString()
          .matchAll(/"link.auth":"([^"]+)"/g),
      ].map(([, auth = ""]) => auth),
    );
  }
  return auths;
}

test("a gateway and an exposed server prove both identities to each other", async (t) => {
  const there = await behind(t, { authentication: "hybrid-mtls" });
  const gateway = await testGateway(t, served(there, `, ${hybrid}`), { folder: there.first.folder });
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "behind"));
  assert.match((await call(tunnel)).text, /"result"/);
  assert.deepEqual(await exposedAuths(there), [both]);
});

test("a gateway calls an exposed server without a classical identity, unless the config says it must have one", async (t) => {
  const there = await behind(t, { isOld: true });
  const tolerant = await testGateway(t, served(there), { folder: there.first.folder });
  const tunnel = await tunnelOf(t, await sidecar(t, tolerant, "behind"));
  assert.match((await call(tunnel)).text, /"result"/);
  await tolerant.stop();
  const strict = await testGateway(t, served(there, `, ${hybrid}`), { folder: there.first.folder });
  const refused = await call(await tunnelOf(t, await sidecar(t, strict, "behind")));
  assert.equal(refused.status, 502);
  assert.match(refused.text, /offers no proof of a classical identity/);
  assert.deepEqual(await exposedAuths(there), ["ML-DSA-65"], "nothing more was sent to it");
});

test("a sidecar and an exposed server prove both identities where each asks for them", async (t) => {
  const there = await behind(t, { authentication: "hybrid-mtls", allow: agent.spiffeId });
  const gateway = await testGateway(t, openPolicy, { folder: there.first.folder });
  const to = { peer: there.exposed.spiffeId, authentication: "hybrid-mtls" } as const;
  const tunnel = await tunnelOf(t, { ...(await sidecar(t, gateway, there.exposed.url)), ...to });
  assert.match((await call(tunnel)).text, /"result"/);
  assert.deepEqual(await exposedAuths(there), [both]);
});

test("a sidecar that asks for both identities sends nothing to an exposed server with one", async (t) => {
  const there = await behind(t, { isOld: true, allow: agent.spiffeId });
  const gateway = await testGateway(t, openPolicy, { folder: there.first.folder });
  const to = { peer: there.exposed.spiffeId, authentication: "hybrid-mtls" } as const;
  const tunnel = await tunnelOf(t, { ...(await sidecar(t, gateway, there.exposed.url)), ...to });
  await assert.rejects(call(tunnel), /offers no proof of a classical identity/);
  assert.deepEqual(await exposedAuths(there), []);
});

// Renewal.

test("an identity from before there were classical ones is renewed into one that has both", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}", ${hybrid} } }\n${openPolicy}`);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  await editIdentity(options, withoutClassical);
  assert.equal((await call(await tunnelOf(t, options))).status, 200);
});

test("both certificates are renewed at half-life, together, and end together", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const later: Clock = { nowUnixMs: () => Date.now() + 31 * 60_000 };
  await tunnelOf(t, { ...options, clock: later });
  const listed = () => listCertificates(gateway.config).filter(({ spiffeId }) => spiffeId === agent.spiffeId);
  await eventually("four certificates", () => listed().length === 4);
  const mine = listed();
  const purposes = mine.map(({ purpose }) => purpose).toSorted();
  assert.deepEqual(purposes, ["classical client", "classical client", "client", "client"]);
  const ends = (purpose: string): readonly number[] =>
    mine
      .filter((each) => each.purpose === purpose)
      .map(({ notAfterUnixMs }) => Math.floor(notAfterUnixMs / 1000));
  assert.deepEqual(ends("classical client"), ends("client"));
});

test("a sidecar that must have a classical identity and can't get one says what to do", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  await editIdentity(options, withoutClassical);
  await gateway.stop();
  await assert.rejects(
    openTunnel({ ...options, authentication: "hybrid-mtls" }),
    (error: unknown) =>
      error instanceof Refusal && error.code === "bad_state" && /must be up/.test(error.message),
  );
});

// Attacks.

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

test("a classical certificate that is revoked counts no more on a link that is open", async (t) => {
  const { link, own, gateway } = await scene(t);
  assert.equal(await postProof(link, await proofOn(link, own)), 200);
  assert.equal(await statusOfCall(link), 200);
  const parsed = parseCertificate(own.certificate) ?? assert.fail("no certificate");
  assert.equal(revokeCertificates(gateway.config, certificateFacts(parsed).serial, systemClock).length, 1);
  await eventually("a refusal", async () => (await statusOfCall(link)) === 403);
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
  const man = await falseGateway(t, gateway, () => Promise.resolve({ status: 200, body: answer }));
  const before = await editIdentity(options, (identity) => ({ ...identity, address: man.address }));
  const { address: _, ...mine } = before;
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
  assert.equal(man.asked.length, answers.length);
  assert.deepEqual(await editIdentity(options, (identity) => identity), before);
});

test("a sidecar that had the gateway's classical identity isn't asked to do without by one of before", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const refusal = JSON.stringify({ error: "bad_message", message: "unknown member" });
  const old = await falseGateway(t, gateway, () => Promise.resolve({ status: 400, body: refusal }));
  const later: Clock = { nowUnixMs: () => Date.now() + 61 * 60_000 };
  await editIdentity(options, (identity) => ({ ...identity, address: old.address }));
  await assert.rejects(openTunnel({ ...options, clock: later }), /refused: unknown member/);
  assert.deepEqual(old.asked, ["/identity/renew"], "asked once");
});

test("a sidecar joins and renews at a gateway of before, without a classical identity", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const identity = withoutClassical(await editIdentity(options, withoutClassical));
  const refusal = JSON.stringify({ error: "bad_message", message: "unknown member" });
  const bodies: string[] = [];
  const old = await falseGateway(t, gateway, (_link, _path, body) => {
    bodies.push(body.toString());
    const isKnown = !body.includes("classical_csr");
    const { address: _, ...answer } = identity;
    return Promise.resolve(
      isKnown ? { status: 200, body: JSON.stringify(answer) } : { status: 400, body: refusal },
    );
  });
  await editIdentity(options, (each) => ({ ...each, address: old.address }));
  await (await openTunnel(options)).close();
  assert.deepEqual(
    bodies.map((body) => Object.keys(JSON.parse(body) as object)),
    [
      ["certificate", "csr", "classical_csr"],
      ["certificate", "csr"],
    ],
  );
});
