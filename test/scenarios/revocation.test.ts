/** What a revocation ends, how soon, and what it leaves in the log. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { test, type TestContext } from "node:test";
import tls, { type TLSSocket } from "node:tls";

import { listCertificates, makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { type Exposed, startExpose } from "../../src/app/expose.ts";
import { certificateFacts, parseCertificate } from "../../src/crypto/certificate.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { renew } from "../../src/host/net/enrol-client.ts";
import { revocationsAlpn } from "../../src/host/net/front-door.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  asked,
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  rawLink,
  type StubServer,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf } from "../support/records.ts";
import { openSession, scriptedServer } from "../support/pipes.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });

interface House {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly enrolment: Enrolment;
}

/** A gateway with one server whose `wait` tool never answers and whose GET is a stream without an end. */
async function house(t: TestContext): Promise<House> {
  const stub = await stubServer(t, (request, response, body) => {
    if (request.method === "GET")
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
    else if (!body.includes('"wait"')) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} }));
    }
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  return { gateway, stub, enrolment: await enrol(gateway) };
}

function revoke({ config }: TestGateway, what: string): void {
  assert.ok((revokeCertificates(config, what, systemClock)?.certificates ?? 0) > 0);
}

function serialOf(certificate: string): string {
  const parsed = parseCertificate(certificate);
  assert.ok(parsed);
  return certificateFacts(parsed).serial;
}

async function renewed(gateway: TestGateway, { identity, key }: Enrolment): Promise<Enrolment> {
  const known = { address: gateway.address, serverRoots: identity.server_roots, spiffeId: identity.gateway };
  const csr = createSigningRequest(key);
  const next = await renew(known, gateway.config.profile, { certificate: identity.certificate, csr });
  return { identity: next, key, credentials: credentialsOf(key, next.certificate) };
}

test("an idle link of a revoked identity is closed, and those of others go on", async (t) => {
  const { gateway, enrolment } = await house(t);
  const other = await rawLink(gateway, await enrol(gateway, "agent/other"));
  const link = await rawLink(gateway, enrolment);
  assert.equal(await asked(link), "403", "it is in");
  revoke(gateway, enrolment.identity.spiffe_id);
  await eventually("it is closed", () => link.closed);
  assert.match(gateway.log.join(""), /"event":"link.ended".*"reason":"identity_revoked"/);
  assert.equal(await asked(other), "403");
  other.destroy();
});

test("a call under way ends with its caller's right to it, and its outcome says why", async (t) => {
  const { gateway, stub, enrolment } = await house(t);
  let left = 0;
  stub.server.on("request", (_request, response) => response.once("close", () => (left += 1)));
  const client = clientOf(t, gateway, enrolment);
  const call = client.post("stub", toolCall("wait"));
  call.catch(() => undefined);
  await eventually("the server has it", () => stub.seen.length === 1);
  revoke(gateway, enrolment.identity.spiffe_id);
  await assert.rejects(call, "nobody is answered");
  await eventually("the server sees its client go", () => left === 1);
  const outcome = await entry(gateway, "call.outcome");
  assert.equal(outcome.outcome, "error");
  assert.equal(outcome.facts["reason"], "identity_revoked");
});

test("a legacy call on a stdio server isn't kept for a caller that was sent away", async (t) => {
  const { house: gateway, session } = await scriptedServer(t);
  const { call } = await session();
  const hold = call("hold");
  hold.catch(() => undefined);
  await eventually("it is under way", async () => (await entriesOf(gateway, "call.decision")).length >= 2);
  revoke(gateway, "spiffe://latticegate.local/agent/test");
  await assert.rejects(hold);
  await eventually("it is over", async () =>
    (await entriesOf(gateway, "call.outcome")).some(({ facts }) => facts["reason"] === "identity_revoked"),
  );
  const other = await openSession(clientOf(t, gateway, await enrol(gateway, "agent/other")), "pipe");
  assert.equal((await other.call("echo")).status, 200);
});

test("a stream on which a server speaks unasked is cut", async (t) => {
  const { gateway, enrolment } = await house(t);
  const client = clientOf(t, gateway, enrolment);
  const { status, events } = await client.stream("stub", {
    method: "GET",
    headers: { accept: "text/event-stream" },
  });
  assert.equal(status, 200);
  const rest = Array.fromAsync(events);
  rest.catch(() => undefined);
  revoke(gateway, enrolment.identity.spiffe_id);
  await assert.rejects(rest);
  assert.equal((await entry(gateway, "call.outcome")).facts["reason"], "identity_revoked");
});

test("revoking a serial ends what was renewed from it and what it was renewed from, and renews it no more", async (t) => {
  for (const named of ["the first", "the last"] as const) {
    const { gateway, enrolment } = await house(t);
    const next = await renewed(gateway, await renewed(gateway, enrolment));
    const links = await Promise.all([enrolment, next].map((each) => rawLink(gateway, each)));
    revoke(gateway, serialOf((named === "the first" ? enrolment : next).identity.certificate));
    await eventually("both are closed", () => links.every(({ closed }) => closed));
    for (const each of [enrolment, next]) {
      assert.equal(await asked(await rawLink(gateway, each)), "cut", named);
      await assert.rejects(renewed(gateway, each), isRevoked);
    }
    const states = listCertificates(gateway.config).filter(({ spiffeId }) => spiffeId.endsWith("agent/test"));
    assert.deepEqual(
      states.map(({ state }) => state),
      ["revoked", "revoked", "revoked"],
    );
  }
});

test("a family that is revoked takes no other of its identity along", async (t) => {
  const { gateway, enrolment } = await house(t);
  const other = await enrol(gateway);
  revoke(gateway, serialOf(enrolment.identity.certificate));
  await eventually("it is in force", () => gateway.log.some((line) => line.includes("identity.revoked")));
  assert.equal(await asked(await rawLink(gateway, other)), "403");
  await renewed(gateway, other);
});

test("links and streams end with their certificate", async (t) => {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const stub = await stubServer(t, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`, { clock });
  const enrolment = await enrol(gateway);
  const idle = await rawLink(gateway, enrolment);
  const client = clientOf(t, gateway, enrolment);
  const { events } = await client.stream("stub", { method: "GET", headers: { accept: "text/event-stream" } });
  const rest = Array.fromAsync(events);
  rest.catch(() => undefined);
  ahead = 2 * 3_600_000;
  await assert.rejects(rest);
  await eventually("the idle link too", () => idle.closed);
  assert.equal((await entry(gateway, "call.outcome")).facts["reason"], "identity_expired");
});

test("each revocation is in the log once, also one that was made while no gateway ran", async (t) => {
  const { gateway, enrolment } = await house(t);
  revoke(gateway, serialOf(enrolment.identity.certificate));
  const first = await entry(gateway, "identity.revoke");
  assert.equal(first.principal, enrolment.identity.spiffe_id);
  assert.equal(first.facts["what"], "certificate");
  assert.equal(first.facts["serial"], serialOf(enrolment.identity.certificate));
  const { identity } = await enrol(gateway, "agent/late");
  await gateway.stop();
  revoke(gateway, identity.spiffe_id);
  const yaml = `servers: { stub: { url: "http://127.0.0.1:1" } }\n${openPolicy}`;
  const second = await testGateway(t, yaml, { folder: gateway.folder });
  await eventually("it is written", async () => (await entriesOf(second, "identity.revoke")).length === 2);
  await second.stop();
  const third = await testGateway(t, yaml, { folder: gateway.folder });
  const entries = await entriesOf(third, "identity.revoke");
  assert.deepEqual(
    entries.map(({ principal, facts }) => [principal, facts["what"]]),
    [
      [enrolment.identity.spiffe_id, "certificate"],
      [identity.spiffe_id, "identity"],
    ],
  );
});

test("who was turned away is in the log, once and with a count; strangers aren't", async (t) => {
  const { gateway, enrolment } = await house(t);
  const token = await makeJoinToken(
    gateway.config,
    { path: "agent/test", address: gateway.address },
    systemClock,
  );
  revoke(gateway, enrolment.identity.spiffe_id);
  await eventually("it is in force", () => gateway.log.some((line) => line.includes("identity.revoked")));
  for (let tries = 0; tries < 3; tries++) {
    assert.equal(await asked(await rawLink(gateway, enrolment)), "cut");
    await assert.rejects(renewed(gateway, enrolment), isRevoked);
  }
  const sidecar = {
    target: "stub",
    state: path.join(gateway.folder, "sidecar"),
    clock: systemClock,
    log: silent,
  };
  await assert.rejects(connectHttp({ ...sidecar, joinToken: token }, 0), /unknown, used or expired/);
  const stranger = await house(t);
  assert.equal(
    await asked(await rawLink(gateway, { ...stranger.enrolment, identity: enrolment.identity })),
    "cut",
  );
  await gateway.stop();
  const again = await testGateway(t, openPolicy, { folder: gateway.folder });
  const refusals = await entriesOf(again, "identity.refuse");
  const counted = refusals.map(({ principal, facts }) => [principal, facts["how"], facts["times"]].join(" "));
  const id = enrolment.identity.spiffe_id;
  assert.deepEqual(counted.toSorted(), [
    `${id} join 1`,
    `${id} link 1`,
    `${id} link 2`,
    `${id} renew 1`,
    `${id} renew 2`,
  ]);
});

test("the gateway's own certificate, once revoked, is replaced", async (t) => {
  const { gateway } = await house(t);
  const own = () => listCertificates(gateway.config).filter(({ spiffeId }) => spiffeId.endsWith("/gateway"));
  assert.equal(own().length, 4, "each with its classical one");
  revoke(gateway, own()[0]?.serial ?? "");
  await eventually(
    "others take their place",
    () => own().filter(({ state }) => state === "valid").length === 6,
  );
  await enrol(gateway, "agent/after");
});

/** An exposed stub of the gateway's that everybody may call directly. */
async function exposedStub(
  t: TestContext,
  gateway: TestGateway,
  state: string,
): Promise<{ readonly exposed: Exposed; readonly log: readonly string[] }> {
  const stub = await stubServer(t);
  const log: string[] = [];
  const grant = { path: "server/stub", address: gateway.address };
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["spiffe://latticegate.local/*"],
    state,
    joinToken: await makeJoinToken(gateway.config, grant, systemClock),
    clock: systemClock,
    log: systemLog({ level: "info", form: "json", write: (line) => void log.push(line) }),
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= exposed.stop());
  atEnd(t, stop);
  return { exposed: { ...exposed, stop }, log };
}

/** A link straight to an exposed server. */
function linkTo(exposed: Exposed, gateway: TestGateway, enrolment: Enrolment): Promise<TLSSocket> {
  const identity = { ...enrolment.identity, gateway: exposed.spiffeId };
  return rawLink({ ...gateway, address: new URL(exposed.url).host }, { ...enrolment, identity });
}

test("an exposed server cuts the links of who is revoked, and lets them in no more", async (t) => {
  const { gateway, enrolment } = await house(t);
  const { exposed, log } = await exposedStub(t, gateway, path.join(gateway.folder, "exposed"));
  const other = await linkTo(exposed, gateway, await enrol(gateway, "agent/other"));
  const link = await linkTo(exposed, gateway, enrolment);
  assert.equal(await asked(link), "403", "it is in");
  revoke(gateway, enrolment.identity.spiffe_id);
  await eventually("it is closed", () => link.closed);
  assert.match(log.join(""), /"event":"link.ended".*"reason":"identity_revoked"/);
  assert.equal(await asked(await linkTo(exposed, gateway, enrolment)), "cut");
  assert.equal(await asked(other), "403");
  other.destroy();
});

test("without its gateway an exposed server goes on with what it knows, also after a restart, and says so", async (t) => {
  const { gateway, enrolment } = await house(t);
  const state = path.join(gateway.folder, "exposed");
  const first = await exposedStub(t, gateway, state);
  const other = await enrol(gateway, "agent/other");
  revoke(gateway, enrolment.identity.spiffe_id);
  const isCut = async ({ exposed }: { readonly exposed: Exposed }): Promise<boolean> =>
    (await asked(await linkTo(exposed, gateway, enrolment))) === "cut";
  await eventually("it is told", () => isCut(first));
  await gateway.stop();
  await eventually("it says so", () => first.log.some((line) => line.includes("revocations.unreachable")));
  assert.ok(await isCut(first));
  await first.exposed.stop();
  const second = await exposedStub(t, gateway, state);
  assert.ok(await isCut(second));
  const link = await linkTo(second.exposed, gateway, other);
  assert.equal(await asked(link), "403", "who isn't revoked comes in");
  link.destroy();
  const again = await testGateway(t, openPolicy, { folder: gateway.folder, listen: gateway.address });
  revoke(again, other.identity.spiffe_id);
  await eventually("it is told again", async () => {
    return (await asked(await linkTo(second.exposed, gateway, other))) === "cut";
  });
});

test("a revoked exposed server is told nothing more, and is called no more", async (t) => {
  const { gateway: first } = await house(t);
  const { exposed } = await exposedStub(t, first, path.join(first.folder, "exposed"));
  await first.stop();
  const servers = `servers: { behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, {
    folder: first.folder,
    listen: first.address,
  });
  const client = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  assert.equal((await client.post("behind", toolCall("echo"))).status, 200);
  revoke(gateway, exposed.spiffeId);
  await eventually("it is called no more", async () => {
    return (await client.post("behind", toolCall("echo"))).status === 502;
  });
  await eventually("it is refused what it asks", () =>
    gateway.log.some((line) => line.includes("link.refused") && line.includes("it is revoked")),
  );
});

test("only a server of ours is told what is revoked", async (t) => {
  const { gateway, enrolment } = await house(t);
  const { profile } = gateway.config;
  const [host = "", port = ""] = gateway.address.split(":");
  const peer = { serverRoots: enrolment.identity.server_roots, peerSpiffeId: enrolment.identity.gateway };
  for (const [credentials, reason] of [
    [enrolment.credentials, /this authority didn't issue it/],
    [undefined, /showed no certificate/],
  ] as const) {
    const link = tls.connect({
      ...clientTlsOptions({ profile, ...peer, alpn: revocationsAlpn, ...(credentials && { credentials }) }),
      host,
      port: Number(port),
    });
    await once(
      link.on("error", () => undefined),
      "close",
    );
    assert.match(gateway.log.join(""), reason);
  }
});

function isRevoked(error: unknown): boolean {
  return error instanceof Refusal && error.code === "bad_certificate" && /revoked/.test(error.message);
}

/** The first entry of that kind, once it is there. */
async function entry(
  gateway: TestGateway,
  event: string,
): Promise<Awaited<ReturnType<typeof entriesOf>>[number]> {
  let found = await entriesOf(gateway, event);
  await eventually(`a ${event}`, async () => (found = await entriesOf(gateway, event)).length > 0);
  const [first] = found;
  assert.ok(first);
  return first;
}
