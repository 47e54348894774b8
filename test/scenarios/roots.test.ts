/** Roots come and go while the gateway runs: rotation with overlap, and a root that is compromised. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, openTunnel } from "../../src/app/connect.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { startExpose } from "../../src/app/expose.ts";
import { applyProfile } from "../../src/app/profile-operations.ts";
import { listRoots, replaceCompromised, retireRoots, rotateRoot } from "../../src/app/root-operations.ts";
import { loadAuthority } from "../../src/app/roots.ts";
import { openAuthorityRoots, openKeys, statePaths } from "../../src/app/state-folder.ts";
import { certificateHash, issueLeaf, parseCertificate } from "../../src/crypto/certificate.ts";
import { generateKeyPair } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { renew } from "../../src/host/net/enrol-client.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Authority, Purpose } from "../../src/identity/authority.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const hourMs = 3_600_000;

/** An operator's clock: the gateway's stays what OpenSSL goes by. */
function clockAt(fromNowMs: number): Clock {
  return { nowUnixMs: () => Date.now() + fromNowMs };
}

async function authorityOf({ config, clock }: TestGateway): Promise<Authority> {
  const keys = await openKeys(config.state, config.unlock);
  const making = { trustDomain: config.trust_domain, suite: config.profile.identity.id, clock };
  const store = await openAuthorityRoots(config.state, keys, making);
  const authority = await loadAuthority(config.trust_domain, keys, store.roots());
  store.close();
  return authority;
}

function known(gateway: TestGateway, { identity }: Enrolment) {
  return { address: gateway.address, serverRoots: identity.server_roots, spiffeId: identity.gateway };
}

async function renewed(gateway: TestGateway, enrolment: Enrolment): Promise<Enrolment> {
  const { key, identity } = enrolment;
  const old = { certificate: identity.certificate, csr: createSigningRequest(key) };
  const next = await renew(known(gateway, enrolment), gateway.config.profile, old);
  return { key, identity: next, credentials: credentialsOf(key, next.certificate) };
}

async function statusOf(client: Client): Promise<number | "cut"> {
  return await client.post("stub", toolCall("echo")).then(
    ({ status }) => status,
    () => "cut" as const,
  );
}

function rootsSeen(gateway: TestGateway): number {
  return gateway.log.filter((line) => line.includes("identity.roots_changed")).length;
}

async function stubbed(t: TestContext): Promise<TestGateway> {
  const stub = await stubServer(t);
  return await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
}

async function rootEntries(gateway: TestGateway): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { reading } of openLogReader(statePaths(gateway.config.state).log).forwards()) {
    if (reading.kind === "entry" && reading.entry.event === "identity.root")
      found.push(
        `${reading.entry.facts["what"]} ${reading.entry.facts["purpose"]} ${reading.entry.facts["generation"]}`,
      );
  }
  return found;
}

/** The generation whose root issued what the gateway shows at its door. */
async function shownRoot(
  gateway: TestGateway,
  roots: readonly string[],
  enrolment: Enrolment,
): Promise<number> {
  const socket = tls.connect({
    ...clientTlsOptions({
      profile: gateway.config.profile,
      serverRoots: roots,
      peerSpiffeId: enrolment.identity.gateway,
      credentials: enrolment.credentials,
    }),
    host: "127.0.0.1",
    port: Number(gateway.address.split(":")[1]),
  });
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const leaf = socket.getPeerX509Certificate();
  socket.destroy();
  return (
    1 +
    roots.findIndex((pem) => {
      const root = parseCertificate(pem);
      return leaf !== undefined && root !== undefined && leaf.checkIssued(root);
    })
  );
}

test("a root of an algorithm that is still taken stays until the profile's deadline, unless somebody says otherwise", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 3 * hourMs, clock: systemClock });
  const retire = (purpose: Purpose, isEarly: boolean, clock: Clock): Promise<readonly number[]> =>
    retireRoots(gateway.config, purpose, { isEarly, clock });
  await assert.rejects(retire("client", false, clockAt(2.9 * hourMs)), /may be in use until/);
  assert.deepEqual(await retire("client", true, systemClock), [1]);
  assert.deepEqual(await retire("server", false, clockAt(3 * hourMs + 60_000)), [1]);
});

test("a rotation drops no call: old and new roots are trusted until the old ones are retired", async (t) => {
  const clock = systemClock;
  const gateway = await stubbed(t);
  const before = await enrol(gateway, "agent/before");
  const client = clientOf(t, gateway, before);
  assert.equal(await statusOf(client), 200);
  await rotateRoot(gateway.config, "client", clock);
  await rotateRoot(gateway.config, "server", clock);
  await eventually("the gateway took them up", async () => (await rootEntries(gateway)).length === 2);

  assert.equal(await statusOf(client), 200, "an open link goes on");
  assert.equal(
    await statusOf(clientOf(t, gateway, before)),
    200,
    "and so does a new one with the old certificate",
  );
  const next = await renewed(gateway, before);
  assert.deepEqual([next.identity.server_roots.length, next.identity.client_roots.length], [2, 2]);
  const newRoot = parseCertificate(next.identity.client_roots[1] ?? "");
  const leaf = parseCertificate(next.identity.certificate);
  assert.ok(leaf && newRoot && leaf.checkIssued(newRoot), "clients are issued under the new root at once");
  assert.equal(await statusOf(clientOf(t, gateway, next)), 200);
  assert.equal(
    await shownRoot(gateway, next.identity.server_roots, next),
    1,
    "nobody need know the new server root yet",
  );

  await assert.rejects(retireRoots(gateway.config, "server", { isEarly: false, clock }), /--danger-early/);
  await assert.rejects(rotateRoot(gateway.config, "server", clock), /two|Two/);
  const later = { isEarly: false, clock: clockAt(3 * hourMs + 60_000) };
  await retireRoots(gateway.config, "server", later);
  await retireRoots(gateway.config, "client", later);
  await eventually("the old ones are gone", async () => (await rootEntries(gateway)).length === 4);
  const last = await renewed(gateway, next);
  assert.equal(await statusOf(clientOf(t, gateway, last)), 200, "who renewed in between goes on");
  const fresh = await enrol(gateway, "agent/fresh");
  assert.deepEqual([fresh.identity.server_roots.length, fresh.identity.client_roots.length], [1, 1]);
  assert.equal(await statusOf(clientOf(t, gateway, fresh)), 200);
  assert.deepEqual(await rootEntries(gateway), [
    "rotate client 2",
    "rotate server 2",
    "retire server 1",
    "retire client 1",
  ]);
  const states = (await listRoots(gateway.config, clock)).map(
    ({ purpose, generation, state }) => `${purpose} ${generation} ${state}`,
  );
  assert.deepEqual(states, ["client 1 retired", "client 2 issuing", "server 1 retired", "server 2 issuing"]);
});

test("a new server root is shown once everybody can know it; who was away is met under the old one", async (t) => {
  const gateway = await stubbed(t);
  const away = await enrol(gateway, "agent/away");
  await rotateRoot(gateway.config, "server", clockAt(-3 * hourMs));
  await eventually("the gateway took it up", () => rootsSeen(gateway) === 1);
  const back = await renewed(gateway, away);
  assert.equal(await shownRoot(gateway, back.identity.server_roots, back), 2);
  assert.equal(await statusOf(clientOf(t, gateway, back)), 200);
});

test("a sidecar's tunnel goes through a whole rotation of both roots without a restart", async (t) => {
  const gateway = await stubbed(t);
  const token = await makeJoinToken(
    gateway.config,
    { path: "agent/a", address: gateway.address },
    systemClock,
  );
  const options: ConnectOptions = {
    target: "stub",
    state: await freshState(t),
    joinToken: token,
    clock: systemClock,
    log: silent,
  };
  await (await openTunnel(options)).close();
  await rotateRoot(gateway.config, "client", systemClock);
  await rotateRoot(gateway.config, "server", systemClock);
  await eventually("the gateway took them up", async () => (await rootEntries(gateway)).length === 2);
  const past: Clock = { nowUnixMs: () => Date.now() + 31 * 60_000 };
  const tunnel = await openTunnel({ ...options, clock: past });
  atEnd(t, tunnel.close);
  await eventually("it renewed, and knows them", () => tunnel.identity.serverRoots.length === 2);
  for (const purpose of ["server", "client"] as const)
    await retireRoots(gateway.config, purpose, { isEarly: true, clock: systemClock });
  await eventually("the old ones are gone", async () => (await rootEntries(gateway)).length === 4);
  const body = Buffer.from(JSON.stringify(toolCall("echo")));
  const headers = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  const answer = await tunnel.send({ method: "POST", headers, body });
  assert.equal(answer.status, 200);
});

test("a compromised client root: its open links are refused at the next call, and only a token helps", async (t) => {
  const gateway = await stubbed(t);
  const before = await enrol(gateway, "agent/before");
  const client = clientOf(t, gateway, before);
  assert.equal(await statusOf(client), 200);
  const { void: holders } = await replaceCompromised(gateway.config, "client", systemClock);
  assert.deepEqual(holders, ["spiffe://latticegate.local/agent/before"]);
  await eventually("the open link is refused", async () => (await statusOf(client)) !== 200);
  await eventually("the gateway took it up", () => rootsSeen(gateway) === 1);
  assert.notEqual(await statusOf(clientOf(t, gateway, before)), 200, "a new link is refused");
  await assert.rejects(renewed(gateway, before), (error: unknown) => {
    assert.ok(error instanceof Refusal);
    assert.match(error.message, /no root that is trusted now issued it/);
    return true;
  });
  const again = await enrol(gateway, "agent/before");
  assert.equal(await statusOf(clientOf(t, gateway, again)), 200);
  assert.deepEqual(await rootEntries(gateway), ["compromised client 1", "replace client 2"]);
});

test("a compromised server root: nobody who knew it takes the gateway for itself, and a new token ends that", async (t) => {
  const gateway = await stubbed(t);
  const token = (): Promise<string> =>
    makeJoinToken(gateway.config, { path: "agent/a", address: gateway.address }, systemClock);
  const state = await freshState(t);
  const options = { target: "stub", state, clock: systemClock, log: silent, patienceMs: 100 };
  await (await openTunnel({ ...options, joinToken: await token() })).close();
  const old = await enrol(gateway, "agent/old");
  await replaceCompromised(gateway.config, "server", systemClock);
  await eventually("the gateway took it up", () => rootsSeen(gateway) === 1);
  assert.equal(await statusOf(clientOf(t, gateway, old)), "cut");
  await assert.rejects(renewed(gateway, old), /can't be reached/);
  const body = Buffer.from(JSON.stringify(toolCall("echo")));
  const headers = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  const stale = await openTunnel(options);
  await assert.rejects(stale.send({ method: "POST", headers, body }));
  await stale.close();
  const tunnel = await openTunnel({ ...options, joinToken: await token() });
  atEnd(t, tunnel.close);
  assert.equal((await tunnel.send({ method: "POST", headers, body })).status, 200);
});

test("an exposed server is called through a rotation, and not under a compromised root", async (t) => {
  const stub = await stubServer(t);
  const first = await testGateway(t, openPolicy);
  const token = await makeJoinToken(
    first.config,
    { path: "server/stub", address: first.address },
    systemClock,
  );
  const state = await freshState(t);
  const exposing = { state, clock: systemClock, log: silent, listen: "127.0.0.1:0", allow: [] };
  const exposed = await startExpose({ ...exposing, joinToken: token, server: { url: stub.url } });
  atEnd(t, exposed.stop);
  await first.stop();
  const servers = `servers: { stub: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { folder: first.folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal(await statusOf(client), 200);
  const { state: standing } = await rotateRoot(gateway.config, "client", systemClock);
  assert.equal(standing, "announced", "a server that must hear of the new root first");
  await rotateRoot(gateway.config, "server", systemClock);
  await eventually("the gateway took them up", async () => (await rootEntries(gateway)).length === 2);
  assert.equal(await statusOf(client), 200);
  const seen = rootsSeen(gateway);
  await replaceCompromised(gateway.config, "server", systemClock);
  await eventually("the gateway took that up", () => rootsSeen(gateway) > seen);
  await eventually(
    "the exposed server isn't called any more",
    async () => (await statusOf(clientOf(t, gateway, await enrol(gateway)))) !== 200,
  );
});

for (const [purpose, id, leafPurpose] of [
  ["client", "gateway", "server"],
  ["server", "agent/test", "client"],
] as const satisfies readonly (readonly [Purpose, string, Purpose])[]) {
  test(`who holds the ${purpose} root's key can't appear as a ${leafPurpose}`, async (t) => {
    const gateway = await stubbed(t);
    const enrolment = await enrol(gateway);
    const key = generateKeyPair(signatureSuite("ML-DSA-65"));
    const authority = await authorityOf(gateway);
    const forged = await issueLeaf({
      commonName: "test",
      publicKey: key.publicKey,
      spiffeId: `spiffe://latticegate.local/${id}`,
      purpose: leafPurpose,
      notBeforeUnixMs: Date.now() - 60_000,
      notAfterUnixMs: Date.now() + hourMs,
      issuer: authority.roots[purpose][0],
    });
    const credentials = credentialsOf(key, forged);
    if (leafPurpose === "client") {
      assert.equal(await statusOf(clientOf(t, gateway, { ...enrolment, credentials })), "cut");
      assert.match(gateway.log.join(""), /certificate isn't accepted/);
      return;
    }
    const shown = { cert: credentials.certificate, key: credentials.privateKey };
    const impostor = tls.createServer({ ...shown, ecdhCurve: "X25519MLKEM768", minVersion: "TLSv1.3" });
    impostor
      .on("tlsClientError", () => undefined)
      .on("secureConnection", (socket) => socket.on("error", () => undefined));
    await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
    atEnd(t, () => void impostor.close());
    const address = impostor.address();
    assert.ok(typeof address === "object" && address !== null);
    const fake = { ...gateway, address: `127.0.0.1:${address.port}` };
    const met = tls.connect({
      ...clientTlsOptions({
        profile: gateway.config.profile,
        serverRoots: enrolment.identity.server_roots,
        peerSpiffeId: enrolment.identity.gateway,
      }),
      host: "127.0.0.1",
      port: address.port,
    });
    const failure = await new Promise<string>((resolve) => {
      met.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
      met.once("secureConnect", () => resolve("taken for the gateway"));
    });
    assert.match(failure, /UNABLE_TO|SELF_SIGNED|ISSUER/);
    await assert.rejects(renewed(fake, enrolment), /can't be reached/);
    met.destroy();
  });
}

test("no two roots share a name, and each has a fingerprint", async (t) => {
  const gateway = await stubbed(t);
  await rotateRoot(gateway.config, "client", systemClock);
  const [one, two] = (await authorityOf(gateway)).roots.client.map(({ certificate }) =>
    parseCertificate(certificate),
  );
  assert.ok(one && two);
  assert.notEqual(one.subject, two.subject);
  const listed = (await listRoots(gateway.config, systemClock)).filter(({ purpose }) => purpose === "client");
  assert.deepEqual(
    listed.map(({ fingerprint }) => fingerprint),
    [certificateHash(one), certificateHash(two)],
  );
});
